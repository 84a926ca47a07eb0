// locklab bench: what locks cost, alone or by turns with another build.
// locklab compare, locklab gate: what changed, as a table and as an exit code.
#include <fmt/format.h>
#include <fmt/ostream.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bench/compare/compare.h"
#include "bench/measure/measure.h"
#include "conformance/history/histogram.h"
#include "conformance/proc/exec.h"
#include "conformance/proc/interrupts.h"
#include "conformance/proc/program.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/report/text.h"
#include "conformance/report/write_file.h"
#include "conformance/store/bench_run.h"
#include "conformance/store/run_writer.h"
#include "conformance/store/store.h"
#include "tools/locklab/check/directory.h"
#include "tools/locklab/check/environment.h"
#include "tools/locklab/check/progress.h"
#include "tools/locklab/commands.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/gate_series.h"
#include "tools/locklab/subjects.h"
#include "tools/locklab/terminal.h"

namespace locklab::cli {
namespace {

using bench::Compared;
using bench::Experiment;
using bench::SeriesFile;

struct Flags {
  // What is measured.
  std::string dir;
  std::string backends;
  std::string experiments;
  std::string profile = "quick";
  std::string other;  // --vs
  uint64_t samples = stats::kFewestSamples;
  uint64_t seed = std::random_device{}() >> 1;
  std::string variant;
  std::string out;
  std::string out_base;
  // What is compared.
  std::string base;
  std::string candidate;
  std::string series;  // or the history of a store
  uint64_t last = SeriesFlags{}.last;
  std::string since;
  double max_regression = 5;  // %
  double alpha = 0.01;
  bool insist = false;
  std::string markdown;
  std::string format = "text";
};

// --- taking samples ---------------------------------------------------------

std::vector<const Experiment*> ParseExperiments(const Flags& flags) {
  const std::string& list = flags.experiments;
  const bool full = flags.profile == "full";
  std::vector<std::string_view> names;
  std::vector<const Experiment*> chosen;
  for (const Experiment& each : bench::Experiments()) {
    names.push_back(each.name);
    if (list.empty() && (each.usual || full)) chosen.push_back(&each);
  }
  if (list.empty()) return chosen;
  for (const std::string& word : ParseList("--experiment", list)) {
    const auto name = ParseChoice("--experiment", word, names);
    chosen.push_back(&*std::find_if(
        bench::Experiments().begin(), bench::Experiments().end(),
        [name](const Experiment& each) { return each.name == name; }));
  }
  return chosen;
}

report::Context ContextOf(const std::string& dir, const Flags& flags,
                          const Context& context) {
  report::Context where = check::Environment(dir);
  where.run_id = check::NewRunId();
  where.seed = flags.seed;
  where.command_line = context.command_line;
  where.variant = flags.variant;
  return where;
}

bench::Correctness& LockOf(SeriesFile* file, const std::string& backend) {
  for (bench::Correctness& lock : file->locks) {
    if (lock.backend == backend) return lock;
  }
  file->locks.push_back({.backend = backend, .verdict = "pass", .reason = ""});
  return file->locks.back();
}

void AddBuckets(const bench::Series& series, history::Histogram* all) {
  for (const auto& [value, count] : series.buckets) all->Add(value, count);
}

// What has been seen so far and `more`, as one distribution.
void AddTo(bench::Series* series, const history::Histogram& more) {
  if (more.count() == 0) return;
  history::Histogram all = more;
  AddBuckets(*series, &all);
  series->buckets.clear();
  all.ForEach([series](int64_t value, int64_t count) {
    series->buckets.emplace_back(value, count);
  });
}

void Keep(const std::string& backend, const Experiment& experiment,
          const bench::Sample& sample, SeriesFile* file) {
  bench::Correctness& lock = LockOf(file, backend);
  if (sample.correct.verdict == Verdict::kFail) {
    lock.verdict = "fail";
    lock.reason = fmt::format("{}: {}", experiment.name, sample.correct.reason);
  } else if (!sample.trouble.empty() && lock.verdict == "pass") {
    lock.verdict = "inconclusive";
    lock.reason = fmt::format("{}: {}", experiment.name, sample.trouble);
  }
  for (const bench::Value& value : sample.values) {
    bench::Series& series = file->SeriesAt(backend, value.measure);
    series.unit = value.unit;
    series.samples.push_back(value.value);
    AddTo(&series, value.distribution);
  }
}

bool Interrupted() { return proc::Interrupts::Pending() != 0; }

// Each experiment once on each lock, so that a moment of noise touches one
// sample of many series, not many of one.
void TakeSample(const std::vector<NamedSubject>& subjects,
                const std::vector<const Experiment*>& experiments,
                const std::string& dir, const bench::Effort& effort,
                SeriesFile* file) {
  for (const NamedSubject& subject : subjects) {
    for (const Experiment* experiment : experiments) {
      if (Interrupted()) return;
      if (const std::string why = subject.factory->WhyMissing(); !why.empty()) {
        LockOf(file, subject.name) = {subject.name, "unsupported", why};
        continue;
      }
      const bench::Sample sample =
          experiment->run(*subject.factory, dir, effort);
      if (!Interrupted()) Keep(subject.name, *experiment, sample, file);
    }
  }
}

// The same by another build of this program.
void AskForSample(const std::string& program, const std::string& dir,
                  const Flags& flags, uint64_t seed, SeriesFile* file) {
  constexpr auto kLimit = std::chrono::minutes(5);
  std::vector<std::string> argv = {
      program,       "bench",         "--dir=" + dir,
      "--samples=1", "--format=json", fmt::format("--seed={}", seed)};
  if (flags.profile != "quick") argv.push_back("--profile=" + flags.profile);
  if (!flags.backends.empty()) argv.push_back("--backend=" + flags.backends);
  if (!flags.experiments.empty()) {
    argv.push_back("--experiment=" + flags.experiments);
  }
  const proc::Ended ended = proc::Program(argv).Wait(kLimit);
  if (Interrupted()) return;
  SeriesFile sample;
  try {
    sample = bench::FromJson(ended.out, "its samples");
  } catch (const bench::SeriesError& error) {
    throw UsageError(fmt::format(
        "{} cannot take a sample (exit code {}): {}; --vs needs a locklab that "
        "has bench, and the same locks",
        program, ended.code,
        ended.err.empty() ? error.what()
                          : ended.err.substr(0, ended.err.find('\n'))));
  }
  for (const bench::Series& series : sample.series) {
    bench::Series& all = file->SeriesAt(series.backend, series.measure);
    all.unit = series.unit;
    all.samples.insert(all.samples.end(), series.samples.begin(),
                       series.samples.end());
    history::Histogram more;
    AddBuckets(series, &more);
    AddTo(&all, more);
  }
  for (const bench::Correctness& lock : sample.locks) {
    bench::Correctness& kept = LockOf(file, lock.backend);
    if (kept.verdict != "fail" && lock.verdict != "pass") kept = lock;
  }
}

struct Sides {
  SeriesFile base;
  SeriesFile candidate;
};

// A B B A, so that a drift touches both sides alike.
Sides TakePairs(const std::string& dir, const Flags& flags,
                const Context& context, check::Progress* progress) {
  const std::string self = proc::ThisProgram();
  SeriesFile about = bench::HeaderOf(ContextOf(dir, flags, context));
  // The surroundings are the same; the suites may differ, which is the point.
  std::erase_if(about.environment,
                [](const auto& each) { return each.first == "suite"; });
  Sides sides{.base = about, .candidate = about};
  for (uint64_t pair = 0; pair < flags.samples && !Interrupted(); ++pair) {
    progress->Stage(fmt::format("pair {} of {}", pair + 1, flags.samples));
    const uint64_t seed = flags.seed + pair;
    const bool base_first = pair % 2 == 0;
    for (const bool base : {base_first, !base_first}) {
      AskForSample(base ? flags.other : self, dir, flags, seed,
                   base ? &sides.base : &sides.candidate);
      progress->Done(0.5 / static_cast<double>(flags.samples));
    }
  }
  return sides;
}

void Write(const char* flag, const std::string& path, const std::string& text) {
  if (path.empty()) return;
  const std::string trouble = report::WriteFile(path, text);
  if (!trouble.empty()) throw UsageError(fmt::format("{}: {}", flag, trouble));
}

// --- what is said -----------------------------------------------------------

void PrintFile(const SeriesFile& file, std::ostream& out) {
  fmt::print(out, "\n{:<24} {:<20} {:>13} {:>13} {:>13} {:>8}\n", "backend",
             "measure", "median", "least", "most", "samples");
  for (const bench::Series& series : file.series) {
    const auto [low, high] =
        std::minmax_element(series.samples.begin(), series.samples.end());
    const auto show = [&series](double value) {
      return bench::ShowValue(value, series.unit);
    };
    fmt::print(out, "{:<24} {:<20} {:>13} {:>13} {:>13} {:>8}\n",
               series.backend, series.measure,
               show(stats::Median(series.samples)), show(*low), show(*high),
               series.samples.size());
  }
  bool ratios = false;
  for (const bench::Series& series : file.series) {
    const bench::Series* floor = file.Find(series.backend, "floor");
    if (series.measure != "uncontended" || floor == nullptr) continue;
    fmt::print(out, "{}{}: {:.2f} x its floor\n", ratios ? "" : "\n",
               series.backend,
               stats::Median(series.samples) / stats::Median(floor->samples));
    ratios = true;
  }
  for (const bench::Correctness& lock : file.locks) {
    if (lock.verdict == "pass") continue;
    fmt::print(out, "\n{} {}: {}\n", lock.verdict, lock.backend, lock.reason);
  }
}

Exit CodeOf(const SeriesFile& file) {
  Exit code = file.series.empty() ? kExitNothingRan : kExitOk;
  for (const bench::Correctness& lock : file.locks) {
    if (lock.verdict == "fail") return kExitFailed;
    if (lock.verdict == "inconclusive") code = kExitInconclusive;
  }
  return Interrupted() ? kExitInconclusive : code;
}

bench::Limits LimitsOf(const Flags& flags) {
  if (!(flags.alpha > 0 && flags.alpha < 0.5)) {
    throw UsageError("--alpha: it must be above 0 and below 0.5");
  }
  if (!(flags.max_regression >= 0 && flags.max_regression < 1e6)) {
    throw UsageError("--max-regression: it must be a percentage from 0");
  }
  return {.alpha = flags.alpha,
          .max_regression = flags.max_regression / 100,
          .seed = 1};
}

Exit Say(const SeriesFile& base, const SeriesFile& candidate,
         const Flags& flags, bool gate, Context& context) {
  const bench::Limits limits = LimitsOf(flags);
  const Compared compared = bench::CompareFiles(base, candidate, limits);
  Write("--markdown", flags.markdown, bench::ToMarkdown(compared));
  context.out.stream << (flags.format == "json"
                             ? bench::ToJson(compared, limits)
                             : bench::ToText(compared, gate));
  if (gate && !compared.differ.empty() && !flags.insist) {
    throw UsageError(
        "the two were not taken in the same surroundings (" +
        compared.differ.front() +
        "), so that a difference says nothing; measure both here with "
        "--vs=PROGRAM, or insist with --insist");
  }
  if (gate) return bench::Judge(compared);
  return compared.rows.empty() ? kExitNothingRan : kExitOk;
}

// --- the subcommands --------------------------------------------------------

Exit RunPairs(const Flags& flags, bool gate, Context& context) {
  const std::string dir = check::UsableDirectory(flags.dir);
  if (access(flags.other.c_str(), X_OK) != 0) {
    throw UsageError(fmt::format(
        "--vs={}: there is no such program that may be run; name the locklab "
        "of another build by its path",
        flags.other));
  }
  // Mistakes are better told here than by the programs that are run.
  (void)ParseSubjects(flags.backends, flags.seed);
  (void)ParseExperiments(flags);
  Sides sides;
  {
    const proc::Interrupts interrupts;
    check::Progress progress(context.err);
    progress.SetTotal(1);
    proc::SweepDead(dir);
    sides = TakePairs(dir, flags, context, &progress);
    if (proc::Interrupts::Take() != 0) return kExitInconclusive;
  }
  Write("--out", flags.out, ToJson(sides.candidate));
  Write("--out-base", flags.out_base, ToJson(sides.base));
  if (flags.format == "text") {
    fmt::print(context.out.stream,
               "seed {}: {} (base) against this locklab, "
               "{} pairs by turns on {}\n\n",
               flags.seed, flags.other, flags.samples, dir);
  }
  return Say(sides.base, sides.candidate, flags, gate, context);
}

// Where samples are kept as they are taken: in a results store, if --out names
// a directory, or what may become one.
class Keeper {
 public:
  Keeper(const std::string& out, report::Context where)
      : run_{.context = std::move(where), .series = {}, .locks = {}} {
    if (out.empty() || NamesFile(out)) return;
    try {
      writer_ =
          std::make_unique<store::RunWriter>(check::ResultsDirectory(out));
    } catch (const store::StoreError& error) {
      throw UsageError(fmt::format("--out={}: {}", out, error.what()));
    }
    writer_->BeginBench(run_.context);
  }
  static bool NamesFile(const std::string& out) {
    std::error_code none;
    return out.ends_with(".json") ||
           (std::filesystem::exists(out, none) &&
            !std::filesystem::is_directory(out, none));
  }
  void Sampled(const SeriesFile& file) {
    if (writer_ == nullptr) return;
    run_.series = file.series;
    run_.locks = file.locks;
    writer_->Sampled(run_);
  }
  // Says what could not be stored, if anything.
  std::string End(const SeriesFile& file, Exit code) {
    if (writer_ == nullptr) return "";
    run_.series = file.series;
    run_.locks = file.locks;
    run_.context.duration_s =
        std::chrono::duration<double>(Clock::now() - began_).count();
    writer_->EndBench(run_, Interrupted() ? "it was interrupted" : "", code);
    return writer_->error();
  }
  [[nodiscard]] bool stores() const { return writer_ != nullptr; }

 private:
  using Clock = std::chrono::steady_clock;
  store::BenchRun run_;
  const Clock::time_point began_ = Clock::now();
  std::unique_ptr<store::RunWriter> writer_;
};

void PrintSamples(const SeriesFile& file, const std::string& format,
                  std::ostream& out) {
  if (format == "json") {
    out << ToJson(file);
  } else if (format == "github-action-benchmark") {
    out << bench::ToGithubActionBenchmark(file);
  } else if (format == "bencher") {
    out << bench::ToBencher(file);
  } else {
    PrintFile(file, out);
  }
}

Exit RunAlone(const Flags& flags, Context& context) {
  const std::string dir = check::UsableDirectory(flags.dir);
  const auto subjects = ParseSubjects(flags.backends, flags.seed);
  const auto experiments = ParseExperiments(flags);
  const report::Context where = ContextOf(dir, flags, context);
  SeriesFile file = bench::HeaderOf(where);
  Keeper keeper(flags.out, where);
  if (flags.format == "text") {
    fmt::print(context.out.stream, "seed {}: locklab {} on {}\n", flags.seed,
               kSuiteVersion, dir);
    context.out.stream.flush();
  }
  Exit code = kExitOk;
  std::string unstored;
  {
    const proc::Interrupts interrupts;
    check::Progress progress(context.err);
    progress.SetTotal(1);
    proc::SweepDead(dir);
    const proc::TempDir scratch(dir);
    for (uint64_t i = 0; i < flags.samples && !Interrupted(); ++i) {
      progress.Stage(fmt::format("sample {} of {}", i + 1, flags.samples));
      TakeSample(subjects, experiments, scratch.path(),
                 {.seed = flags.seed + i, .full = flags.profile == "full"},
                 &file);
      keeper.Sampled(file);
      progress.Done(1.0 / static_cast<double>(flags.samples));
    }
    code = CodeOf(file);
    unstored = keeper.End(file, code);
    proc::Interrupts::Take();
  }
  if (!keeper.stores()) Write("--out", flags.out, ToJson(file));
  PrintSamples(file, flags.format, context.out.stream);
  if (unstored.empty()) return code;
  fmt::print(context.err.stream, "locklab: --out={}: {}\n", flags.out,
             unstored);
  return code == kExitOk ? kExitFailed : code;
}

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

void AddWhat(CLI::App& app, Flags* flags) {
  app.add_option("--dir", flags->dir,
                 "The directory to measure in. A scratch directory is made in "
                 "it and removed again.")
      ->type_name("DIR");
  app.add_option("--backend", flags->backends,
                 "The locks to measure, separated by commas. Default: all of "
                 "the library.")
      ->type_name("LIST");
  std::string doc = "What to measure, separated by commas:";
  for (const Experiment& each : bench::Experiments()) {
    doc +=
        fmt::format(" {}{} ({}),", each.name, each.usual ? "" : "*", each.doc);
  }
  doc.back() = '.';
  app.add_option("--experiment", flags->experiments,
                 doc + " Default: those without a star.")
      ->type_name("LIST");
  AddChoice(app, "--profile", &flags->profile, {"quick", "full"},
            "full: all experiments, up to 1,000 processes and 100,000 locks.");
  AddNumber(app, "--samples", &flags->samples,
            "How many samples, or pairs of them, to take.", 1, 100'000);
  AddNumber(app, "--seed", &flags->seed, "Of what is left to chance.");
  app.add_option("--vs", flags->other,
                 "Another locklab, which is the base: pairs of samples are "
                 "taken by turns (ABBA) and compared.")
      ->type_name("PROGRAM");
  app.add_option("--out", flags->out,
                 "Keep the samples: in this file, if it ends in .json or is "
                 "one; else as a run in the results store of this directory.")
      ->type_name("FILE.json|DIR");
  app.add_option("--variant", flags->variant,
                 "The name of the filesystem in the lab: for reports.")
      ->type_name("NAME")
      ->group("");
  app.add_option("--out-base", flags->out_base,
                 "With --vs: leave those of the other in this file.")
      ->type_name("FILE");
}

void AddLimits(CLI::App& app, Flags* flags) {
  app.add_option("--alpha", flags->alpha,
                 "How likely an alarm about nothing may be, over all rows "
                 "together.")
      ->capture_default_str();
  app.add_option("--max-regression", flags->max_regression,
                 "Percent: a slow-down that is shown matters if it is more "
                 "than this, and more than three times the noise floor.")
      ->capture_default_str();
  app.add_option("--markdown", flags->markdown,
                 "Also write the table here, as Markdown.")
      ->type_name("FILE");
}

}  // namespace

Run SetUpBench(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  AddWhat(app, flags.get());
  app.get_option("--dir")->required();
  AddLimits(app, flags.get());
  AddChoice(app, "--format", &flags->format,
            {"text", "json", "github-action-benchmark", "bencher"},
            "How to print the samples; with --vs: text or json.");
  app.footer(
      "Numbers of a run that was not judged correct do not count.\n"
      "Exit codes: 0 measured; 1 a lock was not correct; 2 usage; 3 nothing "
      "was\n"
      "measured; 5 something could not be measured.");
  return [flags, &context]() -> int {
    std::signal(SIGPIPE, SIG_IGN);
    if (flags->other.empty()) return RunAlone(*flags, context);
    return RunPairs(*flags, /*gate=*/false, context);
  };
}

Run SetUpCompare(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  app.add_option("BASE", flags->base, "What locklab bench --out left before.")
      ->required();
  app.add_option("CANDIDATE", flags->candidate, "And what it left now.")
      ->required();
  AddLimits(app, flags.get());
  AddChoice(app, "--format", &flags->format, {"text", "json"},
            "How to print the result.");
  app.footer(
      "Mann-Whitney's rank test, and a bootstrap interval of the ratio of\n"
      "medians. ~: nothing is shown.\n"
      "Exit codes: 0 compared; 2 usage; 3 nothing is on both sides.");
  return [flags, &context]() -> int {
    return Say(Read("BASE", flags->base), Read("CANDIDATE", flags->candidate),
               *flags, /*gate=*/false, context);
  };
}

namespace {

// What of a gate each of its ways needs; exactly one must be asked for.
Exit Gate(const Flags& flags, Context& context) {
  const bool files = !flags.base.empty() && !flags.candidate.empty();
  const bool pairs = !flags.other.empty() && !flags.dir.empty();
  const bool series = !flags.series.empty();
  if (int{files} + int{pairs} + int{series} != 1) {
    throw UsageError(
        "give either --baseline=WHAT and --candidate=WHAT, or --vs=PROGRAM "
        "and --dir=DIR, or --series=DIR");
  }
  if (!series && !flags.since.empty()) {
    throw UsageError("--since is for --series");
  }
  if (pairs) return RunPairs(flags, /*gate=*/true, context);
  if (files) {
    return Say(Read("--baseline", flags.base),
               Read("--candidate", flags.candidate), flags, /*gate=*/true,
               context);
  }
  const bench::Limits limits = LimitsOf(flags);
  return GateSeries({.results = flags.series,
                     .last = flags.last,
                     .backends = flags.backends,
                     .insist = flags.insist,
                     .json = flags.format == "json",
                     .markdown = flags.markdown,
                     .limits = {.alpha = limits.alpha,
                                .max_regression = limits.max_regression,
                                .since = flags.since}},
                    context);
}

void AddSeries(CLI::App& app, Flags* flags) {
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

Run SetUpGate(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  app.add_option("--baseline", flags->base,
                 "What locklab bench --out left before: a file, or a results "
                 "store and, if not its last run is meant, a run of it.")
      ->type_name("FILE|DIR[:RUN]");
  app.add_option("--candidate", flags->candidate, "And what it left now.")
      ->type_name("FILE|DIR[:RUN]");
  AddSeries(app, flags.get());
  AddWhat(app, flags.get());
  AddLimits(app, flags.get());
  app.add_flag("--insist", flags->insist,
               "Judge files that were not taken in the same surroundings.");
  AddChoice(app, "--format", &flags->format, {"text", "json"},
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
