// Runs locklab as its users do, for tests: as a program, by its exit code and
// its output.
#ifndef LOCKLAB_TOOLS_LOCKLAB_PROGRAM_H_
#define LOCKLAB_TOOLS_LOCKLAB_PROGRAM_H_

#include <string>
#include <vector>

#include "conformance/proc/program.h"

namespace locklab::cli {

using proc::Ended;
using proc::Program;
using proc::ReadWhole;

// The program under test, and a whole run of it.
[[nodiscard]] std::vector<std::string> LocklabArgv(
    const std::vector<std::string>& args);
[[nodiscard]] Ended RunLocklab(const std::vector<std::string>& args);

// Waits until no process is left that was told about --dir=`dir` on its
// command line, a run and all that it forked. False: some are.
[[nodiscard]] bool NobodyIsOn(const std::string& dir);

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_PROGRAM_H_
