// What is left when the holder dies.
#include <unistd.h>

#include <array>
#include <atomic>
#include <string>

#include "conformance/claims/actor.h"
#include "conformance/claims/families.h"
#include "conformance/claims/seam.h"
#include "conformance/proc/child.h"
#include "conformance/proc/shared.h"

namespace locklab::claims {
namespace {

using lockfile::Life;

// The holder dies while another waits; then while nobody does.
void ExpectRecovery(const ClaimContext& context) {
  Actor holder(context);
  Actor waiter(context);
  ExpectOk(holder.Acquire(0ns), "the holder's acquire");
  Step("the holder is killed while another waits");
  waiter.Start(Verb::kAcquire, kForever);
  waiter.AwaitStart();
  if (const auto early = waiter.Await(proc::In(20ms))) {
    Fail("the waiter's acquire " + Describe(early->outcome) +
         " while another held the lock");
  }
  holder.Kill();
  const auto reply = waiter.Await(proc::In(kSoon));
  Expect(reply.has_value(),
         "the lock of a killed holder did not come free "
         "within " +
             Millis(kSoon));
  ExpectOk(reply->outcome, "the waiter's acquire after the holder's death");
  waiter.Kill();
  Step("the holder was killed, then another comes");
  const auto next = MakeJob(context);
  ExpectOk(next->Acquire(kSoon), "acquire after the holder's death");
  ExpectOk(next->Release(), "release after the holder's death");
}

Finding KernelLockIsFreed(const ClaimContext& context) {
  ExpectRecovery(context);
  CrashHolding([&context] { return MakeJob(context); });
  const auto next = MakeJob(context);
  // An adapter dies a moment after whoever it held the lock for.
  ExpectOk(next->Acquire(context.subject.remote() ? kSoon : 0ns),
           "acquire without waiting after a crash");
  ExpectOk(next->Release(), "release");
  return Finding::Pass();
}

Finding DeadHolderIsDetected(const ClaimContext& context) {
  const auto next = MakeJob(context);
  if (next->inspector() == nullptr) {
    ExpectRecovery(context);
    return Finding::Pass(
        "it can be had again; whom it calls dead it does "
        "not tell");
  }
  CrashHolding([&context] { return MakeJob(context); });
  const auto life = Inspect(*next).HolderLife();
  Expect(life.life == Life::kDead,
         "the killed holder is not called dead: " + life.reason);
  Expect(IsLocked(*next), "is_locked() is false for a stale lock");
  ExpectOk(next->Acquire(0ns), "acquire without waiting of a stale lock");
  ExpectOk(next->Release(), "release");
  ExpectRecovery(context);
  return Finding::Pass();
}

Finding LitterIsCollected(const ClaimContext& context) {
  Actor holder(context);
  ExpectOk(holder.Acquire(0ns), "the holder's acquire");
  {
    Actor waiter(context);
    waiter.Start(Verb::kAcquire, kForever);
    waiter.AwaitStart();
    if (const auto early = waiter.Await(proc::In(20ms))) {
      Fail("the waiter's acquire " + Describe(early->outcome) +
           " while another held the lock");
    }
    waiter.Kill();
  }
  holder.Kill();
  const auto next = MakeJob(context);
  ExpectOk(next->Acquire(kSoon), "acquire after two deaths");
  ExpectOk(next->Release(), "release after two deaths");
  ExpectNoLitter(context, "after a holder and a waiter died");
  return Finding::Pass();
}

// --- death before every call -----------------------------------------------

// A process dies before the `nth` change that it makes while it takes the lock
// and gives it back again. True: it made so many.
bool DieBeforeCall(const ClaimContext& context, int nth) {
  struct Tally {
    std::atomic<int> calls;
    std::atomic<bool> done;
  };
  proc::Shared<Tally> tally;
  HookOs os([&](Change) {
    if (tally->calls.fetch_add(1) == nth) _exit(0);
    return 0;
  });
  proc::Child victim = proc::Child::Spawn([&] {
    const auto subject = MakeJobOn(context, os);
    if (!subject->Acquire(kSoon).ok() || !subject->Release().ok()) return 1;
    tally->done = true;
    return 0;
  });
  const auto end = victim.Wait(proc::In(2 * kSoon));
  Expect(end && end->ok(),
         "the victim could not take the lock and give it "
         "back, after others had died");
  return !tally->done;
}

Finding EveryPointRecovers(const ClaimContext& context) {
  if (auto found = context.arena.Tried(Trial::kDeaths, context.subject)) {
    return *found;
  }
  constexpr int kMost = 60;
  int nth = 0;
  while (nth < kMost) {
    const std::string where = "before its change " + std::to_string(nth);
    Step("a process dies " + where);
    // Or the body ends here.
    if (nth == 0) (void)MakeJobOn(context, lockfile::os::Os::Real());
    const bool died = DieBeforeCall(context, nth);
    const auto next = MakeJob(context);
    ExpectOk(next->Acquire(kSoon), "acquire after a process died " + where);
    Actor other(context);
    ExpectRefused(other.Acquire(0ns), "another's acquire after it");
    ExpectOk(next->Release(), "release after a process died " + where);
    if (!died) break;
    ++nth;
  }
  return Finding::Pass("died before each of " + std::to_string(nth) +
                       " changes");
}

constexpr auto kRows = std::to_array<Claim>({
    {.id = "crash.every_point_recovers",
     .level = Level::kMust,
     .statement = "at whatever step of acquire, hold, refresh, release or "
                  "break a process dies, the lock can be had again, and by one",
     .source = "Python lockfile 0.12.2, mkdir: dies before the owner file",
     .excuse = nullptr,
     .body = EveryPointRecovers,
     .trial = Trial::kDeaths},
    {.id = "crash.kernel_lock_is_freed",
     .level = Level::kMust,
     .statement = "the kernel frees the lock of a killed holder, and its "
                  "waiter gets it",
     .source = "flock(2), fcntl(2): released when the descriptor is closed",
     .excuse = UnlessKernel,
     .body = KernelLockIsFreed},
    {.id = "crash.litter_is_collected",
     .level = Level::kShould,
     .statement = "what dead processes left is gone after the next acquire "
                  "and release",
     .source = "Python lockfile 0.12.2, link: private files stay for ever",
     .excuse = nullptr,
     .body = LitterIsCollected},
    {.id = "stale.dead_holder_is_detected",
     .level = Level::kMust,
     .statement = "a holder that was killed is proven dead, and its lock can "
                  "be had again",
     .source = "borg, restic, git, pip: stale locks cleaned by hand",
     .excuse = UnlessSoft,
     .body = DeadHolderIsDetected},
});

}  // namespace

std::span<const Claim> CrashClaims() { return kRows; }

}  // namespace locklab::claims
