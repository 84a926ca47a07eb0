#include "stress/run/contention.h"

#include <utility>
#include <vector>

#include "conformance/proc/interrupts.h"
#include "stress/run/facts.h"
#include "stress/run/merge.h"
#include "stress/run/supervisor.h"

namespace locklab::run {

ContentionResult RunContention(const SubjectFactory& subject,
                               const ContentionPlan& plan) {
  const proc::Interrupts interrupts;
  std::vector<Facts> locks = Supervisor(subject, plan).Run();
  ContentionResult result = Conclude(std::move(locks.front()));
  for (size_t i = 1; i < locks.size(); ++i) {
    Merge(Conclude(std::move(locks[i])), judge::Lie::kBeside, &result);
  }
  return result;
}

ContentionPlan PlanOf(const Contest& contest, const std::string& dir) {
  ContentionPlan plan;
  plan.dir = dir;
  plan.other_dir = contest.other_dir;
  plan.processes = contest.processes;
  plan.acquisitions = contest.acquisitions;
  plan.duration = contest.duration;
  plan.hold = Delay::Fixed(contest.hold);
  plan.deadline = contest.deadline;
  plan.seed = contest.seed;
  return plan;
}

ContestResult ContestOf(const ContentionResult& result) {
  return {.exclusion = result.exclusion,
          .coherence = result.coherence,
          .progress = result.progress,
          .fairness = result.fairness,
          .acquisitions = result.acquisitions,
          .violations = result.violations};
}

}  // namespace locklab::run
