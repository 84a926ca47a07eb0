// Two sets of samples side by side: what changed, and what follows for a gate.
#ifndef LOCKLAB_BENCH_COMPARE_COMPARE_H_
#define LOCKLAB_BENCH_COMPARE_COMPARE_H_

#include <string>
#include <utility>
#include <vector>

#include "bench/compare/series.h"
#include "bench/stats/stats.h"
#include "conformance/verdict/exit.h"

namespace locklab::bench {

struct Limits {
  // How likely an alarm about nothing may be, over all rows together (divided
  // among them: Bonferroni).
  double alpha = 0.01;
  // A slow-down that is shown matters if it is more than this share of the
  // base, and more than three times the noise floor.
  double max_regression = 0.05;
  uint64_t seed = 1;
};

struct Row {
  std::string backend;
  std::string measure;
  std::string unit = "ns";
  double base_ns = 0;  // medians, in the unit
  double candidate_ns = 0;
  stats::Comparison comparison = {};
  // Of the base's samples, first against second by turns: A against A.
  double noise = 0;
  bool regressed = false;
};

// Over all measures of one name.
struct Group {
  std::string measure;
  double ratio = 1;  // geometric mean of the ratios of medians
};

struct Compared {
  std::vector<Row> rows;
  std::vector<Group> groups;
  double noise = 0;                 // the median of the rows'
  std::vector<std::string> apart;   // what is on one side only
  std::vector<std::string> differ;  // of the environments
  // Locks that were correct in the base and are not in the candidate, or are
  // not correct there and not in the base at all; and why.
  std::vector<std::string> newly_wrong;

  [[nodiscard]] bool regressed() const;
  [[nodiscard]] bool too_few() const;  // samples, in some row
};

// Pure: the same files give the same answer.
[[nodiscard]] Compared CompareFiles(const SeriesFile& base,
                                    const SeriesFile& candidate,
                                    const Limits& limits);

// What a gate says: kExitFailed: a regression or a lock that is newly wrong;
// kExitInconclusive: too few samples, or what the base has is missing;
// kExitNothingRan: nothing is on both sides.
[[nodiscard]] Exit Judge(const Compared& compared);

[[nodiscard]] std::string ToText(const Compared& compared, bool gate);
[[nodiscard]] std::string ToMarkdown(const Compared& compared);
[[nodiscard]] std::string ToJson(const Compared& compared,
                                 const Limits& limits);

// Samples as the services that keep numbers over time take them: an array of
// {name, unit, value, range} (github-action-benchmark, customSmallerIsBetter),
// and the Bencher Metric Format.
[[nodiscard]] std::string ToGithubActionBenchmark(const SeriesFile& file);
[[nodiscard]] std::string ToBencher(const SeriesFile& file);

}  // namespace locklab::bench

#endif  // LOCKLAB_BENCH_COMPARE_COMPARE_H_
