// Reads logs back, in bounded memory whatever their length.
//
// Nothing in a file is believed before it was checked: whatever it holds, a
// reader returns whole events or throws HistoryError.
#ifndef LOCKLAB_CONFORMANCE_HISTORY_LOG_READER_H_
#define LOCKLAB_CONFORMANCE_HISTORY_LOG_READER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/history/event.h"
#include "conformance/history/log_format.h"

namespace locklab::history {

// One log. Keeps no descriptor open, so that a thousand can be read at once.
class LogReader {
 public:
  // Reads and checks the header. Throws HistoryError.
  explicit LogReader(std::string path);

  // The next event, valid until the call after; nullptr: that was all. Throws
  // HistoryError if what follows is damaged or cut short in its middle.
  const Event* Next() {
    if (next_ == end_ && !Refill()) return nullptr;
    return Check(events_[next_]);
  }

  [[nodiscard]] const LogInfo& info() const { return info_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  bool Refill();
  const Event* Check(const Event& event);
  // Throws, naming the place of the present event.
  [[noreturn]] void Fail(const std::string& what) const;
  void CheckZerosToEnd();
  size_t ReadAt(int64_t offset, void* data, size_t size) const;

  std::string path_;
  LogInfo info_;
  std::vector<Event> events_;
  size_t next_ = 0;
  size_t end_ = 0;
  int64_t offset_ = kHeaderBytes;
  uint32_t sequence_ = 0;
  int64_t last_time_ns_ = 0;
  bool done_ = false;
};

// Several logs as one history, in the order of Before(). Ties between logs of
// one actor (its own and the supervisor's) fall the same way in each reading.
class MergedReader {
 public:
  // Throws HistoryError.
  explicit MergedReader(const std::vector<std::string>& paths);

  // As LogReader::Next.
  const Event* Next();

  [[nodiscard]] std::vector<const LogInfo*> infos() const;

 private:
  struct Source {
    int64_t time_ns;    // of `head`: most comparisons need no more of it
    const Event* head;  // its next event
    LogReader* reader;
  };
  void SinkFirst();
  static bool Later(const Source& a, const Source& b) {
    return a.time_ns != b.time_ns ? a.time_ns > b.time_ns : LaterOfTie(a, b);
  }
  static bool LaterOfTie(const Source& a, const Source& b);

  std::vector<std::unique_ptr<LogReader>> readers_;
  std::vector<Source> heap_;  // the earliest first
  bool started_ = false;
};

// The logs in a directory, by name: what `--keep` left there.
[[nodiscard]] std::vector<std::string> LogsIn(const std::string& dir);
// The name of the directory for a lock's logs among those of other locks: its
// own, but for slashes and the like in that of an adapter that is a path.
[[nodiscard]] std::string LogsNameOf(std::string_view lock);
// "DIR/actor-00007.hist", "DIR/supervisor.hist".
[[nodiscard]] std::string LogPath(const std::string& dir, Actor actor);

}  // namespace locklab::history

#endif  // LOCKLAB_CONFORMANCE_HISTORY_LOG_READER_H_
