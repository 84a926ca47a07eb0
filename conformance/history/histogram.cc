#include "conformance/history/histogram.h"

#include <algorithm>
#include <cmath>

namespace locklab::history {

uint64_t Histogram::TopOf(size_t index) {
  if (index < 256) return index;
  const auto shift = index / 128 - 1;
  const uint64_t low = (index - shift * 128) << shift;
  return low + (uint64_t{1} << shift) - 1;
}

void Histogram::Merge(const Histogram& other) {
  if (other.count_ == 0) return;
  for (size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  count_ += other.count_;
  sum_ += other.sum_;
}

void Histogram::Add(int64_t value, int64_t count) {
  if (count <= 0) return;
  Record(value);
  const auto counted = static_cast<uint64_t>(std::max<int64_t>(value, 0));
  buckets_[IndexOf(counted)] += count - 1;
  count_ += count - 1;
  sum_ += static_cast<double>(counted) * static_cast<double>(count - 1);
}

int64_t Histogram::At(double percent) const {
  if (count_ == 0) return 0;
  const double share = std::clamp(percent, 0.0, 100.0) / 100;
  const auto rank = std::max<int64_t>(
      1, static_cast<int64_t>(std::ceil(share * static_cast<double>(count_))));
  int64_t seen = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= rank) {
      return static_cast<int64_t>(std::clamp(TopOf(i), min_, max_));
    }
  }
  return max();
}

Percentiles Histogram::percentiles() const {
  return {.p50 = At(50),
          .p90 = At(90),
          .p99 = At(99),
          .p99_9 = At(99.9),
          .p99_99 = At(99.99),
          .max = max()};
}

void Histogram::ForEach(
    const std::function<void(int64_t, int64_t)>& visit) const {
  for (size_t i = 0; i < kBuckets; ++i) {
    if (buckets_[i] > 0) visit(static_cast<int64_t>(TopOf(i)), buckets_[i]);
  }
}

}  // namespace locklab::history
