// Histories as a timeline, for people: in the Trace Event Format, which
// https://ui.perfetto.dev and chrome://tracing open.
//
// Each history is a process of the timeline and each of its actors a thread,
// with slices for what it was at ("waits", "holds", "releases", "breaks",
// "refreshes") and marks for what befell it ("killed", "lock lost", ...). Times
// are counted from the beginning of the history, as in the evidence of a
// violation. The counter "holders" is how many held the lock for certain: more
// than one is a violation, and the first ones have an arrow from the holder to
// the intruder.
#ifndef LOCKLAB_CONFORMANCE_REPORT_TRACE_H_
#define LOCKLAB_CONFORMANCE_REPORT_TRACE_H_

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace locklab::report {

inline constexpr int64_t kTraceEvents = 4000;

// Writes one document, as it goes along: memory is needed for each actor, and
// none for the length of a history.
class TraceWriter {
 public:
  // `events`: how many of each history are shown: those around its first
  // violation, or else its first ones. 0: all.
  explicit TraceWriter(std::ostream& out, int64_t events = kTraceEvents);

  // Reads the logs twice. Throws history::HistoryError if one of them cannot
  // be read or is damaged: the document does without this history then.
  void Add(std::string_view name, const std::vector<std::string>& logs);
  // After the last one. `about`: what the run was.
  void Finish(const std::vector<std::pair<std::string, std::string>>& about);

 private:
  std::ostream& out_;
  const int64_t events_;
  int histories_ = 0;
};

}  // namespace locklab::report

#endif  // LOCKLAB_CONFORMANCE_REPORT_TRACE_H_
