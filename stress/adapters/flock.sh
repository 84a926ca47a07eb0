# shellcheck shell=sh disable=SC2034  # what serve.sh reads
command -v flock >/dev/null || { echo "no flock in PATH" >&2 && exit 127; }
traits="released_on_crash keeps_file"

lock() {  # PATH TIMEOUT
  # `command`: a failed redirection is not to end the shell.
  if ! { command exec 9>>"$1.lock"; } 2>/dev/null; then
    complaint="cannot open the file"
    return 2
  fi
  case $2 in
    -1) flock 9 ;;
    0) flock -n 9 ;;
    *) flock -w "$2" 9 ;;
  esac
  result=$?
  complaint="flock exited with $result"
  [ $result -eq 0 ] || exec 9>&-
  return $result
}

unlock() {
  exec 9>&-
}

