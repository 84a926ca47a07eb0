// How many processes and threads the system allows, before any is started.
#ifndef LOCKLAB_STRESS_RUN_LIMITS_H_
#define LOCKLAB_STRESS_RUN_LIMITS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace locklab::run {

// Something that there is so much of for tasks (processes and threads).
struct Limit {
  std::string name;    // "ulimit -u (RLIMIT_NPROC)"
  int64_t most = 0;    // tasks
  int64_t used = 0;    // by tasks that there are
  std::string remedy;  // "raise it with `ulimit -u`"
};

// Those that hold for this process: of its user, its control groups, the kernel
// and the memory. What cannot be read is left out.
[[nodiscard]] std::vector<Limit> TaskLimits();

// Why there cannot be so many more: which limit, how many it leaves, and what
// to do. Empty: there can.
[[nodiscard]] std::string WhyNotSoMany(int64_t processes, int64_t threads,
                                       const std::vector<Limit>& limits);

// For tests: the directories of the control groups that /proc/self/cgroup
// (see cgroups(7)) names, outermost last, below `root`.
[[nodiscard]] std::vector<std::string> PidsGroups(const std::string& cgroups,
                                                  const std::string& root);

}  // namespace locklab::run

#endif  // LOCKLAB_STRESS_RUN_LIMITS_H_
