// The setup functions that the table in commands.cc names, one a file.
#ifndef LOCKLAB_TOOLS_LOCKLAB_COMMANDS_H_
#define LOCKLAB_TOOLS_LOCKLAB_COMMANDS_H_

#include "tools/locklab/command.h"

namespace locklab::cli {

Run SetUpBench(CLI::App& app, Context& context);
Run SetUpCheck(CLI::App& app, Context& context);
Run SetUpCompare(CLI::App& app, Context& context);
Run SetUpConformance(CLI::App& app, Context& context);
Run SetUpCrash(CLI::App& app, Context& context);
Run SetUpExec(CLI::App& app, Context& context);
Run SetUpExplain(CLI::App& app, Context& context);
Run SetUpExplore(CLI::App& app, Context& context);
Run SetUpFaultfs(CLI::App& app, Context& context);
Run SetUpGate(CLI::App& app, Context& context);
Run SetUpLab(CLI::App& app, Context& context);
Run SetUpList(CLI::App& app, Context& context);
Run SetUpReport(CLI::App& app, Context& context);
Run SetUpStress(CLI::App& app, Context& context);

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_COMMANDS_H_
