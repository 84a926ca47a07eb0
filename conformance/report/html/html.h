// All that is known of many runs as one page for people to look at: a file that
// opens anywhere, without a network.
#ifndef LOCKLAB_CONFORMANCE_REPORT_HTML_HTML_H_
#define LOCKLAB_CONFORMANCE_REPORT_HTML_HTML_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/report/html/documents.h"
#include "conformance/report/report.h"
#include "conformance/store/bench_run.h"

namespace locklab::report {

// What a page is cut to: evidence first, then what was seen where all was well.
inline constexpr size_t kHtmlBytes = 1'450'000;

// Makes one page. Used by one thread at a time; nothing in it blocks.
class HtmlPage {
 public:
  // Where a number changed from run to run: of what, and with which run.
  struct Change {
    std::string place;  // as Context::place
    std::string host;
    std::string kind;     // "check", "bench"
    std::string backend;  // "link"
    std::string measure;  // "latency-p50", "hand-off"
    std::string unit;     // "ns"
    std::string run_id;   // the first of the new ones
    std::string started;
    double before = 0;  // medians of the runs before and after
    double after = 0;
    std::string standing;  // one word: "better", "REGRESSED"
  };

  // A judged run. Of those in one place (Context::place) on one host the page
  // shows for each lock the last that examined it, whole runs before partial
  // ones; the others are in the trend.
  void Add(RunReport run) { runs_.push_back(std::move(run)); }
  // The samples of a run of locklab bench. Throws JsonError if one is no
  // number.
  void Add(const store::BenchRun& run);
  // A mark in a trend.
  void Add(Change change) { changes_.push_back(std::move(change)); }
  // What `locklab check`, `lab run`, `stress`, `crash`, `explore`,
  // `faultfs --matrix` or `bench` left as JSON; `name`: whence. Throws
  // JsonError for everything else, and for newer schemas.
  void AddDocument(const std::string& name, std::string_view text);

  [[nodiscard]] bool empty() const {
    return runs_.empty() && documents_.empty();
  }
  // UTF-8, whatever the texts in it are; none of them becomes markup. The same
  // bytes for the same contents.
  [[nodiscard]] std::string Write() const;

 private:
  std::vector<RunReport> runs_;
  std::vector<Document> documents_;
  std::vector<Change> changes_;
};

}  // namespace locklab::report

#endif  // LOCKLAB_CONFORMANCE_REPORT_HTML_HTML_H_
