// Locks under the scenarios of stress/scenarios: a claim judges them.
#ifndef LOCKLAB_TOOLS_LOCKLAB_CHECK_SCENARIOS_H_
#define LOCKLAB_TOOLS_LOCKLAB_CHECK_SCENARIOS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "conformance/subject/subject.h"
#include "conformance/verdict/verdict.h"

namespace locklab::check {

struct ScenariosPlan {
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
                                    const ScenariosPlan& plan,
                                    const std::function<bool()>& go_on);

}  // namespace locklab::check

#endif  // LOCKLAB_TOOLS_LOCKLAB_CHECK_SCENARIOS_H_
