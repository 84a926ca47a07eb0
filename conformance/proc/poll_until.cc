#include "conformance/proc/poll_until.h"

#include <cerrno>
#include <system_error>
#include <thread>

namespace locklab::proc {
namespace {

// Deadlines may lie at either end of the clock: no difference before the
// comparison.
timespec UntilFrom(TimePoint deadline, TimePoint now) {
  if (deadline <= now) return {0, 0};
  const auto left = (deadline - now) / std::chrono::nanoseconds(1);
  return {static_cast<time_t>(left / 1'000'000'000),
          static_cast<long>(left % 1'000'000'000)};
}

}  // namespace

short PollUntil(int fd, short events, TimePoint deadline) {
  for (;;) {
    pollfd poller{fd, events, 0};
    const timespec left = UntilFrom(deadline, Clock::now());
    const int ready =
        ppoll(&poller, 1, deadline == kForever ? nullptr : &left, nullptr);
    if (ready > 0) return poller.revents;
    if (ready == 0 && Clock::now() >= deadline) return 0;
    if (ready < 0 && errno != EINTR) {
      throw std::system_error(errno, std::generic_category(),
                              "cannot wait on a descriptor (ppoll)");
    }
  }
}

bool Eventually(const std::function<bool()>& condition, TimePoint deadline,
                std::chrono::microseconds step) {
  while (!condition()) {
    if (Clock::now() >= deadline) return condition();
    std::this_thread::sleep_for(step);
  }
  return true;
}

}  // namespace locklab::proc
