#!/bin/bash
# locklab faultfs as a tool of its own: what it refuses, what it serves, and
# that it leaves no mount behind, however it ends. Argument: locklab.
set -euo pipefail

readonly kLocklab="$1"
scratch="$(mktemp -d "${TEST_TMPDIR:-/tmp}/faultfs-XXXXXX")"
server=

clean_up() {
  [[ -z "$server" ]] || kill "$server" 2>/dev/null || true
  umount -l "$scratch/a" "$scratch/b" 2>/dev/null || true
  rm -rf "$scratch"
}
trap clean_up EXIT

fail() {
  echo "faultfs: $1" >&2
  exit 1
}

# Runs it with the arguments from $3 on; it has to exit with $1 and say $2.
expect() {
  local code=0 said
  said="$("$kLocklab" faultfs "${@:3}" 2>&1)" || code=$?
  [[ "$code" == "$1" ]] || fail "${*:3}: exit code $code instead of $1: $said"
  [[ "$said" == *"$2"* ]] || fail "${*:3}: does not say \"$2\": $said"
}

mounted() { grep -q " $scratch/$1 fuse.faultfs" /proc/self/mounts; }

# Waits until `$@` succeeds.
await() {
  local deadline=$((SECONDS + 30))
  until "$@"; do
    ((SECONDS < deadline)) || fail "in vain: $*"
    sleep 0.02
  done
}
gone() { ! mounted a && ! mounted b; }

serve() {
  "$kLocklab" faultfs --seed=1 "$@" --backing="$scratch/backing" \
    "$scratch/a" "$scratch/b" >"$scratch/out" &
  server=$!
  await grep -q '^seed 1: ' "$scratch/out"
}

mkdir "$scratch"/{backing,a,b,full}
touch "$scratch/full/file"
expect 0 link-not-atomic --list
(($("$kLocklab" faultfs --list | grep -c '^[a-z]') >= 14)) || fail "few sins"
readonly kTo=("--backing=$scratch/backing" "$scratch/a")
expect 2 "did you mean link-eperm?" --sin=link-eprem "${kTo[@]}"
expect 2 "not from 0 to 1" --sin=enospc:rate=2 "${kTo[@]}"
expect 2 "takes rate=1, not ms=3" --sin=link-eperm:ms=3 "${kTo[@]}"
expect 2 "follows no sin" --sin=rate=1 "${kTo[@]}"
expect 2 "is not empty" --backing="$scratch/backing" "$scratch/full"
expect 2 "--backing=DIR is missing" "$scratch/a"
expect 2 "no MOUNTPOINT" --backing="$scratch/backing"

if [[ ! -w /dev/fuse || "$(id -u)" != 0 ]]; then
  echo "faultfs: no FUSE, or not root: nothing was mounted"
  exit 0
fi

# A sin strikes on both mounts, and what is spared is not struck.
serve --sin=link-eperm
echo text >"$scratch/a/file"
[[ "$(cat "$scratch/b/file")" == text ]] || fail "the mounts differ"
! ln "$scratch/b/file" "$scratch/b/second" 2>/dev/null || fail "link succeeds"
kill "$server"
wait "$server" || fail "it ended with $?"
await gone

# Killed, with a file open.
serve
exec 5>"$scratch/a/open"
kill -KILL "$server"
await gone
exec 5>&-

# With its parent.
bash -c '"$@" >"$0" & wait' "$scratch/out" "$kLocklab" faultfs --seed=2 \
  --backing="$scratch/backing" "$scratch/a" &
server=$!
await grep -q '^seed 2: ' "$scratch/out"
kill -KILL "$server"
await gone
