#include "conformance/history/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace locklab::history {
namespace {

// The definition, on the values themselves.
int64_t Exact(const std::vector<int64_t>& sorted, double percent) {
  const auto rank = static_cast<size_t>(std::max(
      1.0, std::ceil(percent / 100 * static_cast<double>(sorted.size()))));
  return sorted[rank - 1];
}

TEST(Histogram, OfNothingIsAllZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.percentiles(), Percentiles{});
  EXPECT_EQ(histogram.count(), 0);
  EXPECT_EQ(histogram.mean(), 0);
}

TEST(Histogram, IsExactForOneValueWhateverItIs) {
  for (const int64_t value :
       {int64_t{0}, int64_t{1}, int64_t{255}, int64_t{256}, int64_t{1'000'003},
        std::numeric_limits<int64_t>::max()}) {
    Histogram histogram;
    histogram.Record(value);
    EXPECT_EQ(histogram.At(0), value);
    EXPECT_EQ(histogram.At(50), value);
    EXPECT_EQ(histogram.At(100), value);
    EXPECT_EQ(histogram.max(), value);
  }
}

TEST(Histogram, CountsWhatIsNegativeAsZero) {
  Histogram histogram;
  histogram.Record(-5);
  EXPECT_EQ(histogram.At(50), 0);
  EXPECT_EQ(histogram.min(), 0);
}

TEST(Histogram, IsWithinOnePercentOfTheExactPercentiles) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (const double scale : {10.0, 1e4, 1e9, 1e15}) {
    std::exponential_distribution<double> draw(1 / scale);
    Histogram histogram;
    std::vector<int64_t> values;
    for (int i = 0; i < 5000; ++i) {
      values.push_back(static_cast<int64_t>(draw(random)));
      histogram.Record(values.back());
    }
    std::sort(values.begin(), values.end());
    for (const double percent : {0.0, 1.0, 50.0, 90.0, 99.0, 99.9, 99.99}) {
      const auto exact = static_cast<double>(Exact(values, percent));
      const auto got = static_cast<double>(histogram.At(percent));
      EXPECT_GE(got, exact) << percent;
      EXPECT_LE(got, exact * 1.01) << percent;
    }
    EXPECT_EQ(histogram.max(), values.back());
    EXPECT_EQ(histogram.min(), values.front());
  }
}

TEST(Histogram, BucketsMeetWithoutGapsOrOverlaps) {
  for (int bit = 7; bit < 62; ++bit) {
    for (const int64_t near : {int64_t{-1}, int64_t{0}, int64_t{1}}) {
      const int64_t value = (int64_t{1} << bit) + near;
      Histogram histogram;
      histogram.Record(value);
      histogram.Record(std::numeric_limits<int64_t>::max());
      EXPECT_GE(histogram.At(50), value);
      EXPECT_LE(static_cast<double>(histogram.At(50)),
                static_cast<double>(value) * 1.01);
    }
  }
}

TEST(Histogram, MergedIsAsIfRecordedInOne) {
  std::mt19937_64 random(1);
  Histogram all;
  Histogram odd;
  Histogram even;
  for (int i = 0; i < 1000; ++i) {
    const auto value = static_cast<int64_t>(random() % 1'000'000);
    all.Record(value);
    (i % 2 == 0 ? even : odd).Record(value);
  }
  Histogram merged;
  merged.Merge(Histogram());
  merged.Merge(odd);
  merged.Merge(even);
  EXPECT_EQ(merged.percentiles(), all.percentiles());
  EXPECT_EQ(merged.min(), all.min());
  EXPECT_EQ(merged.count(), all.count());
  EXPECT_DOUBLE_EQ(merged.mean(), all.mean());
}

TEST(Histogram, IsRestoredFromItsBuckets) {
  std::mt19937_64 random(2);
  Histogram original;
  for (int i = 0; i < 1000; ++i) {
    original.Record(static_cast<int64_t>(random() % 1'000'000));
  }
  Histogram restored;
  original.ForEach([&](int64_t value, int64_t count) {
    EXPECT_GT(count, 0);
    restored.Add(value, count);
  });
  EXPECT_EQ(restored.count(), original.count());
  EXPECT_EQ(restored.At(50), original.At(50));
  EXPECT_EQ(restored.At(99), original.At(99));
}

}  // namespace
}  // namespace locklab::history
