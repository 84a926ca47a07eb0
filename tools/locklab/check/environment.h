// Where and when a run took place: for its report.
#ifndef LOCKLAB_TOOLS_LOCKLAB_CHECK_ENVIRONMENT_H_
#define LOCKLAB_TOOLS_LOCKLAB_CHECK_ENVIRONMENT_H_

#include <string>

#include "conformance/report/report.h"

namespace locklab::check {

// All but run, seed, profile and duration. Never throws: what cannot be found
// out is empty.
[[nodiscard]] report::Context Environment(const std::string& dir);

// 32 hexadecimal digits.
[[nodiscard]] std::string NewRunId();

}  // namespace locklab::check

#endif  // LOCKLAB_TOOLS_LOCKLAB_CHECK_ENVIRONMENT_H_
