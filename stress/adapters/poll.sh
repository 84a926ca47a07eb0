# shellcheck shell=sh
# For commands that try once and end: lock() tries every second, the shortest
# time that they can sleep themselves. They are not left to wait by
# themselves: a command that outlived its killed caller would take the lock for
# nobody.

lock() {  # PATH TIMEOUT
  patience=$2
  while :; do
    try "$1"
    result=$?
    [ $result -eq 1 ] || return $result
    case $patience in
      -1) sleep 1 ;;
      0) return 1 ;;
      0.*) sleep "$patience" && patience=0 ;;
      *)
        sleep 1
        # Whole seconds, the rest of one counts as one.
        case $patience in *.*) patience=$((${patience%.*} + 1)) ;; esac
        patience=$((patience - 1))
        ;;
    esac
  done
}
