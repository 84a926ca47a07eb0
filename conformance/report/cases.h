// A report as the formats of test programs see it: suites of cases, each
// passed, failed or skipped.
#ifndef LOCKLAB_CONFORMANCE_REPORT_CASES_H_
#define LOCKLAB_CONFORMANCE_REPORT_CASES_H_

#include <string>
#include <vector>

#include "conformance/report/report.h"

namespace locklab::report {

enum class Outcome {
  kPassed,
  kNoted,     // failed, and does not count: a SHOULD, or nobody stands on it
  kFailed,    // red: a MUST, a surprise, something required that is missing
  kError,     // red: what had to be told could not be
  kSkipped,   // does not apply here, or could not be told and need not be
  kExpected,  // failed, as was expected
};

struct Case {
  std::string name;  // the claim's id
  Outcome outcome = Outcome::kPassed;
  std::string type;     // "fail", "xpass", "inconclusive", ...
  std::string message;  // one plain line
  std::vector<std::string> evidence = {};
  std::string replay = {};
  double duration_s = 0;
};

struct Suite {
  std::string name;  // "run", "primitives", then each backend's
  std::vector<Case> cases;
};

// At least one case in each. One of them is kFailed or kError if, and only if,
// ExitCodeOf(report) is not 0: what the claims do not tell (a canary that got
// away, a run that was cut short, a backend without claims) has a case of its
// own. Call Judge first.
[[nodiscard]] std::vector<Suite> SuitesOf(const RunReport& report);

[[nodiscard]] inline bool IsRed(const Case& item) {
  return item.outcome == Outcome::kFailed || item.outcome == Outcome::kError;
}

}  // namespace locklab::report

#endif  // LOCKLAB_CONFORMANCE_REPORT_CASES_H_
