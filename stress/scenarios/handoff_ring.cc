// The lock goes round: while one holds it the next one, and no other, waits for
// it. What is measured is the way from one to the other.
#include <fmt/format.h>

#include "conformance/proc/barrier.h"
#include "stress/scenarios/scenario.h"

namespace locklab::scenario {
namespace {

void SetUp(ContentionPlan* plan) {
  plan->processes = 2;
  // Long enough for the next one to be asleep when it is over.
  plan->hold = Delay::Fixed(1ms);
  plan->counter_file = false;
}

bool AwaitTurn(Worker& worker) {
  std::atomic<uint32_t>& baton = worker.board().baton;
  for (;;) {
    const uint32_t now = baton.load();
    if (static_cast<int>(now % static_cast<uint32_t>(worker.contenders())) ==
        worker.index()) {
      return !worker.Stopping();
    }
    if (!worker.AwaitChange(baton, now)) return false;
  }
}

void Turn(Worker& worker) {
  if (!AwaitTurn(worker)) return;
  const bool taken = worker.Take();
  worker.board().baton.fetch_add(1);
  proc::FutexWakeAll(worker.board().baton);
  if (!taken) return;
  worker.Hold(worker.Sample(worker.plan().hold));
  worker.Give();
}

Finding Check(const ContentionPlan& plan, const ContentionResult& result) {
  const int64_t handed = result.judgement.hand_off.count();
  if (plan.contenders() == 1 || 2 * handed >= result.acquisitions) {
    return Finding::Pass();
  }
  return Finding::Inconclusive(fmt::format(
      "only in {} of {} turns did the next one wait in time: hold it for "
      "longer, with --hold",
      handed, result.acquisitions));
}

const Registration kRegistered({
    .name = "handoff-ring",
    .doc = "the lock goes round: the next one waits while one holds it",
    .setup = SetUp,
    .step = Turn,
    .check = Check,
});

}  // namespace
}  // namespace locklab::scenario
