# Reads a test's log; prints the output of the GoogleTest cases that failed or
# never ended, or the last lines of any other log.

function keep(line) {
  tail[NR % 60] = line
}

{ keep($0) }

/^\[ RUN      \]/ { block = ""; inside = 1 }
inside { block = block $0 "\n" }
/^\[(       OK |  SKIPPED )\]/ { inside = 0 }
/^\[  FAILED  \].* ms\)$/ && inside { printf "%s", block; inside = 0; found = 1 }

END {
  if (inside) {
    printf "%s", block
  } else if (!found) {
    for (i = NR > 60 ? NR - 59 : 1; i <= NR; i++) print tail[i % 60]
  }
}
