// The experiments, by file; measure.cc has their table.
#ifndef LOCKLAB_BENCH_MEASURE_EXPERIMENTS_H_
#define LOCKLAB_BENCH_MEASURE_EXPERIMENTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/measure/measure.h"
#include "conformance/proc/child.h"

namespace locklab::bench {

inline Sample Trouble(std::string why) {
  Sample sample;
  sample.trouble = std::move(why);
  return sample;
}
inline Sample Wrong(Finding finding) {
  Sample sample;
  sample.correct = std::move(finding);
  return sample;
}
// A process that holds the lock at `path` until it is stopped. Nothing: it did
// not come to hold it.
[[nodiscard]] std::optional<proc::Child> HolderOf(const SubjectFactory& subject,
                                                  const std::string& path);
// The median of what was recorded, and all of it; nothing if that is empty or
// its median is 0.
void AddMedian(const char* measure, const history::Histogram& histogram,
               Sample* sample);

#define LOCKLAB_EXPERIMENT(name)                                     \
  Sample name(const SubjectFactory& subject, const std::string& dir, \
              const Effort& effort)

// alone.cc: one process, or one and a holder.
LOCKLAB_EXPERIMENT(Uncontended);
LOCKLAB_EXPERIMENT(TryHeld);
LOCKLAB_EXPERIMENT(Crowd);
// together.cc
LOCKLAB_EXPERIMENT(Contended);
LOCKLAB_EXPERIMENT(OpenLoop);
LOCKLAB_EXPERIMENT(HandOff);
LOCKLAB_EXPERIMENT(Processes);
// death.cc
LOCKLAB_EXPERIMENT(Recovery);
LOCKLAB_EXPERIMENT(Break);
// cost.cc
LOCKLAB_EXPERIMENT(Resources);

#undef LOCKLAB_EXPERIMENT

}  // namespace locklab::bench

#endif  // LOCKLAB_BENCH_MEASURE_EXPERIMENTS_H_
