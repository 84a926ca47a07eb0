// The JSON document of a run: one object, versioned by `schema_version` and
// described by schema.json.
#ifndef LOCKLAB_CONFORMANCE_REPORT_JSON_H_
#define LOCKLAB_CONFORMANCE_REPORT_JSON_H_

#include <stdexcept>
#include <string>
#include <string_view>

#include "conformance/report/report.h"

namespace locklab::report {

// UTF-8 whatever the reasons contain, indented, with one newline at the end.
// What was not measured is null, never left out. Distributions are not in it.
[[nodiscard]] std::string ToJson(const RunReport& report);

// schema.json, which describes that document.
[[nodiscard]] std::string_view JsonSchema();

// A text that is no such document. The message says where in it and what is
// wrong: "backends[2].claims[0].level: must be one of MUST, SHOULD, REPORT".
class JsonError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// As the document tells it, verdicts included: nothing is judged. `exit_code`,
// if not null, becomes the one that it names. Throws JsonError for whatever
// schema.json does not allow, and for other versions of it.
// ToJson of the result is `text` again, if ToJson wrote it and the exit code
// follows from the rest.
[[nodiscard]] RunReport FromJson(std::string_view text,
                                 int* exit_code = nullptr);

}  // namespace locklab::report

#endif  // LOCKLAB_CONFORMANCE_REPORT_JSON_H_
