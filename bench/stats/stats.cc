#include "bench/stats/stats.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <random>
#include <utility>

namespace locklab::stats {
namespace {

constexpr int kResamples = 2000;
constexpr int kPermutations = 999;  // at least
// Of both sides together, for the exact distribution.
constexpr size_t kSmall = 60;

// std::uniform_int_distribution is not the same everywhere.
size_t Draw(std::mt19937_64& random, size_t below) {
  return static_cast<size_t>(random() % below);
}

double MedianInPlace(std::vector<double>* samples) {
  if (samples->empty()) return 0;
  const auto middle =
      samples->begin() + static_cast<std::ptrdiff_t>(samples->size() / 2);
  std::nth_element(samples->begin(), middle, samples->end());
  if (samples->size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(samples->begin(), middle)) / 2;
}

// The share of the orders of m and n things, all as likely, in which U is at
// most `u`.
double ExactTail(size_t m, size_t n, size_t u) {
  // ways[i][k]: orders of i of the one kind and j of the other, for j from 0 to
  // n, in which U is k. Adding a thing of the other kind at the end adds
  // nothing; adding one of the one kind adds j.
  const size_t most = m * n;
  std::vector<std::vector<double>> ways(m + 1,
                                        std::vector<double>(most + 1, 0));
  for (size_t i = 0; i <= m; ++i) ways[i][0] = 1;
  for (size_t j = 1; j <= n; ++j) {
    for (size_t i = 1; i <= m; ++i) {
      for (size_t k = i * j + 1; k-- > j;) ways[i][k] += ways[i - 1][k - j];
    }
  }
  double all = 0;
  double tail = 0;
  for (size_t k = 0; k <= most; ++k) {
    all += ways[m][k];
    if (k <= u) tail += ways[m][k];
  }
  return tail / all;
}

struct Ranks {
  double sum_of_candidate = 0;  // ties share the mean of their ranks
  double ties = 0;              // sum of t^3 - t over groups of t that tie
};

Ranks RanksOf(std::span<const double> base, std::span<const double> candidate) {
  std::vector<std::pair<double, bool>> all;
  for (const double value : base) all.emplace_back(value, false);
  for (const double value : candidate) all.emplace_back(value, true);
  std::sort(all.begin(), all.end());
  Ranks ranks;
  for (size_t first = 0; first < all.size();) {
    size_t end = first;
    while (end < all.size() && all[end].first == all[first].first) ++end;
    const double mean = static_cast<double>(first + 1 + end) / 2;
    for (size_t i = first; i < end; ++i) {
      if (all[i].second) ranks.sum_of_candidate += mean;
    }
    const auto t = static_cast<double>(end - first);
    ranks.ties += t * t * t - t;
    first = end;
  }
  return ranks;
}

std::vector<double> Resample(std::span<const double> samples,
                             std::mt19937_64& random) {
  std::vector<double> drawn(samples.size());
  for (double& value : drawn) value = samples[Draw(random, samples.size())];
  return drawn;
}

// --- change points ----------------------------------------------------------

// Of one segment: sums of distances, so that each split costs little.
class Segment {
 public:
  explicit Segment(std::vector<double> values)
      : values_(std::move(values)),
        width_(values_.size() + 1),
        sums_(width_ * width_) {}

  struct Split {
    size_t at = 0;
    double energy = 0;
  };

  // The split whose sides are most unlike: the scaled energy distance of
  // Szekely and Rizzo, with exponent 1. The right side may end before the
  // segment does, or what changes and changes back would hide itself.
  [[nodiscard]] Split Best() {
    SumUp();
    const size_t size = values_.size();
    Split best;
    for (size_t at = kShortestSegment; at + kShortestSegment <= size; ++at) {
      const double left = Between(0, at, 0, at);
      for (size_t end = at + kShortestSegment; end <= size; ++end) {
        const auto m = static_cast<double>(at);
        const auto n = static_cast<double>(end - at);
        const double energy =
            m * n / (m + n) *
            (2 * Between(0, at, at, end) / (m * n) - left / (m * (m - 1)) -
             Between(at, end, at, end) / (n * (n - 1)));
        if (energy > best.energy) best = {at, energy};
      }
    }
    return best;
  }

  void Shuffle(std::mt19937_64& random) {
    for (size_t i = values_.size(); i > 1; --i) {
      std::swap(values_[i - 1], values_[Draw(random, i)]);
    }
  }

 private:
  // Of all distances from the first i to the first j.
  double& Sum(size_t i, size_t j) { return sums_[i * width_ + j]; }
  void SumUp() {
    for (size_t i = 1; i < width_; ++i) {
      double row = 0;
      for (size_t j = 1; j < width_; ++j) {
        row += std::fabs(values_[i - 1] - values_[j - 1]);
        Sum(i, j) = Sum(i - 1, j) + row;
      }
    }
  }
  // Of all distances from [a, b) to [c, d).
  double Between(size_t a, size_t b, size_t c, size_t d) {
    return Sum(b, d) - Sum(a, d) - Sum(b, c) + Sum(a, c);
  }

  std::vector<double> values_;
  size_t width_;
  std::vector<double> sums_;
};

// Where `values` changes, if it does.
std::optional<size_t> ChangeIn(std::span<const double> values, double alpha,
                               std::mt19937_64& random) {
  if (values.size() < 2 * kShortestSegment) return std::nullopt;
  Segment segment(std::vector<double>(values.begin(), values.end()));
  const Segment::Split found = segment.Best();
  if (found.at == 0) return std::nullopt;
  int as_good = 0;
  // So many that at least the best of all is as unlikely as alpha.
  const int permutations =
      std::max(kPermutations, static_cast<int>(std::ceil(1 / alpha)) - 1);
  const int most =
      std::max(static_cast<int>(alpha * (permutations + 1) + 1e-9) - 1, 0);
  for (int i = 0; i < permutations; ++i) {
    segment.Shuffle(random);
    if (segment.Best().energy >= found.energy && ++as_good > most) {
      return std::nullopt;
    }
  }
  return found.at;
}

void FindChanges(std::span<const double> series, size_t offset, double alpha,
                 std::mt19937_64& random, std::vector<size_t>* changes) {
  const std::optional<size_t> at = ChangeIn(series, alpha, random);
  if (!at) return;
  changes->push_back(offset + *at);
  FindChanges(series.first(*at), offset, alpha, random, changes);
  FindChanges(series.subspan(*at), offset + *at, alpha, random, changes);
}

}  // namespace

double Median(std::vector<double> samples) { return MedianInPlace(&samples); }

double GeometricMean(std::span<const double> values) {
  if (values.empty()) return 1;
  double sum = 0;
  for (const double value : values) sum += std::log(value);
  return std::exp(sum / static_cast<double>(values.size()));
}

RankTest MannWhitney(std::span<const double> base,
                     std::span<const double> candidate) {
  RankTest test;
  if (base.empty() || candidate.empty()) return test;
  const auto m = static_cast<double>(candidate.size());
  const auto n = static_cast<double>(base.size());
  const Ranks ranks = RanksOf(base, candidate);
  const double u = ranks.sum_of_candidate - m * (m + 1) / 2;
  test.effect = u / (m * n);
  const double smaller = std::min(u, m * n - u);
  if (ranks.ties == 0 && base.size() + candidate.size() <= kSmall) {
    const double tail = ExactTail(candidate.size(), base.size(),
                                  static_cast<size_t>(std::lround(smaller)));
    test.p = std::min(1.0, 2 * tail);
    return test;
  }
  const double total = m + n;
  const double variance =
      m * n / 12 * (total + 1 - ranks.ties / (total * (total - 1)));
  if (variance <= 0) return test;  // all are equal
  const double away = std::max(0.0, m * n / 2 - smaller - 0.5);
  test.p = std::erfc(away / std::sqrt(2 * variance));
  return test;
}

Interval RatioOfMedians(std::span<const double> base,
                        std::span<const double> candidate, double confidence,
                        uint64_t seed) {
  Interval interval;
  if (base.empty() || candidate.empty()) return interval;
  const auto ratio = [](std::vector<double> above, std::vector<double> below) {
    return MedianInPlace(&above) / MedianInPlace(&below);
  };
  interval.ratio =
      ratio({candidate.begin(), candidate.end()}, {base.begin(), base.end()});
  std::mt19937_64 random(seed);
  std::vector<double> ratios(kResamples);
  for (double& each : ratios) {
    each = ratio(Resample(candidate, random), Resample(base, random));
  }
  std::sort(ratios.begin(), ratios.end());
  const auto at = [&ratios](double share) {
    const double place = share * (static_cast<double>(ratios.size()) - 1);
    return ratios[static_cast<size_t>(std::lround(place))];
  };
  interval.low = at((1 - confidence) / 2);
  interval.high = at(1 - (1 - confidence) / 2);
  return interval;
}

std::string_view ChangeName(Change change) {
  switch (change) {
    case Change::kNone:
      return "~";
    case Change::kLess:
      return "less";
    case Change::kGreater:
      return "greater";
    case Change::kTooFew:
      return "too few";
  }
  return "?";
}

Comparison Compare(std::span<const double> base,
                   std::span<const double> candidate,
                   const CompareOptions& options) {
  Comparison result;
  result.base_samples = base.size();
  result.candidate_samples = candidate.size();
  result.test = MannWhitney(base, candidate);
  result.ratio =
      RatioOfMedians(base, candidate, 1 - options.alpha, options.seed);
  if (std::min(base.size(), candidate.size()) < kFewestSamples) return result;
  result.change = Change::kNone;
  if (result.test.p >= options.alpha) return result;
  if (result.ratio.high < 1) result.change = Change::kLess;
  if (result.ratio.low > 1) result.change = Change::kGreater;
  return result;
}

double NoiseFloor(std::span<const double> first, std::span<const double> second,
                  uint64_t seed) {
  const Interval interval = RatioOfMedians(first, second, 0.95, seed);
  return std::max(std::fabs(interval.ratio - 1),
                  (interval.high - interval.low) / 2);
}

std::vector<size_t> ChangePoints(std::span<const double> series, double alpha,
                                 uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<size_t> changes;
  FindChanges(series, 0, alpha, random, &changes);
  std::sort(changes.begin(), changes.end());
  return changes;
}

}  // namespace locklab::stats
