# shellcheck shell=sh disable=SC2034  # what serve.sh reads
command -v dotlockfile >/dev/null ||
  { echo "no dotlockfile in PATH" >&2 && exit 127; }
traits=
with_pid=$1

try() {  # PATH
  # shellcheck disable=SC2086  # nothing, or one word
  dotlockfile -l -r 0 $with_pid "$1.lock"
  result=$?
  complaint="dotlockfile -l exited with $result"
  case $result in
    0) return 0 ;;
    4) return 1 ;;
    *) return 2 ;;
  esac
}

unlock() {  # PATH
  dotlockfile -u "$1.lock"
}

