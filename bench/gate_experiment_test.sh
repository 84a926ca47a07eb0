#!/bin/bash
# The gate, judged by samples that were measured on a real machine: their
# numbers never change, so neither does the answer unless the gate does.
set -euo pipefail
experiment=bench/gate_experiment
samples=bench/testdata/gate_samples.txt
scratch="$(mktemp -d "$TEST_TMPDIR/gate-XXXXXX")"

fail() {
  printf 'FAIL: %s\n' "$*" >&2
  exit 1
}

"$experiment" --replay="$samples" ||
  fail "it misses slow-downs of 10 %, or cries about nothing"

# It would have noticed a gate that is blind, where nothing is slower, and one
# that cries, where the same is slower.
awk '$1 == "base" {base[$3] = $0}
     $1 == "slowed" {line = base[$3]; sub(/^base/, "slowed", line); $0 = line}
     {print}' "$samples" >"$scratch/blind.txt"
awk '$1 == "same" {count++; same[count] = $0; next}
     $1 == "slowed" {line = $0; sub(/^slowed/, "same", line)
                     lines[$3] = $0; print_same[$3] = line
                     if ($3 == "over-floor") {
                       print print_same["uncontended"]
                       print print_same["over-floor"]
                       print lines["uncontended"]
                       print lines["over-floor"]
                     }
                     next}
     {print}' "$samples" >"$scratch/cries.txt"
for wrong in blind cries; do
  code=0
  "$experiment" --replay="$scratch/$wrong.txt" >"$scratch/out" || code=$?
  ((code == 1)) || fail "$wrong: exit code $code"
  grep -q '^FAILED' "$scratch/out" || fail "$wrong: $(cat "$scratch/out")"
done

# A short one of its own: it runs, tells its seed, and keeps its samples. What
# it finds in so few is not asked.
"$experiment" --dir="$scratch" --runs=1 --samples=2 --each-ms=1 --seed=7 \
  --save="$scratch/saved.txt" >"$scratch/out" || (($? == 1))
grep -q '^seed 7: link' "$scratch/out" || fail "no seed"
[[ $(grep -c . "$scratch/saved.txt") == 6 ]] || fail "samples are missing"

for bad in --runs=0 --colour --samples=x; do
  code=0
  "$experiment" "$bad" 2>/dev/null || code=$?
  ((code == 2)) || fail "$bad: exit code $code"
done
