// What an acquire and a release cost when nobody else wants the lock, beside
// the same bare system calls.
#ifndef LOCKLAB_BENCH_MEASURE_LATENCY_H_
#define LOCKLAB_BENCH_MEASURE_LATENCY_H_

#include <chrono>
#include <string>

#include "conformance/history/histogram.h"
#include "conformance/subject/subject.h"

namespace locklab::bench {

struct Latency {
  history::Histogram lock_ns = {};   // empty: see error
  history::Histogram floor_ns = {};  // empty: no floor is known
  history::Histogram empty_ns =
      {};  // of the loop itself: two looks at the clock
  std::string error = {};
};

// Measures in a process of its own, in a new directory below `dir`, lock and
// floor by turns, for about so long. Returns early, with an error, on an
// interrupt (proc::Interrupts).
[[nodiscard]] Latency MeasureLatency(const SubjectFactory& subject,
                                     const std::string& dir,
                                     std::chrono::milliseconds duration);

}  // namespace locklab::bench

#endif  // LOCKLAB_BENCH_MEASURE_LATENCY_H_
