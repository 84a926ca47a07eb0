#include "stress/run/detector.h"

#include "conformance/canary/canary.h"
#include "stress/run/contention.h"

namespace locklab::run {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""us;

ContentionPlan DetectorPlan(const std::string& dir, uint64_t seed) {
  ContentionPlan plan;
  plan.dir = dir;
  plan.processes = 8;
  plan.acquisitions = 200;
  plan.duration = 3s;  // a slow server may not get as far as that
  plan.floor = 16;
  plan.hold = Delay::Exponential(100us);
  plan.deadline = 20s;
  plan.seed = seed;
  return plan;
}

Detection ProveDetector(const std::string& dir, uint64_t seed,
                        const std::string& keep_history) {
  const canary::Canary& canary = canary::StandardCanary();
  const auto factory = canary.make(seed);
  ContentionPlan plan = DetectorPlan(dir, seed);
  plan.keep_history = keep_history;
  const ContentionResult result = RunContention(*factory, plan);
  return {.canary = std::string(canary.name),
          .caught = result.exclusion.verdict == Verdict::kFail &&
                    result.violations > 0 && result.witness_violations > 0,
          .reason = result.exclusion.reason};
}

}  // namespace locklab::run
