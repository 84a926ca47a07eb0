# shellcheck shell=bash
# The kernel's NFS server, and mounts of it. Sourced by init.sh.
#
# OPTIONS are those of the mounts, and among them vers=.

# So that what waits for a lease's end does not wait for minutes.
readonly kLease=10

is_v3() { [[ "$OPTIONS" == *vers=3* ]]; }

nfs_up() {
  local -a modules=(nfsd nfsv4 auth_rpcgss)
  ! is_v3 || modules=(nfsd nfsv3 lockd)
  load_modules "${modules[@]}"
  # Else it is 50 s, for as long as which whoever wants a lock of NFSv3 hangs.
  ! is_v3 || echo "$kLease" >/proc/sys/fs/nfs/nlm_grace_period
  nfs_state /var/lib/nfs
  mount -t nfsd nfsd /proc/fs/nfsd
  mkdir -p /run/rpc_pipefs
  echo "$kLease" >/proc/fs/nfsd/nfsv4leasetime
  echo "$kLease" >/proc/fs/nfsd/nfsv4gracetime
  ! is_v3 || rpc_up
  run exportfs -o "rw,no_root_squash,no_subtree_check,insecure,sync,fsid=0" \
    "10.9.0.0/24:/mnt/exp"
  nfs_start
}

# What the programs of NFS keep on a disk.
nfs_state() {  # DIR
  local owner
  mkdir -p "$1/sm" "$1/sm.bak" "$1/v4recovery" "$1/rpc_pipefs"
  touch "$1/state" "$1/etab" "$1/rmtab"
  owner="$(stat -c %U "$1")"
  ! getent passwd statd >/dev/null || owner=statd
  chown "$owner" "$1" "$1/sm" "$1/sm.bak" "$1/state"
}

# The programs that NFSv3 needs on each host for locks.
rpc_up() {
  run rpcbind -w
  run await 10 rpcinfo -p localhost
  run rpc.statd --no-notify
}

nfs_start() {
  if is_v3; then run rpc.mountd; else run rpc.mountd -N 3; fi
  nfs_serve
  # Nobody has locks to reclaim yet.
  ! is_v3 && echo Y >/proc/fs/nfsd/v4_end_grace
  return 0
}

nfs_serve() {
  if is_v3; then
    run rpc.nfsd -V 3 -N 4 8
    # The kernel would find this one's socket for the clients, too.
    rm -f /run/rpcbind.sock
  else
    run rpc.nfsd -N 3 -V 4.0 -V 4.1 -V 4.2 8
  fi
}

nfs_stop() { run rpc.nfsd 0; }

# The server has forgotten all locks, and waits for its lease's time for clients
# that say which they had.
nfs_boot() {
  nfs_serve
  # What a server does when its host boots: the clients of NFSv3 are told.
  ! is_v3 || sm-notify -f
}

nfs_mount() {  # CLIENT
  local path=/
  if is_v3; then
    path=/mnt/exp
    [[ "$OPTIONS" == *nolock* ]] || run nfs_lock_manager "$1"
  fi
  run on "$1" mount -t nfs "server:$path" "/mnt/$1" \
    -o "proto=tcp,$OPTIONS"
}

# NFSv3's locks are another protocol, with programs of its own on each host.
nfs_lock_manager() {  # CLIENT
  on "$1" bash -c '
    mount -t tmpfs tmpfs /run && mkdir -p /run/lock &&
      mount -t tmpfs tmpfs /var/lib/nfs' &&
    on "$1" bash -c "$(declare -f nfs_state); nfs_state /var/lib/nfs" &&
    on "$1" rpcbind -w && await 10 on "$1" rpcinfo -p localhost &&
    on "$1" rpc.statd --no-notify
}
