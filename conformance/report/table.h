// The table of backends at the top of a report for the terminal.
#ifndef LOCKLAB_CONFORMANCE_REPORT_TABLE_H_
#define LOCKLAB_CONFORMANCE_REPORT_TABLE_H_

#include <string>

#include "conformance/report/report.h"
#include "conformance/report/text.h"

namespace locklab::report {

// Two lines of heads and one for each backend, none wider than style.width (40
// or more): where there is too little room, the columns that matter least are
// left out. Empty if there are no backends.
[[nodiscard]] std::string VerdictTable(const RunReport& report,
                                       const TextStyle& style);

enum class Tone { kGood, kBad, kDoubt, kQuiet };
[[nodiscard]] Tone ToneOf(Worth worth);
// `text` in color, if `style` wants that.
[[nodiscard]] std::string Paint(std::string text, Tone tone,
                                const TextStyle& style);

}  // namespace locklab::report

#endif  // LOCKLAB_CONFORMANCE_REPORT_TABLE_H_
