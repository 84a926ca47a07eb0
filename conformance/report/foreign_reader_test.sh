#!/bin/bash
# foreign_reader_test.sh WRITER READER...: has the samples written to a
# directory and READER, of another hand, look at them.
set -euo pipefail

samples="$TEST_TMPDIR/samples"
"$1" "$samples"
shift
exec "$@" "$samples"
