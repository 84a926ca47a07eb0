// Waiting with a deadline, as the harness does it everywhere.
#ifndef LOCKLAB_CONFORMANCE_PROC_POLL_UNTIL_H_
#define LOCKLAB_CONFORMANCE_PROC_POLL_UNTIL_H_

#include <poll.h>

#include <chrono>
#include <functional>

#include "lib/os/os.h"

namespace locklab::proc {

using Clock = lockfile::os::Clock;
using TimePoint = lockfile::os::TimePoint;
using lockfile::os::kForever;

// The deadline `duration` from now.
template <typename Rep, typename Period>
TimePoint In(std::chrono::duration<Rep, Period> duration) {
  return Clock::now() + std::chrono::ceil<Clock::duration>(duration);
}

// poll(2) on one descriptor; a signal does not end the wait. Returns revents,
// 0 once the deadline came. Throws std::system_error.
short PollUntil(int fd, short events, TimePoint deadline);

// Looks every `step` until `condition` holds: true; or the deadline came:
// false. For what has no descriptor to wait on.
bool Eventually(const std::function<bool()>& condition, TimePoint deadline,
                std::chrono::microseconds step = std::chrono::milliseconds(1));

}  // namespace locklab::proc

#endif  // LOCKLAB_CONFORMANCE_PROC_POLL_UNTIL_H_
