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
#include "conformance/proc/exec.h"
#include "conformance/proc/interrupts.h"
#include "conformance/proc/program.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/report/text.h"
#include "conformance/report/write_file.h"
#include "tools/locklab/check/directory.h"
#include "tools/locklab/check/environment.h"
#include "tools/locklab/check/progress.h"
#include "tools/locklab/commands.h"
#include "tools/locklab/flags.h"
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
  std::string other;  // --vs
  uint64_t samples = stats::kFewestSamples;
  uint64_t seed = std::random_device{}() >> 1;
  std::string out;
  std::string out_base;
  // What is compared.
  std::string base;
  std::string candidate;
  double max_regression = 10;  // %
  double alpha = 0.01;
  bool insist = false;
  std::string markdown;
  std::string format = "text";
};

// --- taking samples ---------------------------------------------------------

std::vector<const Experiment*> ParseExperiments(const std::string& list) {
  std::vector<std::string_view> names;
  std::vector<const Experiment*> chosen;
  for (const Experiment& each : bench::Experiments()) {
    names.push_back(each.name);
    if (list.empty()) chosen.push_back(&each);
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

SeriesFile EmptyFile(const std::string& dir, const Flags& flags,
                     const Context& context) {
  const report::Context where = check::Environment(dir);
  return {.suite_version = std::string(kSuiteVersion),
          .command_line = context.command_line,
          .started = where.started,
          .seed = flags.seed,
          .environment = {{"suite", std::string(kSuiteVersion)},
                          {"host", where.host},
                          {"kernel", where.kernel},
                          {"processors", std::to_string(where.processors)},
                          {"filesystem", where.filesystem.type}}};
}

bench::Correctness& LockOf(SeriesFile* file, const std::string& backend) {
  for (bench::Correctness& lock : file->locks) {
    if (lock.backend == backend) return lock;
  }
  file->locks.push_back({.backend = backend, .verdict = "pass", .reason = ""});
  return file->locks.back();
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
  for (const auto& [measure, value] : sample.values) {
    file->At(backend, measure).push_back(value);
  }
}

bool Interrupted() { return proc::Interrupts::Pending() != 0; }

// Each experiment once on each lock, so that a moment of noise touches one
// sample of many series, not many of one.
void TakeSample(const std::vector<NamedSubject>& subjects,
                const std::vector<const Experiment*>& experiments,
                const std::string& dir, uint64_t seed, SeriesFile* file) {
  for (const NamedSubject& subject : subjects) {
    for (const Experiment* experiment : experiments) {
      if (Interrupted()) return;
      if (const std::string why = subject.factory->WhyMissing(); !why.empty()) {
        LockOf(file, subject.name) = {subject.name, "unsupported", why};
        continue;
      }
      const bench::Sample sample = experiment->run(*subject.factory, dir, seed);
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
    auto& samples = file->At(series.backend, series.measure);
    samples.insert(samples.end(), series.samples.begin(), series.samples.end());
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
  SeriesFile about = EmptyFile(dir, flags, context);
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

std::string Time(double ns) {
  return report::ShortTime(static_cast<int64_t>(ns));
}

void PrintFile(const SeriesFile& file, std::ostream& out) {
  fmt::print(out, "\n{:<10} {:<20} {:>9} {:>9} {:>9} {:>8}\n", "backend",
             "measure", "median", "least", "most", "samples");
  for (const bench::Series& series : file.series) {
    const auto [low, high] =
        std::minmax_element(series.samples.begin(), series.samples.end());
    fmt::print(out, "{:<10} {:<20} {:>9} {:>9} {:>9} {:>8}\n", series.backend,
               series.measure, Time(stats::Median(series.samples)), Time(*low),
               Time(*high), series.samples.size());
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
  (void)ParseExperiments(flags.experiments);
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

Exit RunAlone(const Flags& flags, Context& context) {
  const std::string dir = check::UsableDirectory(flags.dir);
  const auto subjects = ParseSubjects(flags.backends, flags.seed);
  const auto experiments = ParseExperiments(flags.experiments);
  SeriesFile file = EmptyFile(dir, flags, context);
  if (flags.format == "text") {
    fmt::print(context.out.stream, "seed {}: locklab {} on {}\n", flags.seed,
               kSuiteVersion, dir);
    context.out.stream.flush();
  }
  Exit code = kExitOk;
  {
    const proc::Interrupts interrupts;
    check::Progress progress(context.err);
    progress.SetTotal(1);
    proc::SweepDead(dir);
    const proc::TempDir scratch(dir);
    for (uint64_t i = 0; i < flags.samples && !Interrupted(); ++i) {
      progress.Stage(fmt::format("sample {} of {}", i + 1, flags.samples));
      TakeSample(subjects, experiments, scratch.path(), flags.seed + i, &file);
      progress.Done(1.0 / static_cast<double>(flags.samples));
    }
    code = CodeOf(file);
    proc::Interrupts::Take();
  }
  Write("--out", flags.out, ToJson(file));
  if (flags.format == "json") {
    context.out.stream << ToJson(file);
  } else if (flags.format == "github-action-benchmark") {
    context.out.stream << bench::ToGithubActionBenchmark(file);
  } else if (flags.format == "bencher") {
    context.out.stream << bench::ToBencher(file);
  } else {
    PrintFile(file, context.out.stream);
  }
  return code;
}

SeriesFile Read(const char* flag, const std::string& path) {
  try {
    return bench::ReadSeries(path);
  } catch (const bench::SeriesError& error) {
    throw UsageError(fmt::format("{}: {}", flag, error.what()));
  }
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
    doc += fmt::format(" {} ({}),", each.name, each.doc);
  }
  doc.back() = '.';
  app.add_option("--experiment", flags->experiments, doc + " Default: all.")
      ->type_name("LIST");
  AddNumber(app, "--samples", &flags->samples,
            "How many samples, or pairs of them, to take.", 1, 100'000);
  AddNumber(app, "--seed", &flags->seed, "Of what is left to chance.");
  app.add_option("--vs", flags->other,
                 "Another locklab, which is the base: pairs of samples are "
                 "taken by turns (ABBA) and compared.")
      ->type_name("PROGRAM");
  app.add_option("--out", flags->out, "Leave the samples in this file.")
      ->type_name("FILE");
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

Run SetUpGate(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  app.add_option("--baseline", flags->base,
                 "What locklab bench --out left before.")
      ->type_name("FILE");
  app.add_option("--candidate", flags->candidate, "And what it left now.")
      ->type_name("FILE");
  AddWhat(app, flags.get());
  AddLimits(app, flags.get());
  app.add_flag("--insist", flags->insist,
               "Judge files that were not taken in the same surroundings.");
  AddChoice(app, "--format", &flags->format, {"text", "json"},
            "How to print the result.");
  app.footer(
      "Either --baseline and --candidate, or --vs and --dir.\n"
      "Exit codes: 0 no worse; 1 a slow-down is shown and matters, or a lock "
      "is\n"
      "not correct any more; 2 usage; 3 nothing was compared; 5 too few\n"
      "samples, or what the base has is missing.");
  return [flags, &context]() -> int {
    const bool files = !flags->base.empty() && !flags->candidate.empty();
    const bool pairs = !flags->other.empty() && !flags->dir.empty();
    if (files == pairs) {
      throw UsageError(
          "give either --baseline=FILE and --candidate=FILE, or --vs=PROGRAM "
          "and --dir=DIR");
    }
    if (pairs) return RunPairs(*flags, /*gate=*/true, context);
    return Say(Read("--baseline", flags->base),
               Read("--candidate", flags->candidate), *flags, /*gate=*/true,
               context);
  };
}

}  // namespace locklab::cli
