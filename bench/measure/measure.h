// What locks cost, one experiment after the other: each runs for a moment and
// gives a few numbers, which are one sample each of their series.
#ifndef LOCKLAB_BENCH_MEASURE_MEASURE_H_
#define LOCKLAB_BENCH_MEASURE_MEASURE_H_

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/history/histogram.h"
#include "conformance/subject/subject.h"
#include "conformance/verdict/verdict.h"

namespace locklab::bench {

// One number, which is one sample of its series.
struct Value {
  std::string measure;  // "hand-off", or a point of a scale: "processes/8"
  double value = 0;     // positive and finite; less is better
  std::string unit = "ns";
  // Of all that the value is the median or a percentile of; or none.
  history::Histogram distribution = {};
};

// What an experiment gives.
struct Sample {
  std::vector<Value> values = {};
  // Of the run that gave them. Numbers of a run that was not judged correct do
  // not count: then there are none.
  Finding correct = Finding::Pass();
  std::string trouble = {};  // why there are none, if for another reason
};

struct Effort {
  uint64_t seed = 0;
  bool full = false;  // scales go to their ends: 1,000 processes
};

struct Experiment {
  std::string_view name;  // "uncontended"
  std::string_view doc;   // one line
  Sample (*run)(const SubjectFactory& subject, const std::string& dir,
                const Effort& effort);
  // Whether it is part of what is measured if nothing is chosen.
  bool usual = true;
};

// The experiment of that name, for about so long: "uncontended", "floor",
// "over-floor" (their ratio, which is the same on a slower machine) and
// "empty-loop".
[[nodiscard]] Sample MeasureUncontended(const SubjectFactory& subject,
                                        const std::string& dir,
                                        std::chrono::milliseconds duration);

// THE TABLE.
[[nodiscard]] std::span<const Experiment> Experiments();

}  // namespace locklab::bench

#endif  // LOCKLAB_BENCH_MEASURE_MEASURE_H_
