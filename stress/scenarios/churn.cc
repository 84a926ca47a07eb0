// Processes that come, take the lock once, give it back and go.
#include "stress/scenarios/scenario.h"

namespace locklab::scenario {
namespace {

void SetUp(ContentionPlan* plan) {
  plan->processes = 8;
  plan->hold = Delay::Exponential(100us);
}

void Turn(Worker& worker) {
  const bool lived = worker.InNewProcess([&worker] {
    if (!worker.Take()) return;
    worker.Hold(worker.Sample(worker.plan().hold));
    worker.Give();
  });
  if (lived) worker.Rest(worker.Sample(worker.plan().think));
}

const Registration kRegistered({
    .name = "churn",
    .doc = "processes that start, take the lock once, give it back and exit",
    .setup = SetUp,
    .step = Turn,
});

}  // namespace
}  // namespace locklab::scenario
