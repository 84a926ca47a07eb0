// What a history of runs shows: where a number changed for good, by how much,
// and with which run. E-divisive (see stats::ChangePoints) on each series: one
// number a run, the runs in order of time.
#ifndef LOCKLAB_BENCH_TREND_TREND_H_
#define LOCKLAB_BENCH_TREND_TREND_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bench/stats/stats.h"
#include "conformance/verdict/exit.h"

namespace locklab::bench {

// One run, as much of it as a trend needs.
struct TrendRun {
  std::string run_id;
  std::string started;  // UTC
  std::string suite_version;
  std::string kind;     // "check" or "bench"
  std::string profile;  // of check
  std::string place;    // a variant of the lab, or else a directory
  std::string host;
  // What has to be the same, or a change may be of the machine: "host",
  // "kernel", "processors", "filesystem".
  std::vector<std::pair<std::string, std::string>> surroundings;
  // Positive and finite; less is better. Only of locks that were correct.
  struct Number {
    std::string backend;
    std::string measure;
    std::string unit;
    double value = 0;
  };
  std::vector<Number> numbers = {};
  // Whether each lock was correct: "safe", "unsafe" or "unsupported" of check,
  // "pass" or "fail" of bench, ...
  struct Lock {
    std::string backend;
    std::string verdict;
    std::string reason;
  };
  std::vector<Lock> locks = {};
};

struct TrendLimits {
  // How likely an alarm about nothing may be, over all series together.
  double alpha = 0.01;
  // A change for the worse that stands matters if it is more than this share,
  // and more than three times the noise floor of the runs before it.
  double max_regression = 0.05;
  // Changes in runs before this one are told, and accepted. Empty: none is.
  std::string since = {};
  // Runs of several hosts become series of their own, as on the page. False:
  // they are one, and Trend::mixed says so.
  bool hosts_apart = false;
  uint64_t seed = 1;  // of permutations and resamples
};

enum class Standing {
  kBetter,     // the number fell
  kSmall,      // it rose by no more than what matters
  kTakenBack,  // it rose, and is near what it was before by now
  kAccepted,   // it rose before TrendLimits::since
  kRegressed,
};
[[nodiscard]] std::string StandingName(Standing standing);

struct ChangePoint {
  size_t run = 0;     // in Trend::runs: the first of the new ones,
  size_t last = 0;    // and the last of the old ones in this series
  double before = 0;  // medians of the runs between this change and the next
  double after = 0;
  stats::Interval ratio = {};  // of them, at 1 - alpha of the series
  double noise = 0;            // A against A, of the runs before
  Standing standing = Standing::kSmall;
};

struct TrendSeries {
  std::string place;
  std::string kind;
  std::string profile;
  std::string host;
  std::string backend;
  std::string measure;
  std::string unit;
  std::vector<size_t> runs = {};    // in Trend::runs
  std::vector<double> values = {};  // one for each
  bool too_few = false;             // runs, to say anything
  std::vector<ChangePoint> changes = {};
};

struct Trend {
  std::vector<TrendRun> runs;
  std::vector<TrendSeries> series;
  size_t needed = 0;  // so many runs each series needs at least
  // Where surroundings are not the same: one line each.
  std::vector<std::string> mixed;
  // Suites that took part, if several: a change may be of what measures.
  std::vector<std::string> suites;
  // Locks that are not correct in the last run of their place and were before.
  std::vector<std::string> newly_wrong;

  [[nodiscard]] bool regressed() const;
};

// Pure: the same runs give the same answer. `runs` in order of time. Throws
// std::invalid_argument if `limits.since` names none of them, or several.
[[nodiscard]] Trend TrendOf(std::vector<TrendRun> runs,
                            const TrendLimits& limits);

// kExitFailed: a regression stands, or a lock is newly wrong; kExitNothingRan:
// there are no series; kExitInconclusive: all have too few runs.
[[nodiscard]] Exit Judge(const Trend& trend);

[[nodiscard]] std::string ToText(const Trend& trend, const TrendLimits& limits);
[[nodiscard]] std::string ToMarkdown(const Trend& trend,
                                     const TrendLimits& limits);
[[nodiscard]] std::string ToJson(const Trend& trend, const TrendLimits& limits);

}  // namespace locklab::bench

#endif  // LOCKLAB_BENCH_TREND_TREND_H_
