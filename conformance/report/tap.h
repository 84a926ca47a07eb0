// The Test Anything Protocol. It says version 13 of itself: readers of 14 take
// that, others (the prove of Debian 12) refuse a 14, and there is nothing of 14
// in it.
#ifndef LOCKLAB_CONFORMANCE_REPORT_TAP_H_
#define LOCKLAB_CONFORMANCE_REPORT_TAP_H_

#include <string>

#include "conformance/report/report.h"

namespace locklab::report {

// One flat list, "SUITE: CLAIM" each, plan first; the context in comments. What
// is red in cases.h is "not ok", with reason, evidence and replay as YAML. A
// failed SHOULD is "ok" and says so in its YAML. What does not apply is
// "ok # SKIP", an expected failure "not ok # TODO": neither fails a harness. An
// expected failure that passed is a plain "not ok", since an "ok # TODO" would
// not fail one either.
[[nodiscard]] std::string ToTap(const RunReport& report);

}  // namespace locklab::report

#endif  // LOCKLAB_CONFORMANCE_REPORT_TAP_H_
