// The JSON document of a run: one object, versioned by `schema_version`.
#ifndef LOCKLAB_CONFORMANCE_REPORT_JSON_H_
#define LOCKLAB_CONFORMANCE_REPORT_JSON_H_

#include <string>

#include "conformance/report/report.h"

namespace locklab::report {

// UTF-8 whatever the reasons contain, indented, with one newline at the end.
// What was not measured is null, never left out.
[[nodiscard]] std::string ToJson(const RunReport& report);

}  // namespace locklab::report

#endif  // LOCKLAB_CONFORMANCE_REPORT_JSON_H_
