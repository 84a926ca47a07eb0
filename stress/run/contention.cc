#include "stress/run/contention.h"

#include "conformance/proc/interrupts.h"
#include "stress/run/facts.h"
#include "stress/run/supervisor.h"

namespace locklab::run {

ContentionResult RunContention(const SubjectFactory& subject,
                               const ContentionPlan& plan) {
  const proc::Interrupts interrupts;
  return Conclude(Supervisor(subject, plan).Run());
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
