// Everybody is idle most of the time, so that the lock is mostly free.
#include "stress/scenarios/scenario.h"

namespace locklab::scenario {
namespace {

void SetUp(ContentionPlan* plan) {
  plan->processes = 16;
  plan->hold = Delay::Exponential(100us);
  plan->think = Delay::Exponential(20ms);
  plan->counter_file = false;
}

const Registration kRegistered({
    .name = "think-time",
    .doc = "mostly idle: each holds it for a moment and rests long",
    .setup = SetUp,
});

}  // namespace
}  // namespace locklab::scenario
