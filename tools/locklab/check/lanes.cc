#include "tools/locklab/check/lanes.h"

#include <memory>
#include <utility>

#include "conformance/proc/interrupts.h"
#include "conformance/proc/poll_until.h"

namespace locklab::check {
namespace {

using namespace std::chrono_literals;

struct Lane {
  const Job* job = nullptr;
  std::unique_ptr<ClaimRun> run;
};

bool MayStart(const Job& job, const std::vector<Lane>& lanes) {
  if (lanes.empty()) return true;
  return !job.claim->alone && !lanes.front().job->claim->alone;
}

}  // namespace

void RunInLanes(const LanesPlan& plan, const std::vector<Job>& jobs,
                Arena& arena, const FoundFn& found) {
  std::vector<Lane> lanes;
  size_t next = 0;
  while (next < jobs.size() || !lanes.empty()) {
    while (lanes.size() < plan.lanes && next < jobs.size() &&
           MayStart(jobs[next], lanes)) {
      const Job& job = jobs[next++];
      const ClaimContext context{.subject = *job.subject,
                                 .arena = arena,
                                 .dir = plan.dir,
                                 .seed = plan.seed,
                                 .quick = plan.quick,
                                 .other_dir = plan.other_dir};
      lanes.push_back({&job, std::make_unique<ClaimRun>(*job.claim, context,
                                                        plan.deadline)});
    }
    // One look at each, and a short wait for the one that began first.
    for (size_t i = 0; i < lanes.size();) {
      const auto until = i == 0 ? proc::In(2ms) : proc::TimePoint::min();
      const auto finding = lanes[i].run->Wait(until);
      if (proc::Interrupts::Pending() != 0) return;
      if (!finding) {
        ++i;
        continue;
      }
      if (!found(*lanes[i].job, *finding, lanes[i].run->took())) return;
      lanes.erase(lanes.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
}

}  // namespace locklab::check
