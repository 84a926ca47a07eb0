// A point in monotonic time up to which a call may wait.
#ifndef LOCKLAB_LIB_DEADLINE_H_
#define LOCKLAB_LIB_DEADLINE_H_

#include <algorithm>
#include <chrono>

#include "lib/os/os.h"

namespace lockfile {

class Deadline {
 public:
  using Duration = std::chrono::nanoseconds;

  // Waits as long as it takes.
  static Deadline Never() { return Deadline(os::kForever, true); }
  // Does not wait at all.
  static Deadline Now() { return Deadline(os::TimePoint::min(), false); }
  static Deadline At(os::TimePoint at) { return Deadline(at, true); }
  // <= 0: does not wait. Durations beyond the clock's range never end. A clock
  // may stand before its zero: a seam's own, soon after the machine's boot.
  static Deadline After(Duration duration, os::TimePoint now) {
    if (duration <= Duration::zero()) return Now();
    if (now > os::kForever - duration) return Never();
    return At(now + std::chrono::duration_cast<os::Clock::duration>(duration));
  }

  // Whether waiting was asked for: a refusal is LockTimeout, not
  // AlreadyLocked.
  [[nodiscard]] bool may_wait() const { return may_wait_; }
  [[nodiscard]] os::TimePoint at() const { return at_; }
  [[nodiscard]] bool never() const { return at_ == os::kForever; }
  [[nodiscard]] bool passed(os::TimePoint now) const { return now >= at_; }
  // The earlier of the deadline and `slice` from now.
  [[nodiscard]] os::TimePoint Slice(Duration slice, os::TimePoint now) const {
    return std::min(at_, After(slice, now).at_);
  }

 private:
  Deadline(os::TimePoint at, bool may_wait) : at_(at), may_wait_(may_wait) {}

  os::TimePoint at_;
  bool may_wait_;
};

}  // namespace lockfile

#endif  // LOCKLAB_LIB_DEADLINE_H_
