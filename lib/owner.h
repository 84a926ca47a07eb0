// Who holds a lock, and whether that holder still lives.
//
// The identity of a holder is its random token and nothing else. Host, boot,
// namespaces, pid, start time and thread stand beside it for two purposes: to
// prove that the holder is dead, and to tell people who it is.
//
// A record is one line of printable ASCII, at most kMaxRecord bytes:
//   lockfile1 token=... host=... boot=... pidns=... timens=... pid=...
//   start=... tid=... since=... lease=...
// Records are read from files that anyone may have written: parsing never
// trusts them, and whatever is not a whole, well-formed record is no record.
#ifndef LOCKLAB_LIB_OWNER_H_
#define LOCKLAB_LIB_OWNER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/os/os.h"

namespace lockfile {

inline constexpr size_t kMaxRecord = 1024;
inline constexpr size_t kTokenLength = 32;   // lower-case hex digits
inline constexpr size_t kObjectDigits = 20;  // of them, the lock object's

struct Owner {
  // Unique to one hold: random digits for the lock object, then the time at
  // which the hold was first asked for, in microseconds of this boot's steady
  // clock, always more than that of the object's hold before.
  std::string token;
  std::string host;
  std::string boot_id;
  uint64_t pid_ns = 0;
  uint64_t time_ns = 0;
  pid_t pid = 0;
  uint64_t start_time = 0;  // clock ticks since boot
  int64_t thread_id = 0;
  int64_t since = 0;                  // wall clock seconds: for people only
  std::chrono::milliseconds lease{};  // 0: none

  // "pid 4711 on host, thread 4711, since 2026-01-02T03:04:05Z"
  [[nodiscard]] std::string Describe() const;
  // The same object, though perhaps another of its holds.
  [[nodiscard]] bool SameObject(const Owner& other) const {
    return token.substr(0, kObjectDigits) ==
           other.token.substr(0, kObjectDigits);
  }
  bool operator==(const Owner& other) const { return token == other.token; }
};

[[nodiscard]] bool IsToken(std::string_view text);
[[nodiscard]] std::string FormatRecord(const Owner& owner);
// nullopt: not a record of ours. `text` may be followed by one newline.
[[nodiscard]] std::optional<Owner> ParseRecord(std::string_view text);

enum class Life { kAlive, kDead, kUnknown };

struct Liveness {
  Life life = Life::kUnknown;
  std::string reason;  // "process 4711 is gone", "another host: db7"
};

// Dead only on proof (another boot of the same host; or the same host, boot
// and PID namespace, and the process gone, a zombie, or started at another
// time). Alive: the process is there. All else is unknown. Never blocks.
[[nodiscard]] Liveness JudgeLife(os::Os& os, const Owner& owner);

}  // namespace lockfile

#endif  // LOCKLAB_LIB_OWNER_H_
