# Sourced by the scripts beside it, which set kRoot to the workspace.
# shellcheck shell=bash

# Bazel refuses to start without a home, which bare containers do not set.
export HOME="${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}"

# Runs Bazel in the workspace: errors only, and a progress line on a terminal.
# LOCKLAB_CONFIG: the config of .bazelrc that all is built with.
bazel_quietly() {  # COMMAND ARGUMENT...
  local command="$1"
  shift
  local -a flags=("--ui_event_filters=-info,-debug")
  [[ -t 2 ]] || flags+=("--noshow_progress")
  [[ -z "${LOCKLAB_CONFIG:-}" ]] || flags+=("--config=$LOCKLAB_CONFIG")
  (cd "${kRoot:?}" && bazel "$command" "${flags[@]}" "$@")
}
