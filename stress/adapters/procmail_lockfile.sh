# shellcheck shell=sh disable=SC2034  # what serve.sh reads
command -v lockfile >/dev/null || { echo "no lockfile in PATH" >&2 && exit 127; }
traits=

try() {  # PATH
  lockfile -r 0 "$1.lock"
  result=$?
  complaint="lockfile exited with $result"
  case $result in
    0) return 0 ;;
    73) return 1 ;;
    *) return 2 ;;
  esac
}

unlock() {  # PATH
  rm -f "$1.lock"
}

