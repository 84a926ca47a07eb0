// locklab bench: what locks cost, alone or by turns with another build.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "bench/compare/compare.h"
#include "conformance/proc/interrupts.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/store/bench_run.h"
#include "conformance/store/run_writer.h"
#include "conformance/store/store.h"
#include "tools/locklab/bench_pairs.h"
#include "tools/locklab/bench_samples.h"
#include "tools/locklab/check/directory.h"
#include "tools/locklab/check/progress.h"
#include "tools/locklab/commands.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/subjects.h"
#include "tools/locklab/terminal.h"

namespace locklab::cli {
namespace {

using bench::SeriesFile;

bool Interrupted() { return proc::Interrupts::Pending() != 0; }

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

Exit RunAlone(const SampleFlags& flags, const std::string& format,
              Context& context) {
  const std::string dir = check::UsableDirectory(flags.dir);
  const auto subjects = ParseSubjects(flags.backends, flags.seed);
  const auto experiments = ParseExperiments(flags);
  const report::Context where = ContextOf(dir, flags, context);
  SeriesFile file = bench::HeaderOf(where);
  Keeper keeper(flags.out, where);
  if (format == "text") {
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
  if (!keeper.stores()) WriteForFlag("--out", flags.out, ToJson(file));
  PrintSamples(file, format, context.out.stream);
  if (unstored.empty()) return code;
  fmt::print(context.err.stream, "locklab: --out={}: {}\n", flags.out,
             unstored);
  return code == kExitOk ? kExitFailed : code;
}

}  // namespace

Run SetUpBench(CLI::App& app, Context& context) {
  auto what = std::make_shared<SampleFlags>();
  auto limits = std::make_shared<LimitFlags>();
  AddSampleFlags(app, what.get());
  app.get_option("--dir")->required();
  AddLimitFlags(app, limits.get());
  AddChoice(app, "--format", &limits->format,
            {"text", "json", "github-action-benchmark", "bencher"},
            "How to print the samples; with --vs: text or json.");
  app.footer(
      "Numbers of a run that was not judged correct do not count.\n"
      "Exit codes: 0 measured; 1 a lock was not correct; 2 usage; 3 nothing "
      "was\n"
      "measured; 5 something could not be measured.");
  return [what, limits, &context]() -> int {
    std::signal(SIGPIPE, SIG_IGN);
    if (what->other.empty()) return RunAlone(*what, limits->format, context);
    return RunPairs(*what, *limits, /*gate=*/false, context);
  };
}

}  // namespace locklab::cli
