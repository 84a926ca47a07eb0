// Examines many claims, some at a time: most of them wait more than they work.
#ifndef LOCKLAB_TOOLS_LOCKLAB_CHECK_LANES_H_
#define LOCKLAB_TOOLS_LOCKLAB_CHECK_LANES_H_

#include <chrono>
#include <functional>
#include <vector>

#include "conformance/claims/claim.h"

namespace locklab::check {

struct Job {
  const Claim* claim = nullptr;
  const SubjectFactory* subject = nullptr;
  size_t tag = 0;  // the caller's own
};

struct LanesPlan {
  size_t lanes = 3;
  std::string dir;
  std::string other_dir;  // see ClaimContext
  uint64_t seed = 0;
  bool quick = true;
  std::chrono::milliseconds deadline{60000};  // of each claim
};

// What was found, and how long it took. Returns false: no more is wanted.
using FoundFn =
    std::function<bool(const Job&, const Finding&, std::chrono::nanoseconds)>;

// Runs the jobs in their order, those that disturb others by themselves, and
// tells each finding as it comes. Ends early
// on an interrupt (proc::Interrupts); what was under way is killed and not
// told. Main thread only.
void RunInLanes(const LanesPlan& plan, const std::vector<Job>& jobs,
                Arena& arena, const FoundFn& found);

}  // namespace locklab::check

#endif  // LOCKLAB_TOOLS_LOCKLAB_CHECK_LANES_H_
