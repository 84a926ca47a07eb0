// Runs a command and stands between it and the world of signals.
#ifndef LOCKLAB_TOOLS_LOCKLAB_SUPERVISE_H_
#define LOCKLAB_TOOLS_LOCKLAB_SUPERVISE_H_

#include <string>
#include <vector>

#include "tools/locklab/signals.h"

namespace locklab::cli {

struct Supervised {
  // The command's exit code; 128 + signal if one killed it; 127 if there is no
  // such command, 126 if it could not be run, as shells have it.
  int code = 0;
  int not_run = 0;  // errno: why it could not be run
};

// Runs `command` (argv, looked up on PATH) and waits for its end. It gets this
// process's standard files and whatever else was inherited, but nothing that
// was opened close-on-exec since.
//
// Signals that reach this process are sent on to the command, except those
// that the terminal has sent to both. When this process is stopped, so is the
// command, and both are continued together. Call signals.Hold() before.
//
// `dies_with_us`: if this process is killed, the kernel kills the command (not
// what the command itself started).
//
// Throws std::system_error if there can be no more processes.
Supervised Supervise(const std::vector<std::string>& command,
                     const Signals& signals, bool dies_with_us);

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_SUPERVISE_H_
