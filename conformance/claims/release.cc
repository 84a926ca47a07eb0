// Giving the lock back: by its owner, by strangers, and after it was lost.
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>

#include "conformance/claims/actor.h"
#include "conformance/claims/families.h"
#include "conformance/claims/seam.h"

namespace locklab::claims {
namespace {

using lockfile::Errc;

Finding Frees(const ClaimContext& context) {
  const auto first = MakeJob(context);
  Actor second(context);
  for (int i = 0; i < 3; ++i) {
    ExpectOk(first->Acquire(0ns), "acquire");
    ExpectRefused(second.Acquire(0ns), "another process's acquire");
    ExpectOk(first->Release(), "release");
    ExpectOk(second.Acquire(0ns), "another process's acquire after release");
    ExpectOk(second.Release(), "another process's release");
  }
  return Finding::Pass();
}

Finding TwiceIsNotLocked(const ClaimContext& context) {
  const auto subject = MakeJob(context);
  ExpectError(subject->Release(), Errc::kNotLocked, "release before acquire");
  ExpectOk(subject->Acquire(0ns), "acquire");
  ExpectOk(subject->Release(), "release");
  ExpectError(subject->Release(), Errc::kNotLocked, "the second release");
  ExpectOk(subject->Acquire(0ns), "acquire after two releases");
  ExpectOk(subject->Release(), "release");
  return Finding::Pass();
}

Finding ByStrangerIsRefused(const ClaimContext& context) {
  Actor holder(context);
  ExpectOk(holder.Acquire(0ns), "the holder's acquire");
  const auto stranger = MakeJob(context);
  ExpectError(stranger->Release(), Errc::kNotMyLock, "a stranger's release");
  ExpectRefused(stranger->Acquire(0ns), "acquire after a stranger's release");
  Actor third(context);
  ExpectError(third.Release(), Errc::kNotMyLock, "a third process's release");
  ExpectRefused(third.Acquire(0ns), "acquire after a third one's release");
  ExpectOk(holder.Release(), "the holder's release");
  // The same object, once its lock is free and taken by another.
  ExpectOk(third.Acquire(kSoon), "another's acquire");
  ExpectError(holder.Release(), Errc::kNotMyLock,
              "the former holder's second release");
  ExpectRefused(stranger->Acquire(0ns), "acquire after the former holder's");
  ExpectOk(third.Release(), "another's release");
  return Finding::Pass();
}

Finding AfterBreakReportsLost(const ClaimContext& context) {
  Actor holder(context);
  ExpectOk(holder.Acquire(0ns), "the holder's acquire");
  const auto successor = MakeJob(context);
  Expect(Break(*successor), "break_lock() found nothing to break");
  ExpectOk(successor->Acquire(kSoon), "the successor's acquire");
  ExpectError(holder.Release(), Errc::kLockLost, "the former holder's release");
  Expect(IAmLocking(*successor),
         "the former holder's release took the successor's lock away");
  Actor third(context);
  ExpectRefused(third.Acquire(0ns), "a third one's acquire");
  ExpectOk(successor->Release(), "the successor's release");
  ExpectOk(holder.Acquire(kSoon), "the former holder's new acquire");
  ExpectOk(holder.Release(), "the former holder's new release");
  // And with no successor.
  ExpectOk(holder.Acquire(kSoon), "the holder's acquire");
  Expect(Break(*successor), "break_lock() found nothing to break");
  ExpectError(holder.Release(), Errc::kLockLost, "release of a broken lock");
  return Finding::Pass();
}

// --- release, stopped before each of its calls -----------------------------

// How long a process may sleep if nothing stands in its way: by a multiple of
// what the filesystem needs just now for another process's simplest answer.
nanoseconds Patience(Actor* actor) {
  const auto start = proc::Clock::now();
  (void)actor->IsLocked();
  return 20ms + 20 * (proc::Clock::now() - start);
}

// The owner stands in its release; the lock is broken, and a successor comes.
void MeetStoppedRelease(const ClaimContext& context, StopSign* sign,
                        Actor* owner, int nth) {
  const std::string where = ", stopped before its call " + std::to_string(nth);
  Actor breaker(context);
  Actor successor(context);
  const nanoseconds patience =
      std::max(Patience(&breaker), Patience(&successor));
  breaker.Start(Verb::kBreak);
  // It may have to wait for the owner.
  auto broken = breaker.AwaitUnlessStuck(patience);
  // However long it stands in the way of the successor, which is in no hurry.
  successor.Start(Verb::kAcquire, kForever);
  auto got = successor.AwaitUnlessStuck(patience);
  sign->Go();
  const auto released = owner->Await(proc::In(kSoon));
  Expect(released.has_value(), "the owner's release did not end" + where);
  Expect(released->outcome.ok() ||
             released->outcome.code == lockfile::Errc::kLockLost,
         "the owner's release" + where + ", " + Describe(released->outcome));
  // A break that came only now may have met the successor, as it was asked to.
  const bool settled = got.has_value() && broken.has_value();
  if (!broken) broken = breaker.Await(proc::In(2 * kSoon));
  if (!got) got = successor.Await(proc::In(2 * kSoon));
  Expect(broken.has_value(), "break_lock() beside a release did not end");
  Expect(got.has_value(), "the successor's acquire did not end");
  ExpectOk(got->outcome, "the successor's acquire");
  if (!settled) return;
  Expect(successor.IAmLocking(),
         "the owner's release" + where + ", took the successor's lock away");
  Actor third(context);
  ExpectRefused(third.Acquire(0ns), "a third one's acquire");
  ExpectOk(successor.Release(), "the successor's release");
}

// The owner stands still before call `nth` of its release; meanwhile the lock
// is broken and another takes it. True: the release has so many calls.
bool StoppedRelease(const ClaimContext& context, int nth) {
  proc::Shared<StopSign> sign;
  HookOs os([&](Change) { return sign->Pass(); });
  Actor owner([&] { return MakeJobOn(context, os); });
  ExpectOk(owner.Acquire(kSoon), "the owner's acquire");
  sign->Arm(nth);
  owner.Start(Verb::kRelease);
  std::optional<Reply> reply;
  while (!sign->AwaitStop(proc::In(1ms))) {
    if ((reply = owner.Await(proc::TimePoint::min()))) break;
  }
  if (reply) {
    ExpectOk(reply->outcome, "the owner's release");
    return false;
  }
  MeetStoppedRelease(context, &*sign, &owner, nth);
  return true;
}

Finding NeverRemovesSuccessor(const ClaimContext& context) {
  return EachCall(context, "stopped", [&context](int nth) {
    Step("a release is stopped before its call " + std::to_string(nth));
    return StoppedRelease(context, nth);
  });
}

Finding LeavesNoLitter(const ClaimContext& context) {
  {
    const auto subject = MakeJob(context);
    for (int i = 0; i < 3; ++i) {
      ExpectOk(subject->Acquire(0ns), "acquire");
      ExpectOk(subject->Release(), "release");
      ExpectNoLitter(context, "after a release");
    }
    ExpectOk(subject->Acquire(0ns), "acquire");
  }
  ExpectNoLitter(context, "after the object's end");
  return Finding::Pass();
}

// Files that neither side of the protocol made.
void Scatter(const std::string& lock_path) {
  WriteText(lock_path + ".foreign", "x");
  const std::string dir = std::filesystem::path(lock_path).parent_path();
  WriteText(dir + "/.nfs000000000001", "x");
  struct stat info {};
  if (lstat(lock_path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
    WriteText(lock_path + "/.nfs000000000001", "x");
    WriteText(lock_path + "/foreign", "x");
  }
}

Finding SurvivesForeignFiles(const ClaimContext& context) {
  const auto holder = MakeJob(context);
  Actor other(context);
  ExpectOk(holder->Acquire(0ns), "acquire");
  Scatter(Inspect(*holder).lock_path());
  Expect(IAmLocking(*holder), "foreign files made the holder lose its lock");
  ExpectRefused(other.Acquire(0ns), "another's acquire beside foreign files");
  ExpectOk(holder->Release(), "release beside foreign files");
  ExpectOk(other.Acquire(5s), "another's acquire beside foreign files");
  ExpectOk(other.Release(), "another's release beside foreign files");
  return Finding::Pass();
}

constexpr auto kRows = std::to_array<Claim>({
    {.id = "release.frees",
     .level = Level::kMust,
     .statement = "a released lock can be had by others at once",
     .source = "Python lockfile 0.12.2, compliance test: release",
     .excuse = nullptr,
     .body = Frees},
    {.id = "release.twice_is_not_locked",
     .level = Level::kMust,
     .statement = "releasing what nobody holds is NotLocked",
     .source = "Python lockfile 0.12.2, compliance test: release unlocked",
     .excuse = nullptr,
     .body = TwiceIsNotLocked},
    {.id = "release.by_stranger_is_refused",
     .level = Level::kMust,
     .statement = "a stranger's release is NotMyLock, and the lock stays",
     .source = "Python lockfile 0.12.2, compliance test: release from thread",
     .excuse = nullptr,
     .body = ByStrangerIsRefused},
    {.id = "release.after_break_reports_lost",
     .level = Level::kMust,
     .statement = "the holder of a broken lock learns it, and its release "
                  "leaves the successor's lock alone",
     .source = "Python lockfile 0.12.2, link: deletes the successor's lock",
     .excuse = UnlessBreakable,
     .body = AfterBreakReportsLost},
    {.id = "release.never_removes_successor",
     .level = Level::kMust,
     .statement = "a release that is overtaken by a break and an acquire, "
                  "before any of its calls, leaves the successor's lock alone",
     .source = "Python lockfile 0.12.2, link: check, then unlink",
     .excuse = UnlessBreakable,
     .body = NeverRemovesSuccessor},
    {.id = "release.leaves_no_litter",
     .level = Level::kMust,
     .statement = "no file is left after a release, but for the one that is "
                  "kept on purpose",
     .source = "liblockfile(3): temporary files are removed",
     .excuse = nullptr,
     .body = LeavesNoLitter},
    {.id = "release.survives_foreign_files",
     .level = Level::kMust,
     .statement = "files of others beside or in the lock do not wedge it",
     .source = "Python lockfile 0.12.2, mkdir: rmdir fails half way; nfs(5): "
               ".nfsXXXX",
     .excuse = nullptr,
     .body = SurvivesForeignFiles},
});

}  // namespace

std::span<const Claim> ReleaseClaims() { return kRows; }

}  // namespace locklab::claims
