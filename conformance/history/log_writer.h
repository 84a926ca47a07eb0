// Records what one actor does, in a mapped file: what was recorded survives
// the SIGKILL of the process that recorded it.
#ifndef LOCKLAB_CONFORMANCE_HISTORY_LOG_WRITER_H_
#define LOCKLAB_CONFORMANCE_HISTORY_LOG_WRITER_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "conformance/history/event.h"
#include "conformance/history/log_format.h"

namespace locklab::history {

// CLOCK_MONOTONIC in nanoseconds: the time of all events.
[[nodiscard]] int64_t NowNs();

// Used by one thread of the process that made it. Space is reserved before it
// is written to, so that a full disk is an error and not a SIGBUS.
class LogWriter {
 public:
  // Makes the file, which must not exist, with its header. Refuses to record
  // more than `limit` events: a bound on the file's size. A writer with a small
  // limit needs little room at first. Throws HistoryError.
  LogWriter(std::string path, LogInfo info,
            uint32_t limit = std::numeric_limits<uint32_t>::max());
  // Cuts the file to what was recorded; a fork that inherited it does not.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // Records one event with the present time: some tens of nanoseconds, except
  // that every 8,192nd event, or less, makes room for more. False: there is no
  // room left (see error()); nothing was recorded, nor will be.
  bool Invoke(Op op, uint64_t token = 0) {
    return Append({.token = token, .op = op, .phase = Phase::kInvoke});
  }
  bool Return(Op op, Result result, int sys = 0, uint64_t token = 0) {
    return Append({.token = token,
                   .sys = static_cast<int16_t>(sys),
                   .op = op,
                   .phase = Phase::kReturn,
                   .result = result});
  }
  // Fills in time, actor, sequence and checksum. A time that is set already
  // stays, and must not be before that of the last event.
  bool Append(Event event);
  // The same for an event of another actor: the supervisor tells of deaths.
  bool AppendFor(Actor actor, Event event);

  // Makes sure that the next `events` (100 at most) will not fail for want
  // of space. False: they would; see error().
  [[nodiscard]] bool Reserve(uint32_t events);

  // Takes up what a fork of this process, which has ended, recorded with its
  // copy of this writer.
  void CatchUp();

  [[nodiscard]] uint32_t recorded() const { return sequence_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  // Why there is no room: an errno, EFBIG for the limit; 0: there is.
  [[nodiscard]] int error() const { return error_; }

 private:
  bool Grow();
  int MapWindow(int64_t offset);
  int AllocateTo(int64_t end);

  std::string path_;
  Actor actor_ = 0;
  int fd_ = -1;
  pid_t owner_ = -1;
  char* window_ = nullptr;
  int64_t window_bytes_;
  int64_t window_end_ = 0;  // offset in the file
  int64_t allocated_ = 0;   // up to this offset
  Event* next_ = nullptr;
  Event* end_ = nullptr;
  uint32_t sequence_ = 0;
  uint32_t limit_;
  int error_ = 0;
};

}  // namespace locklab::history

#endif  // LOCKLAB_CONFORMANCE_HISTORY_LOG_WRITER_H_
