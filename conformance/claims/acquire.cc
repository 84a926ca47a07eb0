// Taking the lock: free, held, held by oneself, and impossible.
#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include "conformance/claims/actor.h"
#include "conformance/claims/families.h"
#include "conformance/claims/seam.h"

namespace locklab::claims {
namespace {

using lockfile::Errc;

Finding ReacquireByHolder(const ClaimContext& context) {
  const auto holder = MakeJob(context);
  Actor other(context);
  ExpectOk(holder->Acquire(0ns), "the holder's acquire");
  ExpectOk(holder->Acquire(0ns), "the holder's second acquire");
  ExpectOk(holder->Acquire(1s), "the holder's third acquire");
  ExpectRefused(other.Acquire(0ns), "another process's acquire");
  ExpectOk(holder->Release(), "the one release");
  ExpectOk(other.Acquire(kSoon), "another process's acquire after it");
  ExpectOk(other.Release(), "another process's release");
  return Finding::Pass();
}

Finding FailedLeavesNoLitter(const ClaimContext& context) {
  Actor holder(context);
  ExpectOk(holder.Acquire(0ns), "the holder's acquire");
  const auto before = Entries(context.dir);
  {
    const auto loser = MakeJob(context);
    ExpectRefused(loser->Acquire(0ns), "acquire without waiting");
    Expect(Entries(context.dir) == before, "a refused acquire left a file");
    ExpectRefused(loser->Acquire(30ms), "acquire with a timeout");
    Expect(Entries(context.dir) == before, "a timeout left a file");
  }
  Expect(Entries(context.dir) == before, "a destroyed loser left a file");
  ExpectOk(holder.Release(), "the holder's release");
  ExpectNoLitter(context, "after the release");
  return Finding::Pass();
}

// --- errors are not contention ---------------------------------------------

// An acquire that must fail at once with one of `errors`; it is given so much
// time to wait that a wait would be seen.
void ExpectErrorAtOnce(const Reply& reply, const std::vector<int>& errors,
                       const std::string& what) {
  std::string wanted;
  bool right = reply.outcome.sys == 0;  // a lock that does not tell
  for (const int error : errors) {
    right |= reply.outcome.sys == error;
    wanted += (wanted.empty() ? "" : " or ") + lockfile::ErrnoName(error);
  }
  Expect(reply.outcome.got == Got::kError,
         what + ": acquire " + Describe(reply.outcome) +
             "; expected the error " + wanted);
  Expect(right, what + ": acquire " + Describe(reply.outcome) + "; expected " +
                    wanted);
  Expect(reply.took() < 5s,
         what + ": acquire waited " + Millis(reply.took()) + " for an error");
}

constexpr nanoseconds kLongWait = 30s;

void TryPath(const ClaimContext& context, const std::string& path,
             const std::vector<int>& errors, const std::string& what) {
  Step(what);
  Actor actor([&] { return context.subject.Make(path); });
  ExpectErrorAtOnce(actor.Do(Verb::kAcquire, kLongWait), errors, what);
}

void TryBadPaths(const ClaimContext& context) {
  const std::string& dir = context.dir;
  TryPath(context, dir + "/missing/job", {ENOENT}, "a missing directory");
  WriteText(dir + "/plain", "x");
  TryPath(context, dir + "/plain/job", {ENOTDIR}, "a file for a directory");
  TryPath(context, dir + "/" + std::string(300, 'n'), {ENAMETOOLONG},
          "a name that is too long");
  if (TrySymlink(dir + "/loop", dir + "/loop")) {
    TryPath(context, dir + "/loop/job", {ELOOP}, "a loop of symbolic links");
  }
}

void TryForbiddenDirectory(const ClaimContext& context) {
  const std::string dir = context.dir + "/forbidden";
  MakeDirectory(dir, 0555);
  Step("a directory without permission");
  Actor actor([&] {
    if (IsRoot()) BecomeNobody();
    return context.subject.Make(dir + "/job");
  });
  ExpectErrorAtOnce(actor.Do(Verb::kAcquire, kLongWait), {EACCES, EPERM},
                    "a directory without permission");
}

void TryNoDescriptors(const ClaimContext& context) {
  Step("no file descriptor left");
  Actor actor([&] {
    // What the program around the lock needs once (a loader, a sanitizer), it
    // gets before: here it succeeds, and here it fails.
    auto subject = context.subject.Make(context.dir + "/other");
    ExpectOk(subject->Acquire(kSoon), "acquire of another lock");
    ExpectOk(subject->Release(), "release of another lock");
    (void)context.subject.Make(context.dir + "/missing/other")->Acquire(0ns);
    subject = MakeJob(context);
    UseUpDescriptors();
    return subject;
  });
  const Reply reply = actor.Do(Verb::kAcquire, kLongWait);
  // Some locks need none.
  if (reply.outcome.ok()) {
    ExpectOk(actor.Release(), "release with no descriptor left");
  } else {
    ExpectErrorAtOnce(reply, {EMFILE}, "no file descriptor left");
  }
  const auto later = MakeJob(context);
  ExpectOk(later->Acquire(kSoon), "acquire once there are descriptors again");
  ExpectOk(later->Release(), "release once there are descriptors again");
}

// Every call that would make the lock fails. False: it is made by calls that do
// not pass the seam; then the holder that dies here leaves it held.
bool TryErrno(const ClaimContext& context, int error) {
  const std::string what =
      "every attempt fails with " + lockfile::ErrnoName(error);
  Step(what);
  proc::Shared<std::atomic<int>> failures;
  HookOs os([&](Change change) {
    const bool makes = change == Change::kCreate || change == Change::kLink ||
                       change == Change::kSymlink ||
                       change == Change::kMakeDir ||
                       change == Change::kRename || change == Change::kLock;
    if (!makes) return 0;
    ++*failures;
    return error;
  });
  Actor actor([&] { return MakeJobOn(context, os); });
  const Reply reply = actor.Do(Verb::kAcquire, kLongWait);
  if (*failures == 0) return false;
  ExpectErrorAtOnce(reply, {error}, what);
  return true;
}

Finding ErrorIsNotContention(const ClaimContext& context) {
  TryBadPaths(context);
  TryForbiddenDirectory(context);
  TryNoDescriptors(context);
  if (context.subject.MakeOn(lockfile::os::Os::Real(), JobPath(context))) {
    for (const int error : {EPERM, ENOSPC, EROFS, EDQUOT}) {
      if (!TryErrno(context, error)) break;
    }
  }
  return Finding::Pass();
}

constexpr auto kRows = std::to_array<Claim>({
    {.id = "acquire.failed_leaves_no_litter",
     .level = Level::kMust,
     .statement = "no file is left after a refusal or a timeout",
     .source = "liblockfile(3): temporary files are removed",
     .excuse = nullptr,
     .body = FailedLeavesNoLitter},
    {.id = "acquire.reacquire_by_holder",
     .level = Level::kMust,
     .statement = "the holder's further acquires succeed, and one release "
                  "frees the lock",
     .source = "lock_file.h, the state table: acquire() in state Mine",
     .excuse = nullptr,
     .body = ReacquireByHolder,
     .local = true},
    {.id = "acquire.error_is_not_contention",
     .level = Level::kMust,
     .statement = "what is not contention is an error at once, with the right "
                  "errno",
     .source = "Python lockfile 0.12.2: EPERM from link(2) is waited for",
     .excuse = nullptr,
     .body = ErrorIsNotContention},
});

}  // namespace

std::span<const Claim> AcquireClaims() { return kRows; }

}  // namespace locklab::claims
