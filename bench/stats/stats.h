// Are these numbers different, or is it noise? No distribution is assumed:
// times on shared machines have long tails, and a mean says little of them.
//
// Samples are positive and finite, one for each run of what is measured; those
// of one side are independent of each other. Pure functions: no call blocks,
// any thread, the same seed gives the same answer.
#ifndef LOCKLAB_BENCH_STATS_STATS_H_
#define LOCKLAB_BENCH_STATS_STATS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace locklab::stats {

// 0 of none.
[[nodiscard]] double Median(std::vector<double> samples);
// Of positive numbers; 1 of none.
[[nodiscard]] double GeometricMean(std::span<const double> values);

// The rank test of Mann and Whitney (1947), two-sided: how likely are ranks at
// least as unlike as these if both sides are alike? Exact where there are no
// ties and the sides are small, else by the normal approximation with the
// corrections for ties and continuity.
struct RankTest {
  double p = 1;
  // Vargha and Delaney (2000): how likely a candidate's sample is greater than
  // one of the base. 0.5: as likely as not; 0.56, 0.64 and 0.71 are commonly
  // called a small, a medium and a large effect.
  double effect = 0.5;
};
[[nodiscard]] RankTest MannWhitney(std::span<const double> base,
                                   std::span<const double> candidate);

// Of the ratio of medians, candidate / base: the percentile bootstrap (Efron
// 1979).
struct Interval {
  double low = 1;
  double ratio = 1;
  double high = 1;
};
[[nodiscard]] Interval RatioOfMedians(std::span<const double> base,
                                      std::span<const double> candidate,
                                      double confidence, uint64_t seed);

// With fewer samples on a side nothing is concluded: not even the most unlike
// ranks would be unlikely enough once several things are compared.
inline constexpr size_t kFewestSamples = 10;

enum class Change {
  kNone,     // nothing is shown: "~"
  kLess,     // the candidate's are less
  kGreater,  // the candidate's are greater
  kTooFew,   // samples, to say
};
[[nodiscard]] std::string_view ChangeName(Change change);

struct Comparison {
  Change change = Change::kTooFew;
  RankTest test;
  Interval ratio;
  size_t base_samples = 0;
  size_t candidate_samples = 0;
};

struct CompareOptions {
  double alpha = 0.01;  // a change is shown if p is less, and
                        // the interval of 1 - alpha does not hold 1
  uint64_t seed = 1;    // of the bootstrap
};

[[nodiscard]] Comparison Compare(std::span<const double> base,
                                 std::span<const double> candidate,
                                 const CompareOptions& options);

// How far apart the medians of two halves of the same thing came to lie, as a
// share of them: what is less than that is not worth a word. `first` and
// `second` were measured by turns from one and the same program. At least the
// half-width of the bootstrap's interval between them.
[[nodiscard]] double NoiseFloor(std::span<const double> first,
                                std::span<const double> second, uint64_t seed);

// Where a series of numbers in order of time changes its distribution: each the
// index of the first of the new ones. E-divisive by energy
// distances (Matteson and James 2014), significance by permutation, segments
// of at least `kShortestSegment`. Time: n^2 for each of 1 / alpha permutations.
inline constexpr size_t kShortestSegment = 5;
[[nodiscard]] std::vector<size_t> ChangePoints(std::span<const double> series,
                                               double alpha, uint64_t seed);

}  // namespace locklab::stats

#endif  // LOCKLAB_BENCH_STATS_STATS_H_
