// What a person reads at the end of a run.
#ifndef LOCKLAB_CONFORMANCE_REPORT_TEXT_H_
#define LOCKLAB_CONFORMANCE_REPORT_TEXT_H_

#include <cstdint>
#include <string>

#include "conformance/report/report.h"

namespace locklab::report {

struct TextStyle {
  int width = 80;  // columns that long sentences are wrapped to
  bool color = false;
};

// The table of backends, what was found and how to see it again, the canary
// and a summary. Every line ends with a newline.
[[nodiscard]] std::string ToText(const RunReport& report,
                                 const TextStyle& style);

// "40/41": the claims that passed, of those that apply; "-": none does.
[[nodiscard]] std::string ClaimsCell(const BackendReport& backend);

// "870 ns", "6.13 us", "31.0 ms", "2.50 s": three digits.
[[nodiscard]] std::string ShortTime(int64_t ns);

// Breaks `text` at blanks so that lines with `indent` in front of all but the
// first fit; words that are longer stay whole.
[[nodiscard]] std::string Wrap(const std::string& text, int width, int indent);

}  // namespace locklab::report

#endif  // LOCKLAB_CONFORMANCE_REPORT_TEXT_H_
