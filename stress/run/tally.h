// A histogram that many processes fill at once, in memory that they share.
#ifndef LOCKLAB_STRESS_RUN_TALLY_H_
#define LOCKLAB_STRESS_RUN_TALLY_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

#include "conformance/history/histogram.h"

namespace locklab::run {

class Tally {
 public:
  // Some tens of nanoseconds. Any thread, any process.
  void Record(int64_t value) {
    using history::Histogram;
    counts_[Histogram::IndexOf(
                static_cast<uint64_t>(std::max<int64_t>(value, 0)))]
        .fetch_add(1, std::memory_order_relaxed);
    int64_t max = max_.load(std::memory_order_relaxed);
    while (value > max && !max_.compare_exchange_weak(max, value)) {
    }
  }

  // What was recorded so far.
  [[nodiscard]] history::Histogram Read() const {
    history::Histogram histogram;
    for (size_t i = 0; i < counts_.size(); ++i) {
      const auto top = static_cast<int64_t>(history::Histogram::TopOf(i));
      histogram.Add(std::min(top, max_.load()), counts_[i].load());
    }
    return histogram;
  }

 private:
  std::array<std::atomic<int64_t>, history::Histogram::kBuckets> counts_{};
  std::atomic<int64_t> max_{0};
};

}  // namespace locklab::run

#endif  // LOCKLAB_STRESS_RUN_TALLY_H_
