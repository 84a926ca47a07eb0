// The setup functions that the table in commands.cc names, one a file:
// `Run SetUpCheck(CLI::App& app, Context& context);` stands in check.cc.
#ifndef LOCKLAB_TOOLS_LOCKLAB_COMMANDS_H_
#define LOCKLAB_TOOLS_LOCKLAB_COMMANDS_H_

#include "tools/locklab/command.h"

namespace locklab::cli {}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_COMMANDS_H_
