// Several processes that want one lock.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "bench/measure/experiments.h"
#include "bench/turns.h"
#include "conformance/proc/interrupts.h"
#include "conformance/proc/temp_dir.h"
#include "stress/run/contention.h"
#include "stress/scenarios/scenario.h"

namespace locklab::bench {
namespace {

using namespace std::chrono_literals;  // NOLINT

constexpr auto kSoon = 30s;
constexpr int kBareHandOffs = 60;

run::ContentionPlan PlanFor(const std::string& dir,
                            std::chrono::milliseconds duration,
                            const Effort& effort) {
  run::ContentionPlan plan;
  plan.dir = dir;
  plan.duration = duration;
  plan.deadline = kSoon;
  plan.counter_file = false;
  plan.seed = effort.seed;
  return plan;
}

// What hinders numbers from being counted; a sample without any if nothing.
Sample Judged(const run::ContentionResult& result, bool progress = true) {
  for (const Finding* finding :
       {&result.exclusion, progress ? &result.progress : &result.exclusion}) {
    if (finding->verdict == Verdict::kFail) return Wrong(*finding);
    if (finding->verdict != Verdict::kPass) return Trouble(finding->reason);
  }
  return {};
}

bool Counts(const Sample& sample) {
  return sample.correct.verdict == Verdict::kPass && sample.trouble.empty();
}

double EachOf(const run::ContentionResult& result) {
  const judge::Judgement& judgement = result.judgement;
  return static_cast<double>(judgement.end_ns - judgement.start_ns) /
         static_cast<double>(result.acquisitions);
}

void AddWaits(const char* name, const history::Histogram& wait,
              Sample* sample) {
  AddMedian(fmt::format("{}-p50", name).c_str(), wait, sample);
  const auto p99 = static_cast<double>(wait.percentiles().p99);
  if (p99 <= 0) return;
  sample->values.push_back(
      {.measure = fmt::format("{}-p99", name), .value = p99});
}

// Beside a lock's, in the same moments.
void AddBareHandOffs(const std::string& dir, Sample* sample) {
  const proc::TempDir own(dir);
  history::Histogram inotify;
  history::Histogram pipe;
  Turns turns([&] {
    Batons batons;
    batons.push_back(MakeInotifyBaton(own / "bare"));
    batons.push_back(MakePipeBaton(own / "pipe"));
    return batons;
  });
  for (int i = 0; i < kBareHandOffs && proc::Interrupts::Pending() == 0; ++i) {
    const auto took = turns.Round();
    inotify.Record(took[0]);
    pipe.Record(took[1]);
  }
  AddMedian("hand-off-inotify", inotify, sample);
  AddMedian("hand-off-pipe", pipe, sample);
}

}  // namespace

Sample Contended(const SubjectFactory& subject, const std::string& dir,
                 const Effort& effort) {
  run::ContentionPlan plan = PlanFor(dir, 200ms, effort);
  plan.counter_file = true;
  // One each: a busy machine is no reason to have no number.
  plan.floor = plan.processes;
  plan.hold = run::Delay::Parse("50us");
  const run::ContentionResult result = run::RunContention(subject, plan);
  Sample sample = Judged(result);
  if (!Counts(sample)) return sample;
  if (result.coherence.verdict == Verdict::kFail)
    return Wrong(result.coherence);
  AddWaits("contended-wait", result.judgement.wait, &sample);
  sample.values.push_back(
      {.measure = "contended-each", .value = EachOf(result)});
  return sample;
}

Sample OpenLoop(const SubjectFactory& subject, const std::string& dir,
                const Effort& effort) {
  const scenario::Scenario* open_loop = scenario::FindScenario("open-loop");
  if (open_loop == nullptr) return Trouble("there is no open loop");
  run::ContentionPlan plan = scenario::PlanOf(*open_loop);
  plan.dir = dir;
  plan.seed = effort.seed;
  scenario::LastFor(400ms, &plan);
  const run::ContentionResult result = run::RunContention(subject, plan);
  Sample sample = Judged(result);
  if (Counts(sample)) AddWaits("open-loop-wait", result.response, &sample);
  return sample;
}

// Two take turns, so that each wait is one hand-off.
Sample HandOff(const SubjectFactory& subject, const std::string& dir,
               const Effort& effort) {
  run::ContentionPlan plan = PlanFor(dir, 100ms, effort);
  plan.processes = 2;
  plan.hold = run::Delay::Parse("200us");
  const run::ContentionResult result = run::RunContention(subject, plan);
  if (result.exclusion.verdict == Verdict::kFail) {
    return Wrong(result.exclusion);
  }
  Sample sample;
  AddMedian("hand-off", result.judgement.hand_off, &sample);
  if (sample.values.empty()) return Trouble("the lock was not handed on");
  try {
    AddBareHandOffs(dir, &sample);
  } catch (const std::exception&) {
    // A filesystem without pipes or inotify: then there is nothing beside it.
  }
  return sample;
}

// Ends with the number of processes at which it could not be told any more.
Sample Processes(const SubjectFactory& subject, const std::string& dir,
                 const Effort& effort) {
  Sample sample;
  const int most = effort.full ? 1000 : 16;
  for (int processes = 1; processes != 0;
       processes = processes == most ? 0 : std::min(2 * processes, most)) {
    if (proc::Interrupts::Pending() != 0) return Trouble("interrupted");
    run::ContentionPlan plan =
        PlanFor(dir, 100ms + std::chrono::milliseconds(processes), effort);
    plan.processes = processes;
    plan.deadline = 60s;
    // Some may starve, which fairness tells: a number counts all the same.
    plan.floor = 10;
    plan.hold = run::Delay::Parse("50us");
    const run::ContentionResult result = run::RunContention(subject, plan);
    const Sample judged = Judged(result, /*progress=*/false);
    if (judged.correct.verdict == Verdict::kFail) return judged;
    if (!Counts(judged)) return sample.values.empty() ? judged : sample;
    sample.values.push_back({.measure = fmt::format("processes/{}", processes),
                             .value = EachOf(result)});
  }
  return sample;
}

}  // namespace locklab::bench
