// One thing that happened in a run, as it stands in a log.
//
// An operation leaves two events: its invocation, recorded before it begins,
// and its return, recorded after it has ended. What was killed in between
// leaves an invocation alone: it may or may not have happened.
#ifndef LOCKLAB_CONFORMANCE_HISTORY_EVENT_H_
#define LOCKLAB_CONFORMANCE_HISTORY_EVENT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace locklab::history {

enum class Op : uint8_t {
  kAcquire = 1,
  kRelease,
  kBreak,  // token: the grant that is to be broken; 0: whatever is there
  kRefresh,
  // Of the actor that dies, by the supervisor's hand. Invoke: recorded before
  // the signal was sent, so that the actor lived until then. Return: its death
  // was seen; without an invoke it may have been dead for some time.
  kCrash,
};
inline constexpr Op kLastOp = Op::kCrash;

enum class Phase : uint8_t { kInvoke = 1, kReturn };

// How an operation ended; kNone in an invocation.
enum class Result : uint8_t {
  kNone = 0,
  kOk,
  kTimeout,  // also: refused at once, or nothing there to break
  kError,
  kLost,  // the holder was told that its lock had been broken or removed
};
inline constexpr Result kLastResult = Result::kLost;

// "acquire", "invoke", "timeout"...: as in reports.
[[nodiscard]] std::string_view OpName(Op op);
[[nodiscard]] std::string_view ResultName(Result result);

using Actor = uint32_t;
// The log of the one who starts and kills the others.
inline constexpr Actor kSupervisor = 0xffffff;
// Actors are counted from 0; a judge keeps state for each.
inline constexpr Actor kMaxActors = 0x10000;

// Exactly as on disk, in the byte order of the machine that wrote it.
struct Event {
  int64_t time_ns = 0;    // CLOCK_MONOTONIC
  uint64_t token = 0;     // the grant's number, drawn under the lock; 0: none
  uint32_t sequence = 0;  // in its log, from 1; 0: nothing was written here
  Actor actor = 0;
  int16_t sys = 0;     // errno; of kCrash: the signal
  uint16_t check = 0;  // Checksum() of all the rest
  Op op = Op::kAcquire;
  Phase phase = Phase::kInvoke;
  Result result = Result::kNone;
  uint8_t reserved = 0;

  bool operator==(const Event&) const = default;
};
static_assert(sizeof(Event) == 32);
static_assert(std::is_trivially_copyable_v<Event>);

[[nodiscard]] inline uint16_t Checksum(const Event& event) {
  uint64_t hash = static_cast<uint64_t>(event.time_ns) * 0x9e3779b97f4a7c15;
  hash ^= event.token + (hash >> 29);
  hash *= 0xbf58476d1ce4e5b9;
  hash ^= (uint64_t{event.sequence} << 32 | event.actor) + (hash >> 32);
  hash *= 0x94d049bb133111eb;
  hash ^= (uint64_t{static_cast<uint16_t>(event.sys)} << 32 |
           uint64_t{event.reserved} << 24 |
           uint64_t{static_cast<uint8_t>(event.op)} << 16 |
           uint64_t{static_cast<uint8_t>(event.phase)} << 8 |
           static_cast<uint8_t>(event.result)) +
          (hash >> 31);
  hash *= 0x9e3779b97f4a7c15;
  return static_cast<uint16_t>(hash >> 48);
}

// The order in which a history is read: by time, and in a way that is the same
// in every reading where times are equal.
[[nodiscard]] inline bool Before(const Event& a, const Event& b) {
  if (a.time_ns != b.time_ns) return a.time_ns < b.time_ns;
  if (a.actor != b.actor) return a.actor < b.actor;
  return a.sequence < b.sequence;
}

// "+0.001234567 s actor 3 acquire return ok, grant 17": counted from
// `start_ns`.
[[nodiscard]] std::string Describe(const Event& event, int64_t start_ns);

}  // namespace locklab::history

#endif  // LOCKLAB_CONFORMANCE_HISTORY_EVENT_H_
