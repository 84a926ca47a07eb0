# Reads a test's log; prints the output of the GoogleTest cases that failed or
# never ended, or the last lines of any other log.

# Bazel's own header of a log.
NR <= 3 && /^(exec \$\{PAGER|Executing tests from|-----)/ { next }

{ tail[++lines % 60] = $0 }

/^\[ RUN      \]/ { block = ""; inside = 1 }
inside { block = block $0 "\n" }
/\[(       OK |  SKIPPED )\]/ { inside = 0 }
/\[  FAILED  \].* ms\)$/ && inside { printf "%s", block; inside = 0; found = 1 }

END {
  if (inside) {
    printf "%s", block
  } else if (!found) {
    for (i = lines > 60 ? lines - 59 : 1; i <= lines; i++) print tail[i % 60]
  }
}
