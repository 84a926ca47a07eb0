// How many system calls an acquisition takes while others contend.
#ifndef LOCKLAB_STRESS_SCENARIOS_CALLS_H_
#define LOCKLAB_STRESS_SCENARIOS_CALLS_H_

#include <chrono>
#include <optional>

#include "conformance/subject/subject.h"
#include "stress/run/plan.h"

namespace locklab::scenario {

// Runs `plan` for `duration` with a lock that stands on a counting seam, apart
// from any run that is measured: counting takes time. The calls of the library
// alone, of acquire and release, waits and failed tries among them, for each
// acquisition. nullopt: this lock makes calls past the seam, or nobody got it.
// Blocks, and is to be called, as run::RunContention.
[[nodiscard]] std::optional<double> CallsPerAcquisition(
    const SubjectFactory& subject, run::ContentionPlan plan,
    std::chrono::milliseconds duration);

}  // namespace locklab::scenario

#endif  // LOCKLAB_STRESS_SCENARIOS_CALLS_H_
