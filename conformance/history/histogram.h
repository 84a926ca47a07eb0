// How often which duration was seen: any number of them in a fixed amount of
// memory, each to within 1 %.
//
// Buckets are log-linear, as in HdrHistogram: each power of two is cut into
// 128 of equal width, so that a bucket is never wider than 1/128 of what is in
// it. Values below 256 are exact.
#ifndef LOCKLAB_CONFORMANCE_HISTORY_HISTOGRAM_H_
#define LOCKLAB_CONFORMANCE_HISTORY_HISTOGRAM_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace locklab::history {

// In nanoseconds; all zero if nothing was recorded.
struct Percentiles {
  int64_t p50 = 0;
  int64_t p90 = 0;
  int64_t p99 = 0;
  int64_t p99_9 = 0;
  int64_t p99_99 = 0;
  int64_t max = 0;  // exact

  bool operator==(const Percentiles&) const = default;
};

class Histogram {
 public:
  static constexpr size_t kBuckets = size_t{128} * 57;

  // The bucket of a value, and the largest value of a bucket: for those who
  // count elsewhere and Add() the counts later.
  static size_t IndexOf(uint64_t value) {
    if (value < 256) return value;
    const int shift = std::bit_width(value) - 8;
    return static_cast<size_t>(shift) * 128 + (value >> shift);
  }
  static uint64_t TopOf(size_t index);

  Histogram() : buckets_(kBuckets) {}

  // Some nanoseconds. What is negative counts as zero.
  void Record(int64_t value) {
    const auto counted = static_cast<uint64_t>(value < 0 ? 0 : value);
    ++buckets_[IndexOf(counted)];
    ++count_;
    sum_ += static_cast<double>(counted);
    if (count_ == 1 || counted < min_) min_ = counted;
    if (counted > max_) max_ = counted;
  }
  void Merge(const Histogram& other);

  [[nodiscard]] int64_t count() const { return count_; }
  [[nodiscard]] int64_t min() const { return static_cast<int64_t>(min_); }
  [[nodiscard]] int64_t max() const { return static_cast<int64_t>(max_); }
  [[nodiscard]] double mean() const {
    return count_ == 0 ? 0 : sum_ / static_cast<double>(count_);
  }
  // The smallest value that `percent` of all are not above, at most 1 % too
  // large; 0 if nothing was recorded.
  [[nodiscard]] int64_t At(double percent) const;
  [[nodiscard]] Percentiles percentiles() const;

  // Calls with (largest value of the bucket, count) for each that is not
  // empty, in rising order: for storing.
  void ForEach(const std::function<void(int64_t, int64_t)>& visit) const;
  // The reverse: adds `count` values of about `value`.
  void Add(int64_t value, int64_t count);

 private:
  std::vector<int64_t> buckets_;
  int64_t count_ = 0;
  uint64_t min_ = 0;
  uint64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace locklab::history

#endif  // LOCKLAB_CONFORMANCE_HISTORY_HISTOGRAM_H_
