#!/bin/bash
# Every sin of the fault filesystem is caught, and a filesystem without one is
# clean. Argument: locklab.
set -euo pipefail

exec "$1" faultfs --matrix --seed="${LOCKLAB_SEED:-1}"
