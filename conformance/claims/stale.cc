// Who counts as dead: on proof alone, and never a live one.
#include <unistd.h>

#include <array>
#include <atomic>
#include <string>

#include "conformance/claims/actor.h"
#include "conformance/claims/families.h"
#include "conformance/claims/seam.h"

namespace locklab::claims {
namespace {

using lockfile::Life;

// However it is looked at and waited for, it keeps its lock.
void ExpectNotRobbed(const ClaimContext& context) {
  const auto other = MakeJob(context);
  Expect(
      Inspect(*other).HolderLife().life != Life::kDead,
      "a live holder is called dead: " + Inspect(*other).HolderLife().reason);
  for (int i = 0; i < 20; ++i) {
    ExpectRefused(other->Acquire(0ns), "another's acquire");
  }
  ExpectRefused(other->Acquire(100ms), "another's waiting acquire");
}

Finding LiveHolderIsNeverBroken(const ClaimContext& context) {
  Actor holder(context);
  ExpectOk(holder.Acquire(0ns), "the holder's acquire");
  ExpectNotRobbed(context);
  Expect(holder.IAmLocking(), "the live holder lost its lock");
  ExpectOk(holder.Release(), "the holder's release");
  return Finding::Pass();
}

// Under a lease a stopped holder is overtaken, and has to learn it.
void ExpectLeaseIsLost(const ClaimContext& context) {
  const auto make = [&context] {
    return context.subject.MakeLeased(JobPath(context), 100ms);
  };
  if (make() == nullptr) return;
  Step("a holder with a lease is stopped beyond it");
  Actor holder(make);
  ExpectOk(holder.Acquire(kSoon), "acquire with a lease");
  holder.Pause();
  const auto other = MakeJob(context);
  ExpectOk(other->Acquire(kSoon), "acquire after the lease ran out");
  holder.Resume();
  Expect(!holder.IAmLocking(),
         "a holder that was stopped beyond its lease believes that it holds");
  ExpectError(holder.Release(), lockfile::Errc::kLockLost,
              "release after the lease ran out");
  Expect(IAmLocking(*other),
         "a release after the lease ran out took the successor's lock away");
  ExpectOk(other->Release(), "the successor's release");
}

Finding PausedHolder(const ClaimContext& context) {
  Actor holder(context);
  ExpectOk(holder.Acquire(0ns), "the holder's acquire");
  holder.Pause();
  ExpectNotRobbed(context);
  holder.Resume();
  Expect(holder.IAmLocking(), "the holder lost its lock while it was stopped");
  ExpectOk(holder.Release(), "the holder's release");
  ExpectLeaseIsLost(context);
  return Finding::Pass();
}

Finding ClockJump(const ClaimContext& context) {
  Actor holder(context);
  ExpectOk(holder.Acquire(0ns), "the holder's acquire");
  constexpr int64_t kTenYears = 315'360'000;
  for (const int64_t jump : {kTenYears, -kTenYears}) {
    LyingOs os(nullptr, [jump](int64_t now) { return now + jump; });
    const auto other = MakeJobOn(context, os);
    Expect(Inspect(*other).HolderLife().life == Life::kAlive,
           "a live holder is not called alive after a clock jump");
    ExpectRefused(other->Acquire(0ns), "acquire after a clock jump");
    ExpectRefused(other->Acquire(50ms), "waiting after a clock jump");
  }
  Expect(holder.IAmLocking(), "the holder lost its lock to a clock jump");
  ExpectOk(holder.Release(), "the holder's release");
  // No namespace has a wall clock of its own.
  return Finding::Pass("the wall clock jumped as the seam told it");
}

// --- a creator between making its file and writing into it -----------------

// Dies before its nth write; true: it had one.
bool DieBeforeWrite(const ClaimContext& context, int nth) {
  proc::Shared<std::atomic<int>> writes;
  HookOs os([&](Change change) {
    if (change == Change::kWrite && writes->fetch_add(1) == nth) _exit(0);
    return 0;
  });
  proc::Child creator = proc::Child::Spawn([&] {
    // Never destroyed: a crash gives nothing back.
    Subject* subject = MakeJobOn(context, os).release();
    return subject->Acquire(kSoon).ok() ? 0 : 1;
  });
  const auto end = creator.Wait(proc::In(kSoon));
  if (!end) Inconclusive("the creator did not come to its end");
  return *writes > nth;
}

// Stands still before its first write while another wants the lock.
void BeSlowBeforeWrite(const ClaimContext& context) {
  proc::Shared<StopSign> sign;
  HookOs os([&](Change change) {
    return change == Change::kWrite ? sign->Pass() : 0;
  });
  Actor creator([&] { return MakeJobOn(context, os); });
  sign->Arm(0);
  creator.Start(Verb::kAcquire, kSoon);
  std::optional<Reply> created;
  while (!sign->AwaitStop(proc::In(1ms))) {
    if ((created = creator.Await(proc::TimePoint::min()))) break;
  }
  if (created) return;  // It writes nothing, or not through the seam.
  const auto other = MakeJob(context);
  const Outcome got = other->Acquire(300ms);
  sign->Go();
  if (got.ok()) {
    created = creator.Await(proc::In(200ms));
    Expect(!created || !created->outcome.ok() || !IAmLocking(*other),
           "a slow creator and another both hold the lock");
    ExpectOk(other->Release(), "the other's release");
  } else {
    ExpectRefused(got, "acquire beside a slow creator");
  }
  created = creator.Await(proc::In(2 * kSoon));
  Expect(created.has_value(), "the slow creator never got the lock");
  ExpectOk(created->outcome, "the slow creator's acquire");
  Expect(creator.IAmLocking(), "the slow creator does not hold what it got");
  ExpectRefused(other->Acquire(0ns), "another's acquire");
  ExpectOk(creator.Release(), "the slow creator's release");
}

Finding EmptyLockFile(const ClaimContext& context) {
  for (int nth = 0; nth < 8; ++nth) {
    Step("a creator dies before its write " + std::to_string(nth));
    const bool more = DieBeforeWrite(context, nth);
    const auto next = MakeJob(context);
    ExpectOk(next->Acquire(kSoon),
             "acquire after a creator died before it wrote");
    ExpectOk(next->Release(), "release");
    if (!more) break;
  }
  Step("a creator is slow before its first write");
  BeSlowBeforeWrite(context);
  return Finding::Pass();
}

constexpr auto kRows = std::to_array<Claim>({
    {.id = "stale.live_holder_is_never_broken",
     .level = Level::kMust,
     .statement = "a live holder keeps its lock, however often others try",
     .source = "proper-lockfile 121, npm/lockfile 4: two holders after a "
               "takeover",
     .excuse = nullptr,
     .body = LiveHolderIsNeverBroken},
    {.id = "stale.paused_holder",
     .level = Level::kMust,
     .statement = "a holder that is stopped for a while is still the holder; "
                  "beyond its lease, if it has one, it learns that it is not",
     .source = "Kleppmann 2016: how to do distributed locking",
     .excuse = nullptr,
     .body = PausedHolder},
    {.id = "stale.clock_jump",
     .level = Level::kMust,
     .statement = "jumps of the wall clock do not make a live lock stale",
     .source = "clock_gettime(2): CLOCK_REALTIME jumps",
     .excuse = nullptr,
     .body = ClockJump},
    {.id = "stale.empty_lock_file",
     .level = Level::kMust,
     .statement = "a creator that died before it wrote is recovered; one that "
                  "is merely slow is not robbed",
     .source = "Python lockfile 0.12.2, pid: the file is visible empty",
     .excuse = UnlessSoft,
     .body = EmptyLockFile},
});

}  // namespace

std::span<const Claim> StaleClaims() { return kRows; }

}  // namespace locklab::claims
