// Many locks in one directory: whoever waits for one is not to be disturbed by
// the others, nor let in by them.
#include "stress/scenarios/scenario.h"

namespace locklab::scenario {
namespace {

void SetUp(ContentionPlan* plan) {
  plan->processes = 32;
  plan->locks = 8;
  plan->hold = Delay::Exponential(500us);
  plan->think = Delay::Exponential(1ms);
}

const Registration kRegistered({
    .name = "many-locks",
    .doc = "many locks in one directory, a few contenders for each",
    .setup = SetUp,
});

}  // namespace
}  // namespace locklab::scenario
