// When one contender of an open loop is to want the lock: a schedule that was
// made beforehand and does not wait for anybody. A late start is counted as
// waiting, so that a lock that stands still cannot hide it.
#ifndef LOCKLAB_STRESS_RUN_ARRIVALS_H_
#define LOCKLAB_STRESS_RUN_ARRIVALS_H_

#include <chrono>
#include <cstdint>
#include <random>

#include "stress/run/plan.h"

namespace locklab::run {

class Arrivals {
 public:
  // The share of contender `index` in plan.rate: every contender's interval is
  // the same, and fixed ones are staggered.
  Arrivals(const ContentionPlan& plan, int index, uint64_t seed)
      : gap_(Interval(plan)), random_(seed) {
    const auto interval = gap_.mean();
    next_ = plan.poisson ? gap_.Sample(random_)
                         : interval * index / plan.contenders();
  }

  // Since the start. Due next, and then the one after it.
  [[nodiscard]] std::chrono::nanoseconds next() const { return next_; }
  void Advance() { next_ += gap_.Sample(random_); }

  // How many are due by then.
  [[nodiscard]] int64_t CountUntil(std::chrono::nanoseconds time) {
    int64_t count = 0;
    for (; next_ <= time; Advance()) ++count;
    return count;
  }

 private:
  static Delay Interval(const ContentionPlan& plan) {
    const std::chrono::nanoseconds each(
        static_cast<int64_t>(1e9 * plan.contenders() / plan.rate));
    return plan.poisson ? Delay::Exponential(each) : Delay::Fixed(each);
  }

  Delay gap_;
  std::mt19937_64 random_;
  std::chrono::nanoseconds next_{0};
};

}  // namespace locklab::run

#endif  // LOCKLAB_STRESS_RUN_ARRIVALS_H_
