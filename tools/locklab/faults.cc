#include "tools/locklab/faults.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <stdexcept>
#include <vector>

#include "conformance/proc/interrupts.h"
#include "conformance/report/text.h"
#include "stress/run/faults.h"
#include "stress/run/shrink.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/terminal.h"

namespace locklab::cli {
namespace {

using run::ContentionPlan;
using run::ContentionResult;
using run::FaultCount;
using run::FaultPlan;
using run::FaultRow;
using std::chrono_literals::operator""s;

template <typename Parse>
auto Parsed(const char* flag, const std::string& text, Parse parse) {
  try {
    return parse(text);
  } catch (const std::invalid_argument& error) {
    throw UsageError(fmt::format("{}: {}", flag, error.what()));
  }
}

std::string MixText(const FaultPlan& plan) {
  std::string text;
  for (const FaultRow& row : run::FaultRows()) {
    const int weight = plan.weights[static_cast<size_t>(row.kind)];
    if (weight == 0) continue;
    text += fmt::format("{}{}:{}", text.empty() ? "" : ",", row.name, weight);
  }
  return text;
}

// The kinds, for the help: from the table.
std::string Kinds() {
  std::string text;
  for (const FaultRow& row : run::FaultRows()) {
    text += fmt::format("\n{}: {}", row.name, row.doc);
  }
  return text;
}

void PrintCount(const FaultCount& count, std::ostream& out) {
  const FaultRow& row = run::RowOf(count.kind);
  if (!count.excuse.empty()) {
    fmt::print(out, "{:<10} not done: {}\n", row.name, count.excuse);
    return;
  }
  fmt::print(out, "{:<10} {:>6} {:>7}", row.name, count.due, count.done);
  for (const run::Stage stage :
       {run::Stage::kThinking, run::Stage::kAcquiring, run::Stage::kHolding,
        run::Stage::kReleasing}) {
    const int64_t at = count.at[static_cast<size_t>(stage)];
    fmt::print(out, " {:>10}", at == 0 ? "-" : std::to_string(at));
  }
  fmt::print(out, "\n");
}

}  // namespace

void AddFaultFlags(CLI::App& app, FaultFlags* flags) {
  app.add_option("--faults", flags->mix,
                 "What is done to the processes meanwhile: KIND:WEIGHT,... or "
                 "none. The kinds:" +
                     Kinds())
      ->type_name("MIX")
      ->capture_default_str();
  AddNumber(app, "--fault-every", &flags->every,
            "How many grants there are from one fault to the next, on "
            "average.",
            1, 1'000'000'000)
      ->default_str("100");
  app.add_option("--fault-schedule", flags->schedule,
                 "These faults instead, each by the grant at which it is due, "
                 "its kind and the stage of the process: "
                 "g120:kill:holding,g133:stop:acquiring:5ms.")
      ->type_name("LIST");
  AddNumber(app, "--acquisitions", &flags->acquisitions,
            "Stops after so many in all, or when the time is up.", 1,
            1'000'000'000'000);
  AddNumber(app, "--repeat", &flags->repeat,
            "So many rounds with this very seed, however long they take: "
            "tells how often it fails.",
            1, 1'000'000);
  app.add_flag("--shrink", flags->shrink,
               "Makes a run with faults that failed as small as it can be "
               "made in a minute, and still fails.");
}

void Apply(const FaultFlags& flags, ContentionPlan* plan) {
  if (flags.acquisitions > 0) {
    plan->acquisitions = static_cast<int64_t>(flags.acquisitions);
  }
  plan->faults.weights = Parsed("--faults", flags.mix, run::ParseFaultMix);
  plan->faults.every = flags.every;
  if (!flags.schedule.empty()) {
    if (flags.mix != "none") {
      throw UsageError("--fault-schedule: give it or --faults, not both");
    }
    plan->faults.schedule =
        Parsed("--fault-schedule", flags.schedule, run::ParseFaultSchedule);
    plan->faults.most_kills = static_cast<int>(plan->faults.schedule.size());
  }
  // What the dead had under way is to be seen, too.
  if (plan->faults.any()) plan->counter_file = true;
  if (plan->faults.any() && plan->step != nullptr) {
    throw UsageError(
        "--faults: only for scenarios in which nobody waits for another: "
        "--scenario=contention");
  }
  if (plan->faults.any() && (plan->threads > 1 || plan->locks > 1)) {
    throw UsageError(
        "--faults: they are done to processes of one thread that want one "
        "lock: leave --threads and --locks away");
  }
}

std::string FaultParameters(const ContentionPlan& plan) {
  std::string text;
  if (plan.acquisitions > 0) {
    text += fmt::format(" --acquisitions={}", plan.acquisitions);
  }
  if (!plan.faults.schedule.empty()) {
    text += " --fault-schedule=" + run::FaultScheduleText(plan.faults.schedule);
  } else if (plan.faults.any()) {
    text += fmt::format(" --faults={} --fault-every={}", MixText(plan.faults),
                        plan.faults.every);
  }
  return text;
}

void PrintFaults(const std::string& name, const ContentionResult& result,
                 std::ostream& out) {
  if (result.faults.kinds.empty()) return;
  fmt::print(out, "\n{:<10} {:>6} {:>7} {:>10} {:>10} {:>10} {:>10}\n",
             "on " + name, "due", "proven", "thinking", "acquiring", "holding",
             "releasing");
  for (const FaultCount& count : result.faults.kinds) PrintCount(count, out);
  const auto recovery = result.judgement.recovery.percentiles();
  if (result.judgement.recovery.count() > 0) {
    fmt::print(out,
               "from the kill of a holder to the next grant: p50 {}, p99 {}, "
               "max {} ({} times)\n",
               report::ShortTime(recovery.p50), report::ShortTime(recovery.p99),
               report::ShortTime(recovery.max),
               result.judgement.recovery.count());
  }
}

void PrintShrunk(const StressRun& run, Console& out) {
  const proc::Interrupts interrupts;
  for (size_t i = 0; i < run.plan.courses.size(); ++i) {
    const scenario::CourseResult& result = run.result.courses[i];
    scenario::Course course = run.plan.courses[i];
    if (result.failures.empty() || !course.plan.faults.any()) continue;
    course.plan.seed = result.failures[0].seed;
    const run::ShrunkRun small =
        run::ShrinkRun(*course.subject, course.plan, {.time = 60s});
    const run::Shrunk& shrunk = small.shrunk;
    if (!shrunk.reproduced) {
      fmt::print(out.stream,
                 "shrink {}: it did not fail again in {} runs with seed {}\n",
                 course.backend, shrunk.runs, course.plan.seed);
      continue;
    }
    course.plan = small.plan;
    const size_t faults = course.plan.faults.schedule.size();
    fmt::print(out.stream,
               "shrink {}: {} fault{} and {} processes, after {} runs{}: {} of "
               "{} fail\n  {}\n  replay: {}\n",
               course.backend, faults, faults == 1 ? "" : "s",
               course.plan.processes, shrunk.runs,
               shrunk.complete ? "" : " (time was up)", shrunk.failed,
               shrunk.repeats,
               report::Wrap("then " + small.reason, WidthOf(out) - 2, 4),
               ReplayOf(run, course, course.plan.seed));
  }
}

}  // namespace locklab::cli
