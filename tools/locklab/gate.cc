// locklab compare, locklab gate: what changed, as a table and as an exit code.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "bench/compare/compare.h"
#include "conformance/store/bench_run.h"
#include "conformance/store/store.h"
#include "tools/locklab/bench_pairs.h"
#include "tools/locklab/bench_samples.h"
#include "tools/locklab/commands.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/gate_series.h"

namespace locklab::cli {
namespace {

using bench::SeriesFile;

// What is compared: two lots of samples, pairs that are taken now, or the
// history of a store.
struct GateFlags {
  std::string base;
  std::string candidate;
  SampleFlags what;
  std::string series;
  uint64_t last = SeriesFlags{}.last;
  std::string since;
  LimitFlags limits;
};

SeriesFile FromStore(const std::string& dir, const std::string& run) {
  store::Store store = store::Store::Open(dir, store::Mode::kRead);
  store.QuickCheck();
  return bench::FromRun(store::LoadBenchRun(&store, run));
}

// A file, or a results store and perhaps a run of it: "results:c927".
SeriesFile Read(const char* flag, const std::string& what) try {
  if (std::filesystem::is_directory(what)) return FromStore(what, "latest");
  const size_t colon = what.rfind(':');
  if (colon != what.npos && !std::filesystem::exists(what) &&
      std::filesystem::is_directory(what.substr(0, colon))) {
    return FromStore(what.substr(0, colon), what.substr(colon + 1));
  }
  return bench::ReadSeries(what);
} catch (const bench::SeriesError& error) {
  throw UsageError(fmt::format("{}: {}", flag, error.what()));
} catch (const store::StoreError& error) {
  if (error.may_pass()) throw;
  throw UsageError(fmt::format("{}={}: {}", flag, what, error.what()));
}

// What of a gate each of its ways needs; exactly one must be asked for.
Exit Gate(const GateFlags& flags, Context& context) {
  const bool files = !flags.base.empty() && !flags.candidate.empty();
  const bool pairs = !flags.what.other.empty() && !flags.what.dir.empty();
  const bool series = !flags.series.empty();
  if (int{files} + int{pairs} + int{series} != 1) {
    throw UsageError(
        "give either --baseline=WHAT and --candidate=WHAT, or --vs=PROGRAM "
        "and --dir=DIR, or --series=DIR");
  }
  if (!series && !flags.since.empty()) {
    throw UsageError("--since is for --series");
  }
  if (pairs) return RunPairs(flags.what, flags.limits, /*gate=*/true, context);
  if (files) {
    return Say(Read("--baseline", flags.base),
               Read("--candidate", flags.candidate), flags.limits,
               /*gate=*/true, context);
  }
  const bench::Limits limits = LimitsOf(flags.limits);
  return GateSeries({.results = flags.series,
                     .last = flags.last,
                     .backends = flags.what.backends,
                     .insist = flags.limits.insist,
                     .json = flags.limits.format == "json",
                     .markdown = flags.limits.markdown,
                     .limits = {.alpha = limits.alpha,
                                .max_regression = limits.max_regression,
                                .since = flags.since}},
                    context);
}

void AddSeries(CLI::App& app, GateFlags* flags) {
  app.add_option("--series", flags->series,
                 "A results store with a history of runs of check or bench "
                 "(--out=DIR): where did a number change, and with which run?")
      ->type_name("DIR");
  AddNumber(app, "--last", &flags->last,
            "With --series: how many of its last runs to look at.", 1, 1000);
  app.add_option("--since", flags->since,
                 "With --series: what got slower before this run is accepted.")
      ->type_name("RUN");
}

}  // namespace

Run SetUpCompare(CLI::App& app, Context& context) {
  auto flags = std::make_shared<GateFlags>();
  app.add_option("BASE", flags->base, "What locklab bench --out left before.")
      ->required();
  app.add_option("CANDIDATE", flags->candidate, "And what it left now.")
      ->required();
  AddLimitFlags(app, &flags->limits);
  AddChoice(app, "--format", &flags->limits.format, {"text", "json"},
            "How to print the result.");
  app.footer(
      "Mann-Whitney's rank test, and a bootstrap interval of the ratio of\n"
      "medians. ~: nothing is shown.\n"
      "Exit codes: 0 compared; 2 usage; 3 nothing is on both sides.");
  return [flags, &context]() -> int {
    return Say(Read("BASE", flags->base), Read("CANDIDATE", flags->candidate),
               flags->limits, /*gate=*/false, context);
  };
}

Run SetUpGate(CLI::App& app, Context& context) {
  auto flags = std::make_shared<GateFlags>();
  app.add_option("--baseline", flags->base,
                 "What locklab bench --out left before: a file, or a results "
                 "store and, if not its last run is meant, a run of it.")
      ->type_name("FILE|DIR[:RUN]");
  app.add_option("--candidate", flags->candidate, "And what it left now.")
      ->type_name("FILE|DIR[:RUN]");
  AddSeries(app, flags.get());
  AddSampleFlags(app, &flags->what);
  AddLimitFlags(app, &flags->limits);
  app.add_flag("--insist", flags->limits.insist,
               "Judge files that were not taken in the same surroundings.");
  AddChoice(app, "--format", &flags->limits.format, {"text", "json"},
            "How to print the result.");
  app.footer(
      "Either --baseline and --candidate, or --vs and --dir, or --series.\n"
      "--series: change points by E-divisive, of each lock and number.\n"
      "Exit codes: 0 no worse; 1 a slow-down is shown and matters, or a lock "
      "is\n"
      "not correct any more; 2 usage; 3 nothing was compared; 5 too few\n"
      "samples or runs, or what the base has is missing.");
  return [flags, &context]() -> int { return Gate(*flags, context); };
}

}  // namespace locklab::cli
