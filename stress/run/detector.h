// The proof that a run would have found two holders, had there been any.
#ifndef LOCKLAB_STRESS_RUN_DETECTOR_H_
#define LOCKLAB_STRESS_RUN_DETECTOR_H_

#include <cstdint>
#include <string>

#include "stress/run/plan.h"

namespace locklab::run {

struct Detection {
  std::string canary;  // its name
  bool caught = false;
  std::string reason;  // what was seen, or why nothing was
};

// The contest that a canary is put to in `dir`: some tenths of a second on a
// local disk, at most some seconds anywhere.
[[nodiscard]] ContentionPlan DetectorPlan(const std::string& dir,
                                          uint64_t seed);

// Lets the standard canary be contended for in `dir`. A run whose canary is
// not caught is inconclusive, whatever else it found. See RunContention, and
// ContentionPlan::keep_history.
[[nodiscard]] Detection ProveDetector(const std::string& dir, uint64_t seed,
                                      const std::string& keep_history = "");

}  // namespace locklab::run

#endif  // LOCKLAB_STRESS_RUN_DETECTOR_H_
