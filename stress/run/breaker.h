// Somebody who breaks another's lock: a process that takes no part in the
// contention.
#ifndef LOCKLAB_STRESS_RUN_BREAKER_H_
#define LOCKLAB_STRESS_RUN_BREAKER_H_

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "conformance/proc/child.h"
#include "conformance/proc/poll_until.h"
#include "conformance/proc/shared.h"
#include "conformance/subject/subject.h"

namespace locklab::run {

// For one break. Dies with it. Main thread only.
class Breaker {
 public:
  // Starts it. It reads who holds the lock at `path`, and waits for an order.
  // `subject` outlives it. Throws std::system_error.
  Breaker(const SubjectFactory& subject, const std::string& path);

  // Whether it has read that the process `holder` holds the lock.
  [[nodiscard]] bool Names(pid_t holder, proc::TimePoint deadline);
  // Breaks the lock of whom it has read, and of nobody else. False: the call
  // failed, or did not return by then. `broke`: that there was something to
  // break.
  [[nodiscard]] bool Break(proc::TimePoint deadline, bool* broke);
  // Why it did not.
  [[nodiscard]] std::string error() const { return order_->error.data(); }

 private:
  struct Order {
    std::atomic<uint32_t> step;  // futex, see breaker.cc
    std::atomic<pid_t> holder;   // 0: nobody, or it could not be read
    std::atomic<bool> ok;
    std::atomic<bool> broke;
    std::array<char, 240> error;
  };

  [[nodiscard]] int Main(const SubjectFactory& subject,
                         const std::string& path) const;
  [[nodiscard]] bool Await(uint32_t step, proc::TimePoint deadline) const;
  void Tell(uint32_t step) const;

  proc::Shared<Order> order_;
  proc::Child child_;
};

}  // namespace locklab::run

#endif  // LOCKLAB_STRESS_RUN_BREAKER_H_
