#!/bin/bash
# ci_test.sh LOCKLAB TEST SNIPPET...
set -euo pipefail
exec /usr/bin/python3 "$2" "$1" "$(dirname "$3")"
