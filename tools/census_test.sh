#!/bin/bash
# A source that no target names is never built, tested or reviewed; a stray
# file at the top hides the map of the house. Reads the real source tree, so
# the target is tagged local and always runs.
set -euo pipefail

readonly kTop=" README.md WORKSPACE BUILD.bazel lib conformance stress bench \
tools compile_commands.json "

cd "$(dirname "$(readlink -f WORKSPACE)")"
faults=0

fault() {
  echo "census: $1" >&2
  faults=$((faults + 1))
}

# Does BUILD file $1 name the file $2, itself or by a glob?
names() {
  local pattern
  grep -qF "\"$2\"" "$1" && return
  while IFS= read -r pattern; do
    # shellcheck disable=SC2053  # the right side is a pattern on purpose
    [[ "$2" == $pattern ]] && return
  done < <(grep -o '"[^"]*\*[^"]*"' "$1" | tr -d '"')
  return 1
}

for entry in *; do
  [[ "$entry" == bazel-* || "$kTop" == *" $entry "* ]] ||
    fault "$entry does not belong at the top: move it into a folder, or name \
it in tools/census_test.sh"
done

sources=0
while IFS= read -r file; do
  sources=$((sources + 1))
  package="$(dirname "$file")"
  while [[ ! -f "$package/BUILD.bazel" ]]; do
    package="$(dirname "$package")"
  done
  names "$package/BUILD.bazel" "${file#"$package"/}" ||
    fault "no target of $package/BUILD.bazel names $file"
done < <(find lib conformance stress bench tools -type f \
  \( -name '*.cc' -o -name '*.h' -o -name '*.c' \) 2>/dev/null | sort)

((sources > 0)) || fault "found no source at all in $PWD"
echo "census: $sources sources, $faults faults"
((faults == 0))
