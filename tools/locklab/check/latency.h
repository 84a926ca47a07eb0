// What an acquire and a release cost when nobody else wants the lock, beside
// the same bare system calls.
#ifndef LOCKLAB_TOOLS_LOCKLAB_CHECK_LATENCY_H_
#define LOCKLAB_TOOLS_LOCKLAB_CHECK_LATENCY_H_

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "conformance/report/report.h"
#include "conformance/subject/subject.h"

namespace locklab::check {

struct Latency {
  std::optional<report::Percentiles> lock_ns{};
  std::optional<int64_t> floor_ns{};  // median; nullopt: no floor is known
  std::vector<report::Distribution> distributions{};  // latency_ns, floor_ns
  std::string error{};                                // why there is no lock_ns
};

// Measures in a process of its own, in a new directory below `dir`, lock and
// floor by turns, for about so long. Returns early, with an error, on an
// interrupt (proc::Interrupts).
[[nodiscard]] Latency MeasureLatency(const SubjectFactory& subject,
                                     const std::string& dir,
                                     std::chrono::milliseconds duration);

}  // namespace locklab::check

#endif  // LOCKLAB_TOOLS_LOCKLAB_CHECK_LATENCY_H_
