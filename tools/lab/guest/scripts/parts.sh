# shellcheck shell=bash
# What a guest is put together from, for init.sh and for what runs later: the
# session's variables, functions for all, and the parts. Whoever sources it has
# a function die.

while IFS= read -r -d '' entry; do
  declare -g "$entry"
done <"${kScratch:?}/session"

run() {  # COMMAND...
  "$@" || die "\`$*\` failed with exit code $?"
}

# A condition that comes by itself, looked for until it is there.
await() {  # SECONDS COMMAND...
  local -i end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || return 1
    sleep 0.05
  done
}

load_modules() {  # NAME...
  run modprobe -d /run/kernel -a "$@"
}

for part in net nfs smb; do
  # shellcheck source=/dev/null
  source "$kScratch/scripts/$part.sh"
done
