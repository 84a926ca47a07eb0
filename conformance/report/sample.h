// Reports to try the formats on.
#ifndef LOCKLAB_CONFORMANCE_REPORT_SAMPLE_H_
#define LOCKLAB_CONFORMANCE_REPORT_SAMPLE_H_

#include <string>
#include <vector>

#include "conformance/report/report.h"

namespace locklab::report {

struct Sample {
  std::string name;  // a file's: "cut_short"
  RunReport report;  // judged
};

// Every field filled, and every verdict at every level.
[[nodiscard]] RunReport FullReport();
// Texts that mean something to some format, and bytes that are no text.
[[nodiscard]] RunReport HostileReport();
// `size` findings of `size` bytes each, and as many backends.
[[nodiscard]] RunReport HugeReport(size_t size);

// These and others: one for each way in which a run ends.
[[nodiscard]] std::vector<Sample> Samples();

}  // namespace locklab::report

#endif  // LOCKLAB_CONFORMANCE_REPORT_SAMPLE_H_
