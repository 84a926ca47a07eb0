#include "tools/locklab/bench_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "conformance/history/histogram.h"
#include "conformance/proc/exec.h"
#include "conformance/proc/interrupts.h"
#include "conformance/proc/program.h"
#include "tools/locklab/check/environment.h"
#include "tools/locklab/flags.h"

namespace locklab::cli {
namespace {

using bench::Experiment;
using bench::SeriesFile;

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

// The same by another build of this program.
void AskForSample(const std::string& program, const std::string& dir,
                  const SampleFlags& flags, uint64_t seed, SeriesFile* file) {
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
  if (proc::Interrupts::Pending() != 0) return;
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

}  // namespace

std::vector<const Experiment*> ParseExperiments(const SampleFlags& flags) {
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

report::Context ContextOf(const std::string& dir, const SampleFlags& flags,
                          const Context& context) {
  report::Context where = check::Environment(dir);
  where.run_id = check::NewRunId();
  where.seed = flags.seed;
  where.command_line = context.command_line;
  where.variant = flags.variant;
  return where;
}

// Each experiment once on each lock, so that a moment of noise touches one
// sample of many series, not many of one.
void TakeSample(const std::vector<NamedSubject>& subjects,
                const std::vector<const Experiment*>& experiments,
                const std::string& dir, const bench::Effort& effort,
                SeriesFile* file) {
  for (const NamedSubject& subject : subjects) {
    for (const Experiment* experiment : experiments) {
      if (proc::Interrupts::Pending() != 0) return;
      if (const std::string why = subject.factory->WhyMissing(); !why.empty()) {
        LockOf(file, subject.name) = {subject.name, "unsupported", why};
        continue;
      }
      const bench::Sample sample =
          experiment->run(*subject.factory, dir, effort);
      if (proc::Interrupts::Pending() == 0)
        Keep(subject.name, *experiment, sample, file);
    }
  }
}

// A B B A, so that a drift touches both sides alike.
Sides TakePairs(const std::string& dir, const SampleFlags& flags,
                const Context& context, check::Progress* progress) {
  const std::string self = proc::ThisProgram();
  SeriesFile about = bench::HeaderOf(ContextOf(dir, flags, context));
  // The surroundings are the same; the suites may differ, which is the point.
  std::erase_if(about.environment,
                [](const auto& each) { return each.first == "suite"; });
  Sides sides{.base = about, .candidate = about};
  for (uint64_t pair = 0;
       pair < flags.samples && proc::Interrupts::Pending() == 0; ++pair) {
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

void AddSampleFlags(CLI::App& app, SampleFlags* flags) {
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
  AddVariant(app, &flags->variant);
  app.add_option("--out-base", flags->out_base,
                 "With --vs: leave those of the other in this file.")
      ->type_name("FILE");
}

}  // namespace locklab::cli
