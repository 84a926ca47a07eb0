// What is expected of few samples is counted by hand; of many, how often they
// mislead.
#include "bench/stats/stats.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace locklab::stats {
namespace {

// Lognormal: a long tail, as times have. Not from std::lognormal_distribution,
// whose draws differ from library to library.
std::vector<double> Times(size_t count, double median, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<double> times(count);
  for (double& time : times) {
    double sum = 0;  // nearly normal
    for (int i = 0; i < 12; ++i) {
      sum += static_cast<double>(random() >> 11) / 9007199254740992.0;
    }
    time = median * std::exp(0.05 * (sum - 6));
  }
  return times;
}

TEST(Median, IsTheMiddleOrTheMeanOfTheMiddleTwo) {
  EXPECT_EQ(Median({}), 0);
  EXPECT_EQ(Median({7}), 7);
  EXPECT_EQ(Median({9, 1, 5}), 5);
  EXPECT_EQ(Median({9, 1, 5, 7}), 6);
}

TEST(GeometricMean, OfARatioAndItsInverseIsOne) {
  EXPECT_DOUBLE_EQ(GeometricMean(std::vector<double>{0.5, 2}), 1);
  EXPECT_DOUBLE_EQ(GeometricMean(std::vector<double>{2, 8}), 4);
  EXPECT_DOUBLE_EQ(GeometricMean({}), 1);
}

TEST(MannWhitney, IsExactForFew) {
  // All of one side below the other: 2 of C(6, 3) orders, by hand.
  const std::vector<double> low = {1, 2, 3};
  const std::vector<double> high = {4, 5, 6};
  EXPECT_NEAR(MannWhitney(low, high).p, 2.0 / 20, 1e-12);
  EXPECT_EQ(MannWhitney(low, high).effect, 1);
  EXPECT_EQ(MannWhitney(high, low).effect, 0);
  // U = 5 of 25, and of C(10, 5) = 252 orders 1 + 1 + 2 + 3 + 5 + 7 have at
  // most that: the partitions of 0 to 5.
  const std::vector<double> a = {1, 2, 3, 6, 8};
  const std::vector<double> b = {4, 5, 7, 9, 10};
  EXPECT_NEAR(MannWhitney(a, b).p, 2 * 19.0 / 252, 1e-12);
  EXPECT_NEAR(MannWhitney(a, b).effect, 20.0 / 25, 1e-12);
}

TEST(MannWhitney, OfTenAndTenReachesItsLeast) {
  std::vector<double> a(10);
  std::vector<double> b(10);
  for (int i = 0; i < 10; ++i) a[i] = i, b[i] = 100 + i;
  EXPECT_NEAR(MannWhitney(a, b).p, 2.0 / 184756, 1e-12);  // C(20, 10)
}

TEST(MannWhitney, SharesRanksAmongTies) {
  // Ranks 1, 2.5, 2.5, 5, 5, 5, 7, 8: U = 2.5 of 16, variance 11.4286.
  const std::vector<double> a = {1, 2, 2, 3};
  const std::vector<double> b = {3, 3, 4, 5};
  const double away = (8 - 1 - 0.5) / std::sqrt(4.0 * 4 / 12 * (9 - 30.0 / 56));
  EXPECT_NEAR(MannWhitney(a, b).p, std::erfc(away / std::sqrt(2)), 1e-9);
  EXPECT_EQ(MannWhitney(a, a).p, 1);
  const std::vector<double> same(20, 3);
  EXPECT_EQ(MannWhitney(same, same).p, 1);
  EXPECT_EQ(MannWhitney(same, same).effect, 0.5);
}

TEST(RatioOfMedians, HoldsTheTrueRatio) {
  int held = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const Interval interval = RatioOfMedians(
        Times(30, 100, 2 * seed), Times(30, 110, 2 * seed + 1), 0.95, seed);
    EXPECT_LE(interval.low, interval.ratio);
    EXPECT_GE(interval.high, interval.ratio);
    if (interval.low <= 1.1 && interval.high >= 1.1) ++held;
  }
  EXPECT_GE(held, 88);
  EXPECT_LE(held, 100);
}

TEST(Compare, RefusesTooFew) {
  EXPECT_EQ(Compare(Times(9, 100, 1), Times(50, 900, 2), {}).change,
            Change::kTooFew);
  EXPECT_EQ(Compare({}, {}, {}).change, Change::kTooFew);
}

TEST(Compare, ShowsAChangeAndItsDirection) {
  const auto base = Times(20, 100, 1);
  EXPECT_EQ(Compare(base, Times(20, 110, 2), {}).change, Change::kGreater);
  EXPECT_EQ(Compare(base, Times(20, 90, 2), {}).change, Change::kLess);
  EXPECT_EQ(Compare(base, base, {}).change, Change::kNone);
}

// An alarm about nothing comes about as seldom as alpha says.
TEST(Compare, IsSeldomWrongAboutNothing) {
  int alarms = 0;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    const Comparison compared = Compare(
        Times(12, 100, 2 * seed), Times(12, 100, 2 * seed + 1), {.seed = seed});
    if (compared.change != Change::kNone) ++alarms;
  }
  EXPECT_LE(alarms, 12) << "of 500, with alpha 0.01";
}

TEST(NoiseFloor, IsAboutTheSpreadOfTheMedian) {
  const double calm = NoiseFloor(Times(20, 100, 1), Times(20, 100, 2), 1);
  EXPECT_GT(calm, 0.005);
  EXPECT_LT(calm, 0.08);
  EXPECT_GT(NoiseFloor(Times(20, 100, 1), Times(20, 120, 2), 1), 0.15);
}

TEST(ChangePoints, NamesTheFirstOfTheNew) {
  std::vector<double> series = Times(20, 100, 1);
  for (const double value : Times(15, 150, 2)) series.push_back(value);
  for (const double value : Times(10, 75, 3)) series.push_back(value);
  EXPECT_EQ(ChangePoints(series, 0.01, 1), (std::vector<size_t>{20, 35}));
}

TEST(ChangePoints, ShowWhatChangesAndChangesBack) {
  std::vector<double> series = Times(12, 100, 1);
  for (const double value : Times(13, 150, 2)) series.push_back(value);
  for (const double value : Times(15, 100, 3)) series.push_back(value);
  EXPECT_EQ(ChangePoints(series, 0.0002, 1), (std::vector<size_t>{12, 25}));
}

TEST(ChangePoints, AreNotFoundInNoise) {
  int alarms = 0;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    if (!ChangePoints(Times(30, 100, seed), 0.01, seed).empty()) ++alarms;
  }
  EXPECT_LE(alarms, 3) << "of 50, with alpha 0.01";
  EXPECT_TRUE(ChangePoints({}, 0.01, 1).empty());
  EXPECT_TRUE(ChangePoints(Times(9, 100, 1), 0.01, 1).empty());
  EXPECT_TRUE(ChangePoints(std::vector<double>(40, 5), 0.01, 1).empty());
}

}  // namespace
}  // namespace locklab::stats
