# shellcheck shell=bash
# The network inside a guest: the server is in the first network namespace, and
# each client has its own, with the caches, the host name and the lock manager
# that belong to one; a bridge joins them. Sourced by init.sh.

readonly kServer=10.9.0.1
declare -rA kAddress=([a]=10.9.0.2 [b]=10.9.0.3)
declare -A client_pid=()
readonly kClients=/run/clients
# shellcheck source=/dev/null
[[ ! -e "$kClients" ]] || source "$kClients"

net_up() {
  load_modules bridge veth
  run ip -batch - <<END
link add br0 type bridge forward_delay 0
addr add $kServer/24 dev br0
link set br0 up
link set lo up
END
}

# Runs a command on a client's host.
on() {  # CLIENT COMMAND...
  local client="$1"
  shift
  nsenter -t "${client_pid[$client]}" --net --uts --mount --wd=/ -- "$@"
}

# Makes a client's host; its processes are in the namespaces of one that does
# nothing. /mnt is shared with all others, /run is its own.
client_up() {  # CLIENT
  local client="$1" ready="/run/$1.ready"
  mkfifo "$ready"
  unshare --net --uts --mount --propagation unchanged bash -c "
    hostname client-$client && echo >$ready && exec sleep infinity" &
  client_pid[$client]=$!
  echo "client_pid[$client]=$!" >>"$kClients"
  read -r <"$ready"
  ip -batch - <<END || return
link add veth-$client type veth peer name eth0 netns ${client_pid[$client]}
link set veth-$client master br0 up
END
  on "$client" ip -batch - <<END
link set lo up
addr add ${kAddress[$client]}/24 dev eth0
link set eth0 up
END
}
