# shellcheck shell=sh disable=SC2059,SC2154  # built formats; see below
# Speaks the protocol of README.md for commands. The files before this one
# define `traits`, lock PATH TIMEOUT (0: has it, 1: timeout, else an error, of
# which `complaint` says what) and unlock PATH.

say() {
  printf '%s\n' "$1"
}

decode() {  # WORD; sets `path`
  rest=$1
  path=
  while :; do
    case $rest in *%*) ;; *) break ;; esac
    path=$path${rest%%\%*}
    rest=${rest#*%}
    code=$(printf %03o "0x${rest%"${rest#??}"}")
    # The x keeps a line end from being cut off.
    byte=$(printf "\\${code}x")
    path=$path${byte%x}
    rest=${rest#??}
  done
  path=$path$rest
}

acquire() {  # PATH TIMEOUT
  if [ -n "$held" ]; then
    say "error already held, by this adapter"
    return
  fi
  decode "$1"
  complaint=
  lock "$path" "$2"
  case $? in
    0) held=$path && say ok ;;
    1) say timeout ;;
    *) say "error $complaint" ;;
  esac
}

release() {
  if [ -z "$held" ]; then
    say "error not held, by this adapter"
  elif unlock "$held"; then
    held=
    say ok
  else
    say "error the command that gives back failed"
  fi
}

held=
while read -r verb first second; do
  case $verb in
    hello) say "ok 1 $traits" ;;
    acquire) acquire "$first" "$second" ;;
    release) release ;;
    quit)
      [ -z "$held" ] || unlock "$held"
      say ok
      exit 0
      ;;
    *) say "error unknown request" ;;
  esac
done
