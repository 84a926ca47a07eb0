// What a subcommand of locklab is. To add one: a file with a setup function,
// a declaration below, and a row in commands.cc.
#ifndef LOCKLAB_TOOLS_LOCKLAB_COMMAND_H_
#define LOCKLAB_TOOLS_LOCKLAB_COMMAND_H_

#include <functional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/verdict/exit.h"

namespace CLI {
class App;
}  // namespace CLI

namespace locklab::cli {

// The version of the program, the claims and the judge together: a verdict is
// comparable only with one of the same suite.
inline constexpr std::string_view kSuiteVersion = "0.1.0";

// An output stream and what may be done with it.
struct Console {
  std::ostream& stream;
  bool terminal = false;  // a person reads it: progress lines are welcome
  bool color = false;     // terminal, and neither NO_COLOR nor TERM=dumb
};

// What a subcommand gets besides its flags.
struct Context {
  Console& out;  // results, and nothing else with --format=json
  Console& err;  // progress and messages
  // The whole command line, quoted for a shell: for headers and replays.
  std::string command_line;
  // The flags as they were typed, without the subcommand and what followed
  // "--".
  std::vector<std::string> args = {};
  // What followed "--"; only for rows that take it.
  std::vector<std::string> rest;
};

// Does the work; returns an Exit (`exec`: or the exit code of its command). May
// throw UsageError (flags.h), which ends as one line and exit 2; any other
// exception ends as one line and exit 1.
using Run = std::function<int()>;

struct CommandRow {
  std::string_view name;
  std::string_view doc;  // one line
  // Declares flags on `app` and returns what to do once they are parsed.
  // `context` outlives both. Called only if this subcommand was named.
  Run (*setup)(CLI::App& app, Context& context);
  // What follows "--", for the usage line; empty: "--" is refused.
  std::string_view rest = "";
};

// THE TABLE.
[[nodiscard]] std::span<const CommandRow> Commands();

// Runs the subcommand that `args` (without the program's name) names; returns
// the exit code. Never throws.
int Main(std::span<const CommandRow> table,
         const std::vector<std::string>& args, Console& out, Console& err);

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_COMMAND_H_
