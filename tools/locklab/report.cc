// locklab report: what the results store knows of runs that were made.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "conformance/bundle/bundle.h"
#include "conformance/report/json.h"
#include "conformance/report/matrix.h"
#include "conformance/report/text.h"
#include "conformance/store/store.h"
#include "tools/locklab/bundles.h"
#include "tools/locklab/commands.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/formats.h"
#include "tools/locklab/pages.h"
#include "tools/locklab/terminal.h"
#include "tools/locklab/traces.h"

namespace locklab::cli {
namespace {

using Json = nlohmann::ordered_json;
using store::RunSummary;

constexpr std::string_view kLatest = "latest";

struct Flags {
  std::vector<std::string> stores;
  std::string results;  // the only one, but for --html
  std::string run;
  std::string format = "text";
  bool list = false;
  bool matrix = false;
  ReportFiles files;
  TraceFile trace;
  HtmlPageFile html;
  std::string bundle;
  std::string verify;
  bool schema = false;
};

// Asks for a file of a run, of whatever kind.
bool WantsFiles(const Flags& flags) {
  return !flags.files.empty() || !flags.bundle.empty() || flags.trace.wanted();
}

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
    const std::string where =
        run.variant.empty() ? fmt::format("{} ({})", run.dir, run.filesystem)
                            : run.variant;
    fmt::print(out, "{:<{}}  {:<20}  {:<12}  {} on {}, seed {}\n",
               run.run_id.substr(0, length), length, run.started, StateOf(run),
               VerdictsOf(run), where, run.seed);
  }
}

Json JsonOf(const RunSummary& run) {
  return {{"run_id", run.run_id},
          {"state", std::string(RunStateName(run.state))},
          {"suite_version", run.suite_version},
          {"dir", run.dir},
          {"filesystem", run.filesystem},
          {"variant", run.variant},
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

int NoRuns(const Flags& flags, Context& context) {
  fmt::print(context.err.stream,
             "locklab: the results store of {} has no runs yet\n",
             flags.results);
  return kExitNothingRan;
}

int List(const Flags& flags, store::Store* store, Context& context) {
  const std::vector<RunSummary> runs = store::ListRuns(store);
  if (flags.format == "json") {
    PrintListAsJson(runs, context.out.stream);
  } else if (!runs.empty()) {
    PrintListAsText(runs, context.out.stream);
  }
  return runs.empty() ? NoRuns(flags, context) : int{kExitOk};
}

int Matrix(const Flags& flags, store::Store* store, Context& context) {
  std::vector<report::RunReport> reports;
  for (const RunSummary& run : store::ListRuns(store)) {
    reports.push_back(store::LoadRun(store, run.run_id));
  }
  reports = report::LatestOfEach(std::move(reports));
  std::ostream& out = context.out.stream;
  if (flags.format == "json") {
    out << report::MatrixJson(reports);
  } else if (flags.format == "markdown") {
    out << report::MatrixMarkdown(reports);
  } else {
    out << report::MatrixText(
        reports, {.width = WidthOf(context.out), .color = context.out.color});
  }
  return reports.empty() ? NoRuns(flags, context) : int{kExitOk};
}

void Print(const Flags& flags, const report::RunReport& report,
           Context& context) {
  if (flags.format == "json") {
    context.out.stream << report::ToJson(report);
  } else {
    context.out.stream << report::ToText(
        report, {.width = WidthOf(context.out), .color = context.out.color});
  }
}

bool PackBundle(const Flags& flags, const report::RunReport& report,
                Context& context) {
  try {
    bundle::WriteBundle(
        report, store::RunDirectory(flags.results, report.context.run_id),
        flags.bundle);
    return true;
  } catch (const bundle::BundleError& error) {
    fmt::print(context.err.stream, "locklab: --bundle={}: {}\n", flags.bundle,
               error.what());
    return false;
  }
}

// Into files, or else to whoever looks.
int Show(const Flags& flags, store::Store* store, Context& context) {
  const report::RunReport report =
      store::LoadRun(store, flags.run.empty() ? kLatest : flags.run);
  if (!WantsFiles(flags)) {
    Print(flags, report, context);
    return kExitOk;
  }
  bool all = flags.files.Write(report, context);
  if (!flags.bundle.empty()) all &= PackBundle(flags, report, context);
  if (flags.trace.wanted()) {
    const std::string run =
        store::RunDirectory(flags.results, report.context.run_id);
    all &= flags.trace.Write(report, run + "/history", context);
  }
  return all ? kExitOk : kExitFailed;
}

// What needs no store.
bool StandsAlone(const Flags& flags) {
  const int alone = (flags.schema ? 1 : 0) + (flags.verify.empty() ? 0 : 1);
  const bool others =
      !flags.stores.empty() || WantsFiles(flags) || flags.html.wanted;
  if (alone > 1 || (alone > 0 && (others || flags.list || flags.matrix))) {
    throw UsageError(fmt::format("{} goes with no flag but --format",
                                 flags.schema ? "--schema" : "--verify"));
  }
  if (alone == 0 && flags.stores.empty() && !flags.html.wanted) {
    throw UsageError("--results is required");
  }
  if (flags.stores.size() > 1 && !flags.html.wanted) {
    throw UsageError("several --results are for --html: name one");
  }
  if ((flags.list || flags.matrix) && WantsFiles(flags)) {
    throw UsageError(fmt::format(
        "{} writes no reports of runs: name one with --run=ID instead",
        flags.list ? "--list" : "--matrix"));
  }
  if (flags.list && flags.matrix) {
    throw UsageError("--list and --matrix: one of them");
  }
  if (flags.format == "markdown" && !flags.matrix) {
    throw UsageError(
        "--format=markdown is for --matrix: of a run it is --markdown=FILE");
  }
  return alone > 0;
}

int Alone(const Flags& flags, Context& context) {
  if (flags.verify.empty()) {
    context.out.stream << report::JsonSchema();
    return kExitOk;
  }
  return VerifyBundle(flags.verify, flags.format == "json", context);
}

// The page goes with no other report: those are of one run.
int Page(const Flags& flags, Context& context) {
  if (flags.list || flags.matrix || WantsFiles(flags)) {
    throw UsageError(
        "--html writes a page of many runs, and nothing else: write other "
        "reports by a command of their own");
  }
  return WritePage(flags.html, flags.stores, flags.run, context);
}

int Report(const Flags& flags, Context& context) try {
  CheckPage(flags.html);
  if (StandsAlone(flags)) return Alone(flags, context);
  if (flags.html.wanted) return Page(flags, context);
  flags.files.Check(flags.format);
  if (!flags.bundle.empty()) flags.files.CheckOther("--bundle", flags.bundle);
  flags.trace.Check(flags.files);
  store::Store store = store::Store::Open(flags.results, store::Mode::kRead);
  // A report of damaged data would be believed.
  store.QuickCheck();
  if (flags.list) return List(flags, &store, context);
  if (flags.matrix) return Matrix(flags, &store, context);
  return Show(flags, &store, context);
} catch (const store::StoreError& error) {
  if (error.may_pass()) throw;
  throw UsageError(
      fmt::format("--results={}: {}", flags.results, error.what()));
}

void AddPage(CLI::App& app, HtmlPageFile* page) {
  app.add_option_function<std::string>(
         "--html",
         [page](const std::string& path) {
           page->wanted = true;
           page->path = path.empty() ? kUsualPage : path;
         },
         fmt::format("Write one page of all runs (or of --run) and of what "
                     "the FILEs hold, to look at with a browser, without a "
                     "network. Default: {}.",
                     kUsualPage))
      ->expected(0, 1)
      ->type_name("PAGE");
  app.add_option("FILE", page->data,
                 "With --html: what check, lab run, stress, crash, explore or "
                 "faultfs --matrix printed with --format=json, and samples of "
                 "bench.");
}

}  // namespace

Run SetUpReport(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  app.add_option("--results", flags->stores,
                 "The directory that locklab check --out=DIR wrote to; for "
                 "--html any number of them.")
      ->type_name("DIR")
      ->allow_extra_args(false);
  app.add_flag("--list", flags->list, "List the runs that are in it.");
  app.add_flag(
      "--matrix", flags->matrix,
      "One table of all: which lock is worth what on which filesystem, "
      "by the last whole run on each, and which to use.");
  app.add_option("--run", flags->run,
                 "The run to report: its id, or as much of its beginning as "
                 "tells it from the others, or latest.")
      ->type_name("ID")
      ->default_str(std::string(kLatest));
  AddChoice(app, "--format", &flags->format, {"text", "json", "markdown"},
            "How to print it; markdown for --matrix.");
  flags->files.Declare(app);
  flags->trace.Declare(app);
  AddPage(app, &flags->html);
  app.add_option("--bundle", flags->bundle,
                 "Pack the report and the histories it stands on into one "
                 "file (tar.gz), so that others can verify it.")
      ->type_name("FILE");
  app.add_option("--verify", flags->verify,
                 "Judge the bundle in this file again: do its verdicts follow "
                 "from what it holds?")
      ->type_name("FILE");
  app.add_flag("--schema", flags->schema,
               "Print the JSON Schema of the JSON report.");
  app.footer(
      "Exit codes: 0 it was reported, whatever the verdict (see exit_code in\n"
      "the JSON), or the verdicts of the bundle follow; 1 they do not, or the\n"
      "store cannot be read now, or a file cannot be written; 2 usage, or\n"
      "there is no such run, no sound store, no bundle; 3 there are no runs "
      "to\n"
      "list or to show.");
  return [flags, &context] {
    if (!flags->stores.empty()) flags->results = flags->stores.front();
    return Report(*flags, context);
  };
}

}  // namespace locklab::cli
