// One lock under all scenarios, for a claim to judge.
#ifndef LOCKLAB_STRESS_SCENARIOS_TRIAL_H_
#define LOCKLAB_STRESS_SCENARIOS_TRIAL_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "conformance/subject/subject.h"
#include "conformance/verdict/verdict.h"

namespace locklab::scenario {

struct TrialPlan {
  std::string dir;  // to contend in
  // How failures are to be seen again: "locklab stress --dir=D --backend=link".
  std::string replay;
  uint64_t seed = 0;
  bool quick = true;  // one scenario, drawn by the seed and the lock's name
};

// Puts the lock to the scenarios, for longer where a slow filesystem does not
// get enough done to judge by. What follows from them: that of the first that
// failed, if one did; nullopt: `go_on` said so. Main thread only.
std::optional<Finding> TryScenarios(const SubjectFactory& subject,
                                    const TrialPlan& plan,
                                    const std::function<bool()>& go_on);

}  // namespace locklab::scenario

#endif  // LOCKLAB_STRESS_SCENARIOS_TRIAL_H_
