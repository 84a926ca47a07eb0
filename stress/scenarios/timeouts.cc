// Waiters that give up soon: what they leave must not be in the way of others.
#include <fmt/format.h>

#include "stress/scenarios/scenario.h"

namespace locklab::scenario {
namespace {

void SetUp(ContentionPlan* plan) {
  plan->processes = 8;
  plan->hold = Delay::Exponential(1ms);
  plan->timeout = Delay::Exponential(5ms);
}

void Turn(Worker& worker) {
  if (worker.Take(worker.Sample(worker.plan().timeout))) {
    worker.Hold(worker.Sample(worker.plan().hold));
    worker.Give();
  }
  worker.Rest(worker.Sample(worker.plan().think));
}

Finding Check(const ContentionPlan& plan, const ContentionResult& result) {
  if (result.judgement.timeouts > 0 || plan.contenders() == 1) {
    return Finding::Pass();
  }
  return Finding::Inconclusive(
      "nobody had to give up: let them be less patient, with --timeout");
}

std::string Metrics(const ContentionPlan&, const ContentionResult& result) {
  const int64_t tries = result.judgement.timeouts + result.acquisitions;
  return fmt::format(
      "{} of {} tries were given up ({:.1f} %)", result.judgement.timeouts,
      tries,
      tries == 0 ? 0.0
                 : 100.0 * static_cast<double>(result.judgement.timeouts) /
                       static_cast<double>(tries));
}

const Registration kRegistered({
    .name = "timeouts",
    .doc = "waiters with short deadlines, of whom many give up",
    .setup = SetUp,
    .step = Turn,
    .check = Check,
    .metrics = Metrics,
});

}  // namespace
}  // namespace locklab::scenario
