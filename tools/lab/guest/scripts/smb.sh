# shellcheck shell=bash
# A Samba server, and mounts of it by the kernel's client. Sourced by init.sh.
#
# OPTIONS are those of the mounts, and among them vers=.

readonly kSmbConf=/run/samba/smb.conf

smb_conf() {
  cat <<'END'
[global]
  server role = standalone server
  security = user
  map to guest = never
  disable spoolss = yes
  load printers = no
  server min protocol = NT1
  smb ports = 445
  bind interfaces only = no
  private dir = /run/samba/private
  passdb backend = smbpasswd:/run/samba/private/passwd
  state directory = /run/samba/state
  cache directory = /run/samba/cache
  lock directory = /run/samba/lock
  pid directory = /run/samba
  ncalrpc dir = /run/samba/ncalrpc
  log file = /run/samba/log
  unix extensions = yes
[exp]
  path = /mnt/exp
  read only = no
END
}

smb_up() {
  load_modules cifs cmac gcm ccm
  mkdir -p /run/samba/{private,state,cache,lock,ncalrpc} /var/log/samba
  smb_conf >"$kSmbConf"
  printf 'secret\nsecret\n' | smbpasswd -c "$kSmbConf" -s -a root ||
    die "smbpasswd failed"
  smb_start
}

smb_start() {
  run smbd -D -s "$kSmbConf"
  run await 20 bash -c "echo >/dev/tcp/${kServer:?}/445"
}

# As if its host lost its power: it does not say goodbye.
smb_stop() {
  kill -KILL -- "-$(</run/samba/smbd.pid)"
  await 10 bash -c "! kill -0 -- -$(</run/samba/smbd.pid)"
}

smb_boot() { smb_start; }

smb_mount() {  # CLIENT
  run on "$1" mount -t cifs //server/exp "/mnt/$1" \
    -o "ip=$kServer,username=root,password=secret,$OPTIONS"
}
