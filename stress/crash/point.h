// Where a process dies, or a call fails: one point of one operation.
#ifndef LOCKLAB_STRESS_CRASH_POINT_H_
#define LOCKLAB_STRESS_CRASH_POINT_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace locklab::crash {

// What the victim is doing.
enum class Operation { kAcquire, kHold, kRefresh, kRelease, kBreak };
struct OperationRow {
  Operation operation;
  std::string_view name;
  std::string_view doc;
};
[[nodiscard]] std::span<const OperationRow> Operations();
[[nodiscard]] std::string_view OperationName(Operation operation);
// Whether the victim holds the lock when the operation begins.
[[nodiscard]] inline bool HoldsAtFirst(Operation operation) {
  return operation == Operation::kHold || operation == Operation::kRefresh ||
         operation == Operation::kRelease;
}

// What happens at the point.
enum class Fate {
  kDieBefore,  // SIGKILL, and the call is not made
  kDieAfter,   // the call is made, then SIGKILL
  kError,      // the call is not made and fails with an errno
  kLostReply,  // the call is made, and fails with an errno all the same
};

// Calls are counted from 1, where the operation begins; of kHold there is one
// point only, between acquire and release.
struct Point {
  Operation operation = Operation::kAcquire;
  int call = 1;
  Fate fate = Fate::kDieBefore;
  int error = 0;    // of kError and kLostReply
  int waiters = 0;  // processes that want the lock meanwhile

  bool operator==(const Point&) const = default;
};

[[nodiscard]] inline bool Dies(Fate fate) {
  return fate == Fate::kDieBefore || fate == Fate::kDieAfter;
}

// "acquire:7:before", "release:3:error=EIO", "acquire:4:lost=EEXIST"; the
// waiters are not in it.
[[nodiscard]] std::string PointName(const Point& point);
// The reverse. nullopt: it is none.
[[nodiscard]] std::optional<Point> ParsePoint(std::string_view text);

// The errors that a filesystem may plausibly give to any lock at this call of
// the seam ("Link"); empty: none.
[[nodiscard]] std::span<const int> PlausibleErrors(std::string_view call);
// What a call may report though it was done: what a server whose reply was
// lost makes of a retry, what close(2) hears of an earlier write. Empty: it
// does not.
[[nodiscard]] std::span<const int> LostReplyErrors(std::string_view call);

}  // namespace locklab::crash

#endif  // LOCKLAB_STRESS_CRASH_POINT_H_
