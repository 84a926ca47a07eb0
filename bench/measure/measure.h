// What locks cost, one experiment after the other: each runs for a moment and
// gives a few numbers, which are one sample each of their series.
#ifndef LOCKLAB_BENCH_MEASURE_MEASURE_H_
#define LOCKLAB_BENCH_MEASURE_MEASURE_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conformance/subject/subject.h"
#include "conformance/verdict/verdict.h"

namespace locklab::bench {

// What an experiment gives: the names of its series and their samples,
// nanoseconds.
struct Sample {
  std::vector<std::pair<std::string_view, double>> values = {};
  // Of the run that gave them. Numbers of a run that was not judged correct do
  // not count: then there are none.
  Finding correct = Finding::Pass();
  std::string trouble = {};  // why there are none, if for another reason
};

struct Experiment {
  std::string_view name;  // "uncontended"
  std::string_view doc;   // one line
  Sample (*run)(const SubjectFactory& subject, const std::string& dir,
                uint64_t seed);
};

// THE TABLE.
[[nodiscard]] std::span<const Experiment> Experiments();

}  // namespace locklab::bench

#endif  // LOCKLAB_BENCH_MEASURE_MEASURE_H_
