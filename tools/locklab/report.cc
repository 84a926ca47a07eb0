// locklab report: what the results store knows of runs that were made.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "conformance/report/json.h"
#include "conformance/report/text.h"
#include "conformance/store/store.h"
#include "tools/locklab/commands.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/terminal.h"

namespace locklab::cli {
namespace {

using Json = nlohmann::ordered_json;
using store::RunSummary;

struct Flags {
  std::string results;
  std::string run = "latest";
  std::string format = "text";
  bool list = false;
};

// The shortest beginnings that tell all runs apart, at least eight digits.
size_t PrefixLength(const std::vector<RunSummary>& runs) {
  std::vector<std::string> ids;
  for (const RunSummary& run : runs) ids.push_back(run.run_id);
  std::sort(ids.begin(), ids.end());
  size_t length = 8;
  for (size_t i = 1; i < ids.size(); ++i) {
    const auto [a, b] = std::mismatch(ids[i - 1].begin(), ids[i - 1].end(),
                                      ids[i].begin(), ids[i].end());
    length = std::max(length, static_cast<size_t>(b - ids[i].begin()) + 1);
  }
  return length;
}

// "7 safe, 2 unsafe"; what else there is to say of a run that has no verdict.
std::string VerdictsOf(const RunSummary& run) {
  std::string out;
  const auto add = [&out](int count, const char* what) {
    if (count == 0) return;
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count, what);
  };
  add(run.safe, "safe");
  add(run.unsafe, "unsafe");
  add(run.unsupported, "unsupported");
  add(run.inconclusive, "inconclusive");
  return out.empty() ? "-" : out;
}

std::string StateOf(const RunSummary& run) {
  const std::string state(RunStateName(run.state));
  return run.exit_code ? fmt::format("{} ({})", state, *run.exit_code) : state;
}

void PrintListAsText(const std::vector<RunSummary>& runs, std::ostream& out) {
  const size_t length = PrefixLength(runs);
  fmt::print(out, "{:<{}}  {:<20}  {:<12}  {}\n", "run", length, "started",
             "state (exit)", "verdicts, directory, seed");
  for (const RunSummary& run : runs) {
    fmt::print(out, "{:<{}}  {:<20}  {:<12}  {} on {} ({}), seed {}\n",
               run.run_id.substr(0, length), length, run.started, StateOf(run),
               VerdictsOf(run), run.dir, run.filesystem, run.seed);
  }
}

Json JsonOf(const RunSummary& run) {
  return {{"run_id", run.run_id},
          {"state", std::string(RunStateName(run.state))},
          {"suite_version", run.suite_version},
          {"dir", run.dir},
          {"filesystem", run.filesystem},
          {"profile", run.profile},
          {"host", run.host},
          {"seed", run.seed},
          {"started", run.started},
          {"duration_s", run.duration_s},
          {"cut_short", run.cut_short},
          {"exit_code", run.exit_code ? Json(*run.exit_code) : Json()},
          {"verdicts",
           {{"safe", run.safe},
            {"unsafe", run.unsafe},
            {"unsupported", run.unsupported},
            {"inconclusive", run.inconclusive}}}};
}

void PrintListAsJson(const std::vector<RunSummary>& runs, std::ostream& out) {
  Json array = Json::array();
  for (const RunSummary& run : runs) array.push_back(JsonOf(run));
  const Json document = {{"schema_version", 1}, {"runs", std::move(array)}};
  out << document.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

int List(const Flags& flags, store::Store* store, Context& context) {
  const std::vector<RunSummary> runs = store::ListRuns(store);
  if (flags.format == "json") {
    PrintListAsJson(runs, context.out.stream);
  } else if (!runs.empty()) {
    PrintListAsText(runs, context.out.stream);
  }
  if (runs.empty()) {
    fmt::print(context.err.stream,
               "locklab: the results store of {} has no runs yet\n",
               flags.results);
    return kExitNothingRan;
  }
  return kExitOk;
}

int Print(const Flags& flags, store::Store* store, Context& context) {
  const report::RunReport report = store::LoadRun(store, flags.run);
  if (flags.format == "json") {
    context.out.stream << report::ToJson(report);
  } else {
    context.out.stream << report::ToText(
        report, {.width = WidthOf(context.out), .color = context.out.color});
  }
  return kExitOk;
}

int Report(const Flags& flags, Context& context) try {
  store::Store store = store::Store::Open(flags.results, store::Mode::kRead);
  // A report of damaged data would be believed.
  store.QuickCheck();
  return flags.list ? List(flags, &store, context)
                    : Print(flags, &store, context);
} catch (const store::StoreError& error) {
  if (error.may_pass()) throw;
  throw UsageError(
      fmt::format("--results={}: {}", flags.results, error.what()));
}

}  // namespace

Run SetUpReport(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  app.add_option("--results", flags->results,
                 "The directory that locklab check --out=DIR wrote to.")
      ->type_name("DIR")
      ->required();
  app.add_flag("--list", flags->list, "List the runs that are in it.");
  app.add_option("--run", flags->run,
                 "The run to report: its id, or as much of its beginning as "
                 "tells it from the others, or latest.")
      ->type_name("ID")
      ->default_str(flags->run);
  AddChoice(app, "--format", &flags->format, {"text", "json"},
            "How to print it.");
  app.footer(
      "Exit codes: 0 it was reported, whatever the verdict (see exit_code in\n"
      "the JSON); 1 the store cannot be read now; 2 usage, or there is no "
      "such\n"
      "run, or no sound store; 3 there are no runs to list.");
  return [flags, &context] { return Report(*flags, context); };
}

}  // namespace locklab::cli
