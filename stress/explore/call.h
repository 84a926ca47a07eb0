// One step of a process as the explorer sees it: a call through the seam with
// its arguments, or a mark that the process's program makes; and its result.
#ifndef LOCKLAB_STRESS_EXPLORE_CALL_H_
#define LOCKLAB_STRESS_EXPLORE_CALL_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "stress/explore/interner.h"

namespace locklab::explore {

enum class Op : uint8_t {
  // Calls through the seam, by the names that lib/os gives them.
  kOpen,
  kClose,
  kReadStart,
  kWriteStart,
  kTruncate,
  kLink,
  kSymlink,
  kReadLink,
  kUnlink,
  kMakeDir,
  kRemoveDir,
  kRename,
  kRenameNoReplace,
  kLstat,
  kFstat,
  kListDir,
  kTouch,
  kTryLock,
  kUnlock,
  kQueryLock,
  kWaitLock,
  kWaitEvent,
  kStatus,
  // Marks. The first is a step of its own: the process is inside while it has
  // not made it. The others are no steps: they happen with what is before.
  kHold,      // `value`: the number of the hold
  kIntends,   // to break the lock of `text`
  kBroke,     // so it was told
  kRefused,   // an acquire that did not wait
  kReleased,  // `value`: an Errc; kOk: fine
  kFailed,    // an operation failed: `text` says how
  kEnd,
};
inline constexpr int kOps = static_cast<int>(Op::kEnd) + 1;
[[nodiscard]] std::string_view OpName(Op op);
// Whether it is one of the calls of lib/os.
[[nodiscard]] constexpr bool IsCall(Op op) { return op < Op::kHold; }

// What the model may say to a call: 0, or an errno. Beside these, EIO where the
// search allows errors.
struct PossibleRow {
  Op op;
  std::vector<int> errors;
};
[[nodiscard]] const std::vector<PossibleRow>& Possible();

// A path under the model's directory: no, one or two components. 0: none.
struct Place {
  uint16_t name = 0;
  uint16_t entry = 0;  // of the directory `name`
};

// Texts, also those of names, are numbers of Lexicon::texts.
struct Call {
  Op op = Op::kEnd;
  uint8_t kind = 0;  // an os::KernelLock
  uint8_t fd = 0;
  uint8_t padding = 0;
  Place path{};
  Place to{};
  int32_t flags = 0;   // of Open
  uint32_t text = 0;   // what is written; the text of a symbolic link
  uint32_t value = 0;  // a size, a pid, a limit, an Errc
};

enum class Type : uint8_t { kNone, kFile, kDirectory, kLink };

// Of a call: what the seam returns. FileInfo is made of the last line.
struct Result {
  int32_t value = 0;
  int32_t error = 0;
  uint32_t text = 0;  // what was read; names, each ended by a newline
  uint32_t size = 0;
  uint8_t ino = 0;
  uint8_t nlink = 0;
  Type type = Type::kNone;
  uint8_t mtime = 0;

  static Result Fail(int error) { return {.value = -1, .error = error}; }
};

// All calls, results and texts that a search has met, by their numbers.
struct Lexicon {
  Lexicon();
  Interner texts;  // 0: ""
  ValueInterner<Call> calls;
  ValueInterner<Result> results;

  // Throws std::length_error where the model has no more room for names.
  uint16_t Name(std::string_view name);
};

// "Open x.lock (excl)", "Link x.lock.<b> x.lock": tickets are called by the
// process that made them.
[[nodiscard]] std::string Describe(const Call& call, const Lexicon& lexicon);
// "ENOENT", "fd 3", "ok".
[[nodiscard]] std::string Describe(const Call& call, const Result& result,
                                   const Lexicon& lexicon);
// The name with every token and ticket in it made short.
[[nodiscard]] std::string Shorten(std::string_view name);

// --- who it was --------------------------------------------------------------

// One attempt at a lock in the model. Its random bytes say which it is.
struct Tenure {
  uint8_t slot = 0;
  uint8_t incarnation = 0;  // of the slot's process
  uint8_t round = 0;
  bool operator==(const Tenure&) const = default;
};
// The tenure whose object has this token; false: the token is none of ours.
[[nodiscard]] bool ParseToken(std::string_view token, Tenure* tenure);
// Which of the object's holds it is; 0: it does not count them.
[[nodiscard]] uint8_t HoldOf(std::string_view token);
// The token in a record; "": there is none.
[[nodiscard]] std::string_view TokenIn(std::string_view record);

}  // namespace locklab::explore

#endif  // LOCKLAB_STRESS_EXPLORE_CALL_H_
