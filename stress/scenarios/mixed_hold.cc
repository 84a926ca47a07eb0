// One who holds the lock for long among many who do not.
#include "stress/scenarios/scenario.h"

namespace locklab::scenario {
namespace {

// As long as the others' hold.
constexpr int kSlow = 40;

void SetUp(ContentionPlan* plan) {
  plan->processes = 8;
  plan->hold = Delay::Exponential(200us);
}

void Turn(Worker& worker) {
  if (!worker.Take()) return;
  const Delay& hold = worker.plan().hold;
  worker.Hold(worker.index() == 0 ? kSlow * hold.mean() : worker.Sample(hold));
  worker.Give();
  worker.Rest(worker.Sample(worker.plan().think));
}

const Registration kRegistered({
    .name = "mixed-hold",
    .doc = "one holds it 40 times as long as the others",
    .setup = SetUp,
    .step = Turn,
});

}  // namespace
}  // namespace locklab::scenario
