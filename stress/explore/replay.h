// A schedule on a real filesystem: a real process for each of the model's,
// held up before each call through the seam until its turn comes.
//
// The directory, its files and the kernel's locks are real; what the processes
// believe of themselves and of time is the model's: names, pids, clocks. A pid
// of the model stands for a real process, which is asked about, and is killed
// where the schedule lets one die.
#ifndef LOCKLAB_STRESS_EXPLORE_REPLAY_H_
#define LOCKLAB_STRESS_EXPLORE_REPLAY_H_

#include <string>
#include <vector>

#include "stress/explore/scene.h"
#include "stress/explore/tell.h"

namespace locklab::explore {

struct Replayed {
  std::vector<ToldCall> calls;  // what was done, and what came of it
  bool two_held = false;  // a witness in shared memory saw two holders at once
  // Where the real thing did not do what the model does, and both; empty: it
  // always did. The replay ends there.
  std::string departed;
};

// In `dir`, which exists and is empty. Blocks until all is done; no process
// is left. Stale looks and lost replies are made by the process itself, which
// answers from its memory or makes the call twice, as are errors; lost leases
// and boots cannot be made. Throws std::invalid_argument where the schedule is
// impossible in the model, or holds what cannot be made; std::system_error
// where there are no processes to be had.
[[nodiscard]] Replayed ReplayOn(const Scene& scene, const Schedule& schedule,
                                const std::string& dir);

}  // namespace locklab::explore

#endif  // LOCKLAB_STRESS_EXPLORE_REPLAY_H_
