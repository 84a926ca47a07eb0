// locklab stress: many processes contend for a lock. Does it hold, is it fair,
// and what does it cost?
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "conformance/proc/duration.h"
#include "conformance/proc/interrupts.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/report/text.h"
#include "stress/run/contention.h"
#include "tools/locklab/check/directory.h"
#include "tools/locklab/check/progress.h"
#include "tools/locklab/commands.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/subjects.h"
#include "tools/locklab/terminal.h"

namespace locklab::cli {
namespace {

using run::ContentionPlan;
using run::ContentionResult;
using run::Delay;
using std::chrono_literals::operator""s;

struct Flags {
  std::string dir;
  std::string backends;
  uint64_t processes = 8;
  std::string hold = "500us";
  std::string think = "0";
  std::chrono::nanoseconds duration = 5s;
  uint64_t seed = std::random_device{}();
};

struct StressReport {
  std::string backend;
  ContentionResult result;
};

Delay ParseDelay(const char* flag, const std::string& text) {
  try {
    return Delay::Parse(text);
  } catch (const std::invalid_argument& error) {
    throw UsageError(fmt::format("{}={}: {}", flag, text, error.what()));
  }
}

ContentionPlan PlanOf(const Flags& flags, const Context& context) {
  constexpr auto kGrace = 30s;
  ContentionPlan plan;
  plan.processes = static_cast<int>(flags.processes);
  plan.hold = ParseDelay("--hold", flags.hold);
  plan.think = ParseDelay("--think", flags.think);
  plan.duration = std::chrono::ceil<std::chrono::milliseconds>(flags.duration);
  if (plan.duration.count() == 0) {
    throw UsageError("--duration: nothing can be seen in no time; try 5s");
  }
  plan.deadline = plan.duration + kGrace;
  plan.counter_file = false;
  plan.seed = flags.seed;
  plan.command_line = context.command_line;
  plan.dir = check::UsableDirectory(flags.dir);
  return plan;
}

// --- what is said of it -----------------------------------------------------

std::string Time(int64_t ns) { return ns == 0 ? "-" : report::ShortTime(ns); }

double SlowestShare(const ContentionResult& result) {
  const judge::Judgement& judgement = result.judgement;
  if (judgement.acquisitions == 0) return 0;
  int64_t slowest = judgement.acquisitions;
  for (const judge::ActorSummary& actor : judgement.actors) {
    slowest = std::min(slowest, actor.acquisitions);
  }
  return static_cast<double>(slowest) * result.processes /
         static_cast<double>(judgement.acquisitions);
}

void PrintRow(const StressReport& report, std::ostream& out) {
  const ContentionResult& result = report.result;
  const judge::Judgement& judgement = result.judgement;
  const auto wait = judgement.wait.percentiles();
  const double seconds =
      static_cast<double>(judgement.end_ns - judgement.start_ns) / 1e9;
  fmt::print(
      out,
      "{:<8} {:>8.0f} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>6.3f} "
      "{:>6.3f} {:>6.3f} {:>6.3f} {:>5}\n",
      report.backend,
      static_cast<double>(judgement.acquisitions) / std::max(seconds, 1e-9),
      Time(wait.p50), Time(wait.p99), Time(wait.p99_9), Time(wait.p99_99),
      Time(wait.max), Time(judgement.hand_off.percentiles().p50),
      judgement.hold_share, judgement.active_share, judgement.jain,
      SlowestShare(result),
      std::max(result.violations, result.witness_violations));
}

void PrintText(const std::vector<StressReport>& reports, std::ostream& out) {
  fmt::print(out,
             "{:<8} {:>8} {:^44} {:>8} {:>6} {:>6} {:>6} {:>6} {:>5}\n"
             "{:<8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>6} {:>6} "
             "{:>6} {:>6} {:>5}\n",
             "", "", "wait", "hand-off", "share", "all", "", "slow/", "two",
             "backend", "locks/s", "p50", "p99", "p99.9", "p99.99", "max",
             "p50", "held", "active", "jain", "mean", "held");
  for (const StressReport& report : reports) PrintRow(report, out);
  for (const StressReport& report : reports) {
    const ContentionResult& result = report.result;
    for (const Finding* finding : {&result.exclusion, &result.progress}) {
      if (finding->verdict == Verdict::kPass) continue;
      fmt::print(out, "\n{} {}: {}\n{}", VerdictName(finding->verdict),
                 report.backend, finding->reason, finding->evidence);
    }
  }
}

Exit CodeOf(const std::vector<StressReport>& reports) {
  Exit code = reports.empty() ? kExitInconclusive : kExitOk;
  for (const StressReport& report : reports) {
    for (const Finding* finding :
         {&report.result.exclusion, &report.result.progress}) {
      if (finding->verdict == Verdict::kFail) return kExitFailed;
      if (finding->verdict != Verdict::kPass) code = kExitInconclusive;
    }
  }
  return code;
}

int RunStress(const Flags& flags, Context& context) {
  const std::vector<NamedSubject> subjects =
      ParseSubjects(flags.backends, flags.seed);
  const ContentionPlan plan = PlanOf(flags, context);
  fmt::print(context.out.stream,
             "seed {}: {} processes on {}, hold {}, think {}, {} each\n\n",
             plan.seed, plan.processes, plan.dir, plan.hold.Describe(),
             plan.think.Describe(), proc::DurationText(plan.duration));
  context.out.stream.flush();
  std::vector<StressReport> reports;
  {
    const proc::Interrupts interrupts;
    check::Progress progress(context.err);
    proc::SweepDead(plan.dir);
    progress.SetTotal(static_cast<double>(subjects.size()));
    for (const NamedSubject& subject : subjects) {
      if (proc::Interrupts::Pending() != 0) break;
      progress.Stage(
          fmt::format("{}: {} processes", subject.name, plan.processes));
      reports.push_back(
          {subject.name, run::RunContention(*subject.factory, plan)});
      progress.Done(1);
    }
    proc::Interrupts::Take();
  }
  PrintText(reports, context.out.stream);
  return CodeOf(reports);
}

}  // namespace

Run SetUpStress(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  app.add_option("--dir", flags->dir,
                 "The directory to contend in. A scratch directory is made in "
                 "it and removed again.")
      ->type_name("DIR")
      ->required();
  app.add_option("--backend", flags->backends,
                 "The locks to examine, separated by commas: " +
                     lockfile::BackendNames() +
                     "; also canary:NAME. Default: all of the library.")
      ->type_name("LIST");
  AddNumber(app, "--processes", &flags->processes,
            "How many processes want the lock.", 1, history::kMaxActors)
      ->default_str("8");
  const std::string distribution =
      ": a duration, exp:MEAN or uniform:LEAST-GREATEST.";
  app.add_option("--hold", flags->hold, "How long it is held" + distribution)
      ->type_name("DELAY")
      ->capture_default_str();
  app.add_option("--think", flags->think,
                 "How long until a process wants it again" + distribution)
      ->type_name("DELAY")
      ->capture_default_str();
  AddDuration(app, "--duration", &flags->duration,
              "How long each lock is contended for.")
      ->default_str("5s");
  AddNumber(app, "--seed", &flags->seed,
            "What all randomness is made from. Default: another each time.");
  app.footer(
      "Exit codes: 0 no two ever held a lock and everybody got on; 1 else;\n"
      "2 usage; 5 it could not be told, also after SIGINT or SIGTERM.");
  return [flags, &context] { return RunStress(*flags, context); };
}

}  // namespace locklab::cli
