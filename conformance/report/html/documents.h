// The JSON that subcommands print beside a results store, for the page.
#ifndef LOCKLAB_CONFORMANCE_REPORT_HTML_DOCUMENTS_H_
#define LOCKLAB_CONFORMANCE_REPORT_HTML_DOCUMENTS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conformance/report/json.h"
#include "conformance/report/report.h"

namespace locklab::report {

struct Document {
  std::string kind;  // "stress", "crash", "explore", "sins", "bench"
  std::string name;  // where it came from
  // What the page shows of it: JSON of plain texts and finite numbers.
  std::string json;
};

struct Documents {
  std::vector<RunReport> runs;  // of check, or of each stop of lab run
  std::vector<Document> others;
};

// Tells by the keys of the document what made it. Throws JsonError, which says
// what is wrong with `name`, and what to do.
[[nodiscard]] Documents ReadDocument(const std::string& name,
                                     std::string_view text);

// For each bucket its largest value, less that of the one before, and its
// count. Those less than `resolution` apart become one.
[[nodiscard]] std::vector<int64_t> FlatBuckets(
    const std::vector<std::pair<int64_t, int64_t>>& buckets, double resolution);

// Names that are made for one run say nothing to a reader, and are as many as
// calls: "Open job.lock.4523b8d16ecff7e8.144c" becomes "Open job.lock.*".
[[nodiscard]] std::string WithoutTokens(std::string_view call);

}  // namespace locklab::report

#endif  // LOCKLAB_CONFORMANCE_REPORT_HTML_DOCUMENTS_H_
