// All are let loose on the free lock at one moment, each gets it once, and then
// they meet again.
#include "stress/scenarios/scenario.h"

namespace locklab::scenario {
namespace {

void SetUp(ContentionPlan* plan) {
  plan->processes = 16;
  plan->hold = Delay::Fixed(50us);
}

void Turn(Worker& worker) {
  if (!worker.Meet() || !worker.Take()) return;
  worker.Hold(worker.Sample(worker.plan().hold));
  worker.Give();
}

const Registration kRegistered({
    .name = "herd",
    .doc =
        "all are let loose on the free lock at one moment, round after round",
    .setup = SetUp,
    .step = Turn,
});

}  // namespace
}  // namespace locklab::scenario
