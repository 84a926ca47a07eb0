// locklab check: the main job. Which locks can be relied on in a directory?
#include <fmt/format.h>
#include <fmt/ostream.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <random>
#include <regex>
#include <string>
#include <vector>

#include "conformance/proc/interrupts.h"
#include "conformance/report/json.h"
#include "conformance/report/report.h"
#include "conformance/report/text.h"
#include "conformance/report/write_file.h"
#include "tools/locklab/check/directory.h"
#include "tools/locklab/check/survey.h"
#include "tools/locklab/commands.h"
#include "tools/locklab/flags.h"

namespace locklab::cli {
namespace {

struct Flags {
  std::string dir;
  std::string backends;
  std::string profile = "quick";
  std::string format = "text";
  std::string filter;
  std::string out;
  uint64_t seed = std::random_device{}();
  bool keep = false;
};

std::vector<const lockfile::BackendRow*> Chosen(const std::string& list) {
  std::vector<const lockfile::BackendRow*> chosen;
  std::vector<std::string_view> names;
  for (const auto& row : lockfile::Backends()) names.push_back(row.name);
  if (list.empty()) {
    for (const auto& row : lockfile::Backends()) chosen.push_back(&row);
    return chosen;
  }
  for (const std::string& name : ParseList("--backend", list)) {
    const auto* row =
        lockfile::FindBackend(ParseChoice("--backend", name, names));
    if (std::find(chosen.begin(), chosen.end(), row) == chosen.end()) {
      chosen.push_back(row);
    }
  }
  return chosen;
}

std::vector<const Claim*> Filtered(const std::string& filter) {
  std::vector<const Claim*> claims;
  try {
    const std::regex wanted(filter);
    for (const Claim& claim : Claims()) {
      const std::string id(claim.id);
      if (std::regex_search(id, wanted)) claims.push_back(&claim);
    }
  } catch (const std::regex_error& error) {
    throw UsageError(fmt::format("--filter={} is no regular expression: {}",
                                 filter, error.what()));
  }
  return claims;
}

check::SurveyPlan PlanOf(const Flags& flags, const Context& context) {
  check::SurveyPlan plan;
  plan.backends = Chosen(flags.backends);
  plan.claims = Filtered(flags.filter);
  plan.whole = flags.filter.empty();
  plan.quick = flags.profile == "quick";
  plan.seed = flags.seed;
  plan.keep = flags.keep;
  plan.command_line = context.command_line;
  plan.dir = check::UsableDirectory(flags.dir);
  if (!flags.out.empty()) plan.out = check::ResultsDirectory(flags.out);
  return plan;
}

int TerminalWidth() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
    return 80;
  }
  return std::max<int>(size.ws_col, 40);
}

void Print(const report::RunReport& report, const Flags& flags,
           Context& context) {
  if (flags.format == "json") {
    context.out.stream << report::ToJson(report);
    return;
  }
  const int width = context.out.terminal ? TerminalWidth() : 80;
  context.out.stream << "\n"
                     << report::ToText(report, {.width = width,
                                                .color = context.out.color});
}

int Check(const Flags& flags, Context& context) {
  const check::SurveyPlan plan = PlanOf(flags, context);
  if (plan.claims.empty()) {
    fmt::print(context.err.stream,
               "locklab: --filter={} matches no claim, so nothing was examined "
               "(see locklab list claims)\n",
               flags.filter);
    return kExitNothingRan;
  }
  if (flags.format == "text") {
    fmt::print(context.out.stream, "seed {}: locklab {} examines {}\n",
               plan.seed, kSuiteVersion, plan.dir);
    context.out.stream.flush();
  }
  report::RunReport report;
  {
    const proc::Interrupts interrupts;
    check::Progress progress(context.err);
    report = check::Survey(plan, &progress);
    // The report says it, and the exit code.
    proc::Interrupts::Take();
  }
  Print(report, flags, context);
  int code = report::ExitCodeOf(report);
  if (!plan.out.empty()) {
    const std::string error =
        report::WriteFile(plan.out + "/report.json", report::ToJson(report));
    if (!error.empty()) {
      fmt::print(context.err.stream, "locklab: {}\n", error);
      if (code == kExitOk) code = kExitFailed;
    }
  }
  return code;
}

}  // namespace

Run SetUpCheck(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  app.add_option("--dir", flags->dir,
                 "The directory to examine. A scratch directory is made in it "
                 "and removed again.")
      ->type_name("DIR")
      ->required();
  app.add_option("--backend", flags->backends,
                 "The locks to examine, separated by commas: " +
                     lockfile::BackendNames() + ". Default: all.")
      ->type_name("LIST");
  AddChoice(app, "--profile", &flags->profile, {"quick", "full"},
            "How long to look: quick is half a minute, full several.");
  AddChoice(app, "--format", &flags->format, {"text", "json"},
            "How to print the result.");
  AddNumber(app, "--seed", &flags->seed,
            "What all randomness is made from. Default: another each time.");
  app.add_option("--filter", flags->filter,
                 "Only claims whose id this regular expression is found in.")
      ->type_name("REGEX");
  app.add_option("--out", flags->out,
                 "Leave report.json and the histories in this directory.")
      ->type_name("DIR");
  app.add_flag("--keep", flags->keep,
               "Leave the scratch directory for inspection.");
  app.footer(
      "Exit codes: 0 every lock that the directory supports is safe; 1 a lock\n"
      "is unsafe; 2 usage, or the directory cannot be examined; 3 nothing was\n"
      "examined; 5 something could not be told, also after SIGINT or SIGTERM.");
  return [flags, &context] { return Check(*flags, context); };
}

}  // namespace locklab::cli
