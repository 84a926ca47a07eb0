// JUnit's XML, as CI services show it.
#ifndef LOCKLAB_CONFORMANCE_REPORT_JUNIT_H_
#define LOCKLAB_CONFORMANCE_REPORT_JUNIT_H_

#include <string>

#include "conformance/report/report.h"

namespace locklab::report {

// XML 1.0 in UTF-8 that junit.xsd (beside this) describes, whatever bytes the
// report holds. One testsuite for the run itself (its end, its canary, what was
// required), one for the primitives, one for each backend; each with the
// context as properties. See cases.h for what is red. Viewers tell apart
//   failure   a MUST claim failed, an expected failure passed, or something
//             that was required is missing
//   error     what had to be told could not be
//   skipped   does not apply, or failed as was expected; the message says which
// and nothing else, so that a failed SHOULD is a test that passed, with what
// was seen in its system-out. Times are in seconds.
[[nodiscard]] std::string ToJunit(const RunReport& report);

}  // namespace locklab::report

#endif  // LOCKLAB_CONFORMANCE_REPORT_JUNIT_H_
