#!/bin/bash
# liblockfile.so exports exactly the functions that c_api.h declares.
set -euo pipefail

readonly so="$1" header="$2"

declared=$(grep -oE '\blockfile_[a-z_]+\(' "${header}" |
  sort -u | sed 's/($/@@LOCKFILE_1/')
# Comments of the header name only functions that it declares.
exported=$(nm -D --defined-only "${so}" | awk '$2 != "A" {print $3}' |
  sort -u)

if ! diff <(echo "${declared}") <(echo "${exported}"); then
  echo "FAIL: < declared in ${header}, > exported by ${so}" >&2
  exit 1
fi
soname=$(readelf -d "${so}" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
if [[ "${soname}" != liblockfile.so.1 ]]; then
  echo "FAIL: the soname of ${so} is '${soname}', not liblockfile.so.1" >&2
  exit 1
fi
