#!/bin/bash
# The first process of a guest: a machine of its own with an NFS or SMB server
# and one or two clients of it. Its root is the host's file tree, read-only;
# what it needs to write is in its memory; the scratch directory, whose path is
# in the kernel's command line as locklab.scratch, is all that it shares with
# the host:
#
#   scripts/   this and the files beside it
#   session    what is wanted: KEY=VALUE, each ended by a NUL, as is
#   argv       the words of the command to run
#   writable   directories of the host that the command may write to
#   locklab    the program
#   ready      made when the filesystem is mounted
#   error      why it cannot be had
#   exit       what the command exited with
#
# FS is the name of the filesystem, KIND its protocol (nfs, smb), OPTIONS those
# of its mounts, CLIENTS their names; MODE is command or shell, WHERE the
# directory that the command runs in; FAULTS is yes if the command may let the
# network fail, OUT_PERSON and ERR_PERSON if a terminal of ROWS and COLUMNS shows
# what it says.
set -uo pipefail
# Where the user of the host is not root, what is root's there looks like
# somebody else's here, and set-uid programs (mount) would make us that one.
[[ -n "${LOCKLAB_NO_SETUID:-}" ]] ||
  LOCKLAB_NO_SETUID=1 exec /usr/bin/setpriv --no-new-privs "$0" "$@"
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
# A guest is slow, and the slower the busier the host is.
export LOCKLAB_PATIENCE=4
export TERM="${TERM:-dumb}"
readonly kScratch=/run/locklab

# Ends the guest; whatever is still mounted goes with it.
power_off() {
  trap - EXIT
  umount "$kScratch" 2>/dev/null || sync
  echo o >/proc/sysrq-trigger
  exec sleep infinity  # it may take a moment, and process 1 must not end
}

# The guest cannot do what is wanted: the console is what the host shows.
die() {  # TEXT...
  echo "locklab guest: $*" >&2
  echo "$*" >"$kScratch/error" 2>/dev/null
  power_off
}

mount_system() {
  local dir
  mount -t proc proc /proc
  mount -t sysfs sysfs /sys
  mkdir -p /dev/pts /dev/shm
  mount -t devpts devpts /dev/pts
  for dir in /dev/shm /run /mnt /tmp /var/tmp /var/log /var/cache /var/lib/nfs \
    /var/lib/samba; do
    [[ ! -d "$dir" ]] || mount -t tmpfs tmpfs "$dir"
  done
  chmod 1777 /tmp /var/tmp /dev/shm
}

mount_scratch() {
  local scratch
  scratch="$(sed -n 's/.*locklab\.scratch=\([^ ]*\).*/\1/p' /proc/cmdline)"
  mkdir -p "$kScratch" /run/lock
  mount -t hostfs none "$kScratch" -o "$scratch" ||
    die "cannot mount $scratch of the host"
}

# Names that have to be looked up elsewhere take seconds each to be not found.
name_hosts() {
  mkdir -p /run/etc
  printf '127.0.0.1 localhost\n10.9.0.1 server\n10.9.0.2 a\n10.9.0.3 b\n' \
    >/run/etc/hosts
  : >/run/etc/resolv.conf
  printf '%s: files\n' passwd group hosts services protocols rpc netgroup \
    >/run/etc/nsswitch.conf
  for file in hosts resolv.conf nsswitch.conf; do
    [[ ! -e "/etc/$file" ]] || mount --bind "/run/etc/$file" "/etc/$file"
  done
  hostname server
}

# The modules of the package fit the kernel that runs. The host may have no
# /lib/modules where they could be mounted.
find_modules() {
  local there=/usr/lib/uml/modules
  [[ -d "$there/$(uname -r)" ]] || die "no modules for this kernel in $there"
  mkdir -p /run/kernel/lib
  ln -s "$there" /run/kernel/lib/modules
  printf '#!/bin/sh\nexec modprobe -d /run/kernel "$@"\n' >/run/kernel/modprobe
  chmod +x /run/kernel/modprobe
  echo /run/kernel/modprobe >/proc/sys/kernel/modprobe  # for the kernel itself
}

# The rest of the host's file tree cannot be changed from here.
mount_writable() {
  local dir
  local -a dirs
  mapfile -d '' -t dirs <"$kScratch/writable"
  for dir in "${dirs[@]}"; do
    mkdir -p "$dir" 2>/dev/null
    run mount -t hostfs none "$dir" -o "$dir"
  done
}

# A host tells of its signals by lines.
listen() {  # PID
  local name
  while read -r name; do
    case "$name" in INT | TERM) kill "-$name" "$1" ;; esac
  done </dev/ttyS2
}

# Makes /run/NAME a line to the host. Where no person reads it there, what is
# run must not find a terminal.
open_line() {  # NAME DEVICE PERSON
  stty -F "$2" raw -echo rows "$ROWS" cols "$COLUMNS"
  if [[ "$3" == yes ]]; then
    ln -s "$2" "/run/$1"
  else
    mkfifo "/run/$1"
    cat "/run/$1" >"$2" &
    lines+=("$!")
  fi
}

# Runs what is wanted, with the lines to the host as its output.
run_command() {
  local -a words lines=()
  local command code
  mapfile -d '' -t words <"$kScratch/argv"
  open_line out /dev/ttyS0 "$OUT_PERSON"
  open_line err /dev/ttyS1 "$ERR_PERSON"
  cd "$WHERE" 2>/dev/null || cd /
  [[ "$FAULTS" != yes ]] ||
    export LOCKLAB_NETWORK_FAULTS="$kScratch/scripts/faults.sh"
  PATH="$kScratch:$PATH" "${words[@]}" \
    </dev/null >/run/out 2>/run/err &
  command=$!
  listen "$command" &
  wait "$command"
  code=$?
  ((${#lines[@]} == 0)) || wait "${lines[@]}"
  cd /
  return "$code"
}

# A prompt on the host's own terminal.
run_shell() {
  stty -F /dev/ttyS0 sane rows "$ROWS" cols "$COLUMNS"
  printf 'PS1="locklab:%s:\\w# "\ncd /mnt/a\n' "$FS" >/run/etc/bashrc
  export PATH="$kScratch:$PATH"
  setsid -c bash --rcfile /run/etc/bashrc -i \
    </dev/ttyS0 >/dev/ttyS0 2>&1
}

main() {
  local code client
  mount_system
  mount_scratch
  # shellcheck source=tools/lab/guest/scripts/parts.sh
  source "$kScratch/scripts/parts.sh"
  name_hosts
  find_modules
  mount --make-rprivate /
  mount --make-shared /mnt
  mkdir -p /mnt/exp && chmod 1777 /mnt/exp
  mount -t tmpfs tmpfs /mnt/exp -o mode=1777
  mount_writable
  net_up
  run "${KIND}_up"
  for client in $CLIENTS; do
    mkdir -p "/mnt/$client"
    run client_up "$client"
    "${KIND}_mount" "$client"
  done
  echo "locklab guest: ready after $(cut -d' ' -f1 /proc/uptime) s"
  : >"$kScratch/ready"
  "run_$MODE"
  code=$?
  echo "$code" >"$kScratch/exit"
  power_off
}

# A first process that ends is a panic, which takes the console's last words.
trap power_off EXIT
main
