// The file of one log: a header of fixed size, then events back to back. The
// rest of the file, if its writer was killed, is zeros.
#ifndef LOCKLAB_CONFORMANCE_HISTORY_LOG_FORMAT_H_
#define LOCKLAB_CONFORMANCE_HISTORY_LOG_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "conformance/history/event.h"

namespace locklab::history {

// A log that is not one, is cut short or damaged, or cannot be written. The
// message says which file, where in it, and what is wrong.
class HistoryError : public std::runtime_error {
 public:
  HistoryError(std::string_view path, std::string_view what);
};

// What a log says of itself.
struct LogInfo {
  Actor actor = 0;
  uint64_t seed = 0;
  int32_t pid = 0;                // filled in by the writer
  int64_t start_ns = 0;           // CLOCK_MONOTONIC; filled in by the writer
  int64_t start_wall_s = 0;       // since the epoch; filled in by the writer
  std::string subject = {};       // the lock's name: "link"
  std::string command_line = {};  // what replays it
  std::string kernel = {};  // "Linux 6.1.0 x86_64"; filled in by the writer
  std::string fs_type = {};
  std::string fs_options = {};

  bool operator==(const LogInfo&) const = default;
};

inline constexpr uint32_t kLogVersion = 1;
inline constexpr size_t kHeaderBytes = 4096;

// Exactly as on disk. Texts are cut to fit and end with a zero.
struct LogHeader {
  char magic[8];  // "LLABHIST"
  uint32_t version;
  uint32_t header_bytes;
  uint32_t event_bytes;
  uint32_t byte_order;  // 0x01020304 as the writer's machine stores it
  uint64_t seed;
  int64_t start_ns;
  int64_t start_wall_s;
  Actor actor;
  int32_t pid;
  char subject[64];
  char command_line[2048];
  char kernel[256];
  char fs_type[64];
  char fs_options[1024];
  char reserved[576];
  uint32_t zero;
  uint32_t check;  // of all bytes before it
};
static_assert(sizeof(LogHeader) == kHeaderBytes);

[[nodiscard]] LogHeader PackHeader(const LogInfo& info);
// Throws HistoryError if `header`, read from `path`, is not a whole header of
// a version that this program reads.
[[nodiscard]] LogInfo UnpackHeader(const LogHeader& header,
                                   std::string_view path);

}  // namespace locklab::history

#endif  // LOCKLAB_CONFORMANCE_HISTORY_LOG_FORMAT_H_
