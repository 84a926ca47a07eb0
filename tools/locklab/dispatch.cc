// From a command line to a subcommand, and from what went wrong to one line.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <iterator>
#include <memory>
#include <utility>

#include "tools/locklab/command.h"
#include "tools/locklab/flags.h"

namespace locklab::cli {
namespace {

constexpr std::string_view kAbout =
    "locklab proves and measures lock files on any directory.";

// "--key=VALUE", as the flags are documented everywhere else.
class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(std::string_view rest) : rest_(rest) {
    column_width(34);
  }

  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string usage = CLI::Formatter::make_usage(app, std::move(name));
    while (!usage.empty() && usage.back() == '\n') usage.pop_back();
    return usage + (rest_.empty() ? "\n" : fmt::format(" -- {}\n", rest_));
  }

  std::string make_option_opts(const CLI::Option* option) const override {
    if (option->get_type_size() == 0) return "";
    const bool positional = !option->nonpositional();
    std::string text = positional || option->get_type_name().empty()
                           ? ""
                           : "=" + option->get_type_name();
    if (!option->get_default_str().empty()) {
      text += " [" + option->get_default_str() + "]";
    }
    if (option->get_required() && !positional) text += " (required)";
    return text;
  }

 private:
  std::string_view rest_;
};

std::string QuoteAll(const std::vector<std::string>& args) {
  std::string line = "locklab";
  for (const std::string& arg : args) line += " " + ShellQuote(arg);
  return line;
}

int Usage(Console& err, std::string_view message, std::string_view program) {
  fmt::print(err.stream, "locklab: {} (see {} --help)\n", message, program);
  return kExitUsage;
}

void PrintHelp(std::span<const CommandRow> table, std::ostream& out) {
  fmt::print(out,
             "{}\n\n"
             "Usage: locklab COMMAND [--key=value ...]\n"
             "       locklab COMMAND --help\n"
             "       locklab --version\n\n"
             "Commands:\n",
             kAbout);
  for (const CommandRow& row : table) {
    fmt::print(out, "  {:<12} {}\n", row.name, row.doc);
  }
  fmt::print(out,
             "\nExit codes: 0 all as expected, 1 something failed, 2 usage,\n"
             "3 nothing ran, 4 a required feature is missing, 5 inconclusive.\n"
             "(exec: those of its command; see locklab exec --help.)\n");
}

std::vector<std::string_view> FlagNames(const CLI::App& app,
                                        std::vector<std::string>* storage) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      storage->push_back("--" + name);
    }
  }
  return {storage->begin(), storage->end()};
}

// What the parser did not understand, in words that help; empty: nothing.
std::string Unknown(const CLI::App& app, std::string_view rest) {
  const std::vector<std::string> left = app.remaining();
  const auto flag = std::find_if(
      left.begin(), left.end(),
      [](const std::string& arg) { return arg.size() > 1 && arg[0] == '-'; });
  if (flag == left.end()) {
    if (left.empty()) return "";
    return fmt::format(
        "unexpected argument {}{}", ShellQuote(left.front()),
        rest.empty() ? "" : fmt::format("; {} follows --", rest));
  }
  std::vector<std::string> storage;
  const std::string name = flag->substr(0, flag->find('='));
  return fmt::format("unknown flag {}{}", name,
                     DidYouMean(name, FlagNames(app, &storage)));
}

// CLI11 would take the next argument for the missing value.
void RefuseEmptyValues(const std::vector<std::string>& args) {
  for (const std::string& arg : args) {
    if (arg.size() > 3 && arg.starts_with("--") && arg.back() == '=' &&
        arg.find('=') == arg.size() - 1) {
      throw UsageError(fmt::format("{} has no value", arg));
    }
  }
}

// Returns the code to end with at once, or -1 to go on.
int Parse(CLI::App& app, std::vector<std::string> args, std::string_view rest,
          Console& out) {
  RefuseEmptyValues(args);
  std::reverse(args.begin(), args.end());  // as CLI11 wants them
  try {
    app.parse(args);
  } catch (const CLI::CallForHelp&) {
    out.stream << app.help();
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    const std::string unknown = Unknown(app, rest);
    throw UsageError(unknown.empty() ? error.what() : unknown);
  }
  return -1;
}

int RunCommand(const CommandRow& row, std::vector<std::string> args,
               Context& context) {
  const auto dashes = std::find(args.begin(), args.end(), "--");
  if (dashes != args.end()) {
    if (row.rest.empty()) throw UsageError("unexpected argument --");
    context.rest.assign(std::next(dashes), args.end());
    args.erase(dashes, args.end());
  }
  context.args = args;
  CLI::App app(std::string(row.doc), fmt::format("locklab {}", row.name));
  app.set_help_flag("-h,--help", "Print this and exit.");
  app.formatter(std::make_shared<HelpFormatter>(row.rest));
  const Run run = row.setup(app, context);
  const int code = Parse(app, std::move(args), row.rest, context.out);
  return code >= 0 ? code : run();
}

const CommandRow& Find(std::span<const CommandRow> table,
                       const std::string& name) {
  std::vector<std::string_view> names;
  for (const CommandRow& row : table) {
    if (row.name == name) return row;
    names.push_back(row.name);
  }
  const char* what = name.starts_with("-") ? "flag" : "command";
  throw UsageError(
      fmt::format("unknown {} {}{}", what, name, DidYouMean(name, names)));
}

// An answer that nobody could read is not an answer.
int Flush(int code, Console& out, Console& err) {
  out.stream.flush();
  if (out.stream.good()) return code;
  fmt::print(err.stream,
             "locklab: cannot write the output: is the disk full "
             "or the reader gone?\n");
  return code == kExitOk ? kExitFailed : code;
}

int Dispatch(std::span<const CommandRow> table,
             const std::vector<std::string>& args, Console& out, Console& err) {
  if (args.empty()) {
    PrintHelp(table, err.stream);
    return kExitUsage;
  }
  if (args[0] == "--help" || args[0] == "-h" || args[0] == "help") {
    PrintHelp(table, out.stream);
    return kExitOk;
  }
  if (args[0] == "--version") {
    fmt::print(out.stream, "locklab {}\n", kSuiteVersion);
    return kExitOk;
  }
  std::string program = "locklab";
  try {
    const CommandRow& row = Find(table, args[0]);
    program = fmt::format("locklab {}", row.name);
    Context context{out, err, QuoteAll(args), {}, {}};
    return RunCommand(row, {std::next(args.begin()), args.end()}, context);
  } catch (const UsageError& error) {
    return Usage(err, error.what(), program);
  }
}

}  // namespace

int Main(std::span<const CommandRow> table,
         const std::vector<std::string>& args, Console& out, Console& err) {
  try {
    return Flush(Dispatch(table, args, out, err), out, err);
  } catch (const std::exception& error) {
    fmt::print(err.stream, "locklab: {}\n", error.what());
  } catch (...) {
    fmt::print(err.stream, "locklab: unknown error\n");
  }
  return kExitFailed;
}

}  // namespace locklab::cli
