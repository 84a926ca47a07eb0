// Open loop: the lock is wanted at times that were decided beforehand, whether
// the last ones have had it or not. A wait counts from the time of the
// schedule, so that who comes late because the lock stood still is counted as
// waiting.
#include <fmt/format.h>

#include <algorithm>

#include "stress/scenarios/scenario.h"

namespace locklab::scenario {
namespace {

void SetUp(ContentionPlan* plan) {
  plan->processes = 8;
  plan->hold = Delay::Exponential(500us);
  plan->rate = 500;
  plan->counter_file = false;
}

void Turn(Worker& worker) {
  if (!worker.AwaitArrival() || !worker.Take()) return;
  worker.Served();
  worker.Hold(worker.Sample(worker.plan().hold));
  worker.Give();
}

std::string Metrics(const ContentionPlan& plan,
                    const ContentionResult& result) {
  const auto response = result.response.percentiles();
  const auto ms = [](int64_t ns) { return static_cast<double>(ns) / 1e6; };
  const int64_t arrivals = result.acquisitions + result.backlog;
  // One for each contender may be under way at any time.
  const bool kept_up =
      result.backlog <= std::max<int64_t>(plan.contenders(), arrivals / 100);
  return fmt::format(
      "from the intended start: p50 {:.3g} ms, p99 {:.3g} ms, p99.9 {:.3g} ms, "
      "p99.99 {:.3g} ms, max {:.3g} ms; {} of {} arrivals were not served at "
      "the end{}",
      ms(response.p50), ms(response.p99), ms(response.p99_9),
      ms(response.p99_99), ms(response.max), result.backlog, arrivals,
      kept_up ? "" : ": IT DID NOT KEEP UP");
}

const Registration kRegistered({
    .name = "open-loop",
    .doc = "arrivals at a rate, whether the last ones have had the lock or not",
    .setup = SetUp,
    .step = Turn,
    .metrics = Metrics,
});

}  // namespace
}  // namespace locklab::scenario
