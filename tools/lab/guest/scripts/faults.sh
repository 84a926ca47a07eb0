#!/bin/bash
# Lets the network or the server of a guest fail, for the claims net.* and for
# people at its prompt:
#
#   faults.sh cut SECONDS                          client a is cut off
#   faults.sh spoil DELAY_MS LOSS_PERCENT SECONDS  packets are late and lost
#   faults.sh restart                              the server ends and begins
#   faults.sh die SECONDS                          the server loses its power
#   faults.sh heal                                 all is as at the beginning
#
# What takes some seconds goes on when this has ended, and ends by itself.
set -uo pipefail
readonly kScratch=/run/locklab
readonly kHealer=/run/healer  # the process that ends a fault in time
readonly kGone=/run/server-is-gone

die() {  # TEXT...
  echo "faults.sh: $*" >&2
  exit 1
}

# shellcheck source=tools/lab/guest/scripts/parts.sh
source "$kScratch/scripts/parts.sh"

# The bridge drops what comes from the client and for it, as a broken switch
# would: neither side is told.
port_state() {  # CLIENT STATE
  run bridge link set dev "veth-$1" state "$2"
}

mend() {
  local client
  for client in $CLIENTS; do
    port_state "$client" 3
    tc qdisc del dev "veth-$client" root 2>/dev/null
  done
  [[ ! -e "$kGone" ]] || { rm "$kGone" && "${KIND:?}_boot"; }
  return 0
}

# Nobody hears of it: what its kernel would still say is cut off.
server_dies() {
  local client
  for client in $CLIENTS; do port_state "$client" 0; done
  : >"$kGone"
  "${KIND:?}_stop"
}

stop_healer() {
  [[ ! -s "$kHealer" ]] || kill "$(<"$kHealer")" 2>/dev/null
  : >"$kHealer"
}

heal_in() {  # SECONDS
  (
    exec </dev/null >/dev/null 2>&1
    sleep "$1"
    mend
  ) &
  echo "$!" >"$kHealer"
  disown
}

spoil() {  # DELAY_MS LOSS_PERCENT
  local client
  load_modules sch_netem
  for client in $CLIENTS; do
    run tc qdisc replace dev "veth-$client" root netem delay "$1ms" loss "$2%"
  done
}

main() {
  stop_healer
  case "${1:-}" in
    cut) port_state a 0 && heal_in "$2" ;;
    spoil) spoil "$2" "$3" && heal_in "$4" ;;
    restart) "${KIND:?}_stop" && "${KIND}_boot" ;;
    die) server_dies && heal_in "$2" ;;
    heal) mend ;;
    *) die "unknown fault '${1:-}'" ;;
  esac
}

main "$@"
