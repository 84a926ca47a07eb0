// Closed loop: everybody wants the lock again as soon as it was given back. The
// contest that `locklab check` holds for each lock.
#include "stress/scenarios/scenario.h"

namespace locklab::scenario {
namespace {

void SetUp(ContentionPlan* plan) {
  plan->processes = 8;
  plan->hold = Delay::Fixed(500us);
  // The hold is to be the hold and nothing else.
  plan->counter_file = false;
}

const Registration kRegistered({
    .name = "contention",
    .doc = "closed loop: all want the lock again as soon as they gave it back",
    .setup = SetUp,
});

}  // namespace
}  // namespace locklab::scenario
