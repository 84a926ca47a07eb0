// Markdown for the summary of a CI step.
#ifndef LOCKLAB_CONFORMANCE_REPORT_MARKDOWN_H_
#define LOCKLAB_CONFORMANCE_REPORT_MARKDOWN_H_

#include <cstddef>
#include <string>

#include "conformance/report/report.h"

namespace locklab::report {

// What services take of one step is 1 MiB; other writers may add to it.
inline constexpr size_t kMarkdownLimit = 1'000'000;

// GitHub's dialect, in UTF-8, of at most `limit` bytes (10,000 or more): the
// verdicts, the recommendation, what failed with its evidence folded away, the
// primitives and the context. What finds no room is left out whole, and the
// last line says how much that was. Nothing in the report is taken for markup.
[[nodiscard]] std::string ToMarkdown(const RunReport& report,
                                     size_t limit = kMarkdownLimit);

}  // namespace locklab::report

#endif  // LOCKLAB_CONFORMANCE_REPORT_MARKDOWN_H_
