// Makes a failing run with faults smaller, as long as it still fails.
//
// First the faults, down to none at all (delta debugging: Zeller and
// Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002), then
// the processes, then the acquisitions, with the faults coming earlier. Real
// processes do not fail alike each time: a candidate is tried a few times and
// kept if it fails once, so that what remains fails, but perhaps not always;
// `failed` of `repeats` says how often.
#ifndef LOCKLAB_STRESS_RUN_SHRINK_H_
#define LOCKLAB_STRESS_RUN_SHRINK_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "conformance/subject/subject.h"
#include "conformance/verdict/verdict.h"
#include "stress/run/faults.h"
#include "stress/run/plan.h"

namespace locklab::run {

struct ShrinkBudget {
  int tries = 3;  // of a candidate, until it is given up
  std::chrono::milliseconds time{30000};
  int repeats = 10;  // of what remains
};

// What can be made smaller of a run.
struct Shrinkable {
  std::vector<Fault> schedule;
  int processes = 0;
  int64_t acquisitions = 0;  // 0: bounded by a duration

  bool operator==(const Shrinkable&) const = default;
};

struct Shrunk {
  Shrinkable run;
  bool reproduced = false;  // it failed when it was run again as it was
  int runs = 0;             // in all
  int repeats = 0;          // of what remains
  int failed = 0;           // of these
  bool complete = false;    // nothing smaller was found; else time was up
};

// `fails` runs it once; it takes as long as a run takes, and is not called any
// more when the time is up.
[[nodiscard]] Shrunk Shrink(const Shrinkable& failing,
                            const std::function<bool(const Shrinkable&)>& fails,
                            const ShrinkBudget& budget);

// The same for real runs: `plan` is run until it fails, and made so small that
// what failed then still fails, with a schedule of faults and a bound on the
// acquisitions. Runs it many times; see RunContention.
struct ShrunkRun {
  ContentionPlan plan;
  Shrunk shrunk;
  std::string reason;  // how it failed last
};
[[nodiscard]] ShrunkRun ShrinkRun(const SubjectFactory& subject,
                                  const ContentionPlan& plan,
                                  const ShrinkBudget& budget);

// The first of the findings about a run that is a failure; nullptr: none is.
[[nodiscard]] const Finding* FailureOf(const ContentionResult& result);

}  // namespace locklab::run

#endif  // LOCKLAB_STRESS_RUN_SHRINK_H_
