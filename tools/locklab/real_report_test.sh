#!/bin/bash
# real_report_test.sh LOCKLAB VALIDATOR: what a check prints as JSON is what the
# schema says that the program prints.
set -euo pipefail

locklab="$1"
validator="$2"
mkdir "$TEST_TMPDIR/examined"
code=0
"$locklab" check --dir="$TEST_TMPDIR/examined" --backend=excl,flock \
  --filter='^(fs|release|exclusion\.two_p)' --format=json --seed=7 \
  >"$TEST_TMPDIR/report.json" || code=$?
((code == 0 || code == 5)) || { echo "check ended with $code" && exit 1; }
"$locklab" report --schema >"$TEST_TMPDIR/schema.json"
/usr/bin/python3 "$validator" "$TEST_TMPDIR/schema.json" \
  "$TEST_TMPDIR/report.json"
