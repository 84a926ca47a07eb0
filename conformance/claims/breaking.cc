// Breaking locks: compare and break, however many are at it.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "conformance/claims/actor.h"
#include "conformance/claims/families.h"
#include "conformance/claims/seam.h"
#include "conformance/proc/barrier.h"
#include "conformance/proc/child.h"

namespace locklab::claims {
namespace {

// Breakers and new acquirers on one stale lock, again and again.
struct Scene {
  proc::Barrier look;
  proc::Barrier go;
  proc::Barrier done;
  std::atomic<int> holder;  // the witness: who is inside, 0: nobody
  std::atomic<int> violations;
  std::atomic<int> held;  // acquisitions
  std::atomic<int> errors;
  char error[256];  // the first of them
};

void Note(Scene* scene, const Outcome& outcome, const char* what) {
  if (scene->errors.fetch_add(1) != 0) return;
  const std::string text = std::string(what) + " " + Describe(outcome);
  text.copy(scene->error, sizeof scene->error - 1);
}

// Everybody looks at the stale lock first; then, at one moment, some break
// what they saw, and all take the lock.
void TakePart(Subject* subject, int me, bool breaks, Scene* scene) {
  std::optional<lockfile::Owner> seen;
  Inspect(*subject).ReadOwner(&seen);
  if (!scene->go.ArriveAndWait(proc::In(kSoon))) return;
  if (breaks && seen) {
    bool broke = false;
    const Outcome outcome = Inspect(*subject).BreakIf(*seen, &broke);
    if (outcome.got == Got::kError) Note(scene, outcome, "break_lock(owner)");
  }
  // However many are before it: RunBreakers sees that some get on.
  const Outcome got = subject->Acquire(kForever);
  if (!got.ok()) return Note(scene, got, "acquire");
  ++scene->held;
  int nobody = 0;
  if (!scene->holder.compare_exchange_strong(nobody, me)) ++scene->violations;
  int mine = me;
  // Longer than a careless breaker needs from its look to its removal.
  std::this_thread::sleep_for(50us);
  scene->holder.compare_exchange_strong(mine, 0);
  const Outcome given = subject->Release();
  if (!given.ok()) Note(scene, given, "release");
}

int Participant(const ClaimContext& context, int me, bool breaks, int rounds,
                Scene* scene) {
  for (int round = 0; round < rounds; ++round) {
    const auto subject = MakeJob(context);
    if (!scene->look.ArriveAndWait(proc::In(kSoon))) return 1;
    TakePart(subject.get(), me, breaks, scene);
    if (!scene->done.ArriveAndWait(proc::In(5 * kSoon))) return 1;
  }
  return 0;
}

// Until all have had the lock; false: they have not, by far. `wedged`: nobody
// gets it any more, which is not the fault of a busy machine.
bool AwaitRound(uint32_t all, Scene* scene, bool* wedged) {
  int held = -1;
  auto since = proc::Clock::now();
  (void)proc::Eventually(
      [&] {
        if (const int now = scene->held; now != held) {
          held = now;
          since = proc::Clock::now();
        }
        *wedged = proc::Clock::now() - since > 2 * kSoon;
        return scene->done.arrived() == all || *wedged;
      },
      proc::In(4 * kSoon), 1ms);
  *wedged &= scene->done.arrived() != all;
  return scene->done.arrived() == all &&
         scene->done.ArriveAndWait(proc::In(kSoon));
}

// A process that takes the lock and ends without giving it back.
void LeaveStale(const ClaimContext& context) {
  proc::Child victim = proc::Child::Spawn([&context] {
    Subject* subject = MakeJob(context).release();  // Never destroyed.
    return subject->Acquire(kSoon).ok() ? 0 : 1;
  });
  const auto end = victim.Wait(proc::In(2 * kSoon));
  Expect(end && end->ok(), "the next victim could not take the lock");
}

void RunBreakers(const ClaimContext& context, int breakers, int rounds) {
  Step(std::to_string(breakers) + " breakers of one stale lock");
  const int acquirers = std::max(1, breakers / 4);
  const int all = breakers + acquirers;
  proc::Shared<Scene> scene;
  scene->look.Init(static_cast<uint32_t>(all) + 1);
  scene->go.Init(static_cast<uint32_t>(all));
  scene->done.Init(static_cast<uint32_t>(all) + 1);
  std::vector<proc::Child> children;
  for (int me = 1; me <= all; ++me) {
    children.push_back(proc::Child::Spawn([&, me] {
      return Participant(context, me, me <= breakers, rounds, &*scene);
    }));
  }
  bool met = true;
  bool wedged = false;
  for (int round = 0; round < rounds && met; ++round) {
    LeaveStale(context);
    met = scene->look.ArriveAndWait(proc::In(2 * kSoon)) &&
          AwaitRound(static_cast<uint32_t>(all), &*scene, &wedged);
  }
  const std::string among = " among " + std::to_string(breakers) +
                            " breakers and " + std::to_string(acquirers) +
                            " acquirers of a stale lock";
  Expect(scene->violations == 0, std::to_string(scene->violations) +
                                     " times two held it at once" + among);
  Expect(scene->errors == 0, std::string(scene->error) + among + " (" +
                                 std::to_string(scene->errors) + " errors)");
  Expect(!wedged, "for " + Millis(2 * kSoon) + " nobody got the lock" + among);
  if (!met) Inconclusive("not all processes came to the end of a round");
  Expect(scene->held == rounds * all, "not everybody got the lock" + among);
}

Finding ConcurrentBreakers(const ClaimContext& context) {
  Inspect(*MakeJob(context));  // Or the body ends here.
  // Forty processes take a slow machine half a minute.
  const bool many = !context.quick || proc::Patience() == 1;
  RunBreakers(context, 2, Times(context, 10, 200));
  RunBreakers(context, 8, Times(context, 3, 60));
  if (many) RunBreakers(context, 32, Times(context, 1, 20));
  return Finding::Pass(many ? "2, 8 and 32 breakers" : "2 and 8 breakers");
}

// --- a breaker, stopped before each of its calls ---------------------------

// A breaker of the dead holder's lock stands still before its call `nth`, and
// a successor tries to get the lock meanwhile. True: it has so many calls.
bool StoppedBreaker(const ClaimContext& context, int nth) {
  CrashHolding([&context] { return MakeJob(context); });
  proc::Shared<StopSign> sign;
  HookOs os([&](Change) { return sign->Pass(); });
  sign->Arm(nth);
  proc::Shared<std::atomic<int>> broke;
  proc::Child breaker = proc::Child::Spawn([&] {
    const auto subject = MakeJobOn(context, os);
    *broke = BreakIf(*subject, ReadableOwner(*subject)) ? 1 : 0;
    return 0;
  });
  bool stopped = false;
  while (!(stopped = sign->AwaitStop(proc::In(1ms)))) {
    if (breaker.Poll()) break;
  }
  Actor successor(context);
  successor.Start(Verb::kAcquire, kForever);
  // It may have to wait for the breaker.
  auto got = successor.AwaitUnlessStuck(30ms);
  sign->Go();
  const auto end = breaker.Wait(proc::In(kSoon));
  Expect(end && end->ok(), "the breaker did not come to its end");
  if (!got) got = successor.Await(proc::In(3 * kSoon));
  Expect(got.has_value(), "the successor's acquire did not end");
  ExpectOk(got->outcome, "the successor's acquire");
  Expect(successor.IAmLocking(), "a breaker that was stopped before its call " +
                                     std::to_string(nth) +
                                     " took the lock from a live successor");
  Actor third(context);
  ExpectRefused(third.Acquire(0ns), "a third one's acquire");
  ExpectOk(successor.Release(), "the successor's release");
  return stopped;
}

Finding NeverDetachesLiveSuccessor(const ClaimContext& context) {
  Inspect(*MakeJob(context));
  return EachCall(context, "stopped", [&context](int nth) {
    Step("a breaker is stopped before its call " + std::to_string(nth));
    return StoppedBreaker(context, nth);
  });
}

// A breaker dies before its call `nth`; true: it had so many.
bool DyingBreaker(const ClaimContext& context, int nth) {
  CrashHolding([&context] { return MakeJob(context); });
  proc::Shared<std::atomic<int>> calls;
  HookOs os([&](Change) {
    if (calls->fetch_add(1) == nth) _exit(0);
    return 0;
  });
  proc::Child breaker = proc::Child::Spawn([&] {
    Subject* subject = MakeJobOn(context, os).release();
    return BreakIf(*subject, ReadableOwner(*subject)) ? 0 : 1;
  });
  const auto end = breaker.Wait(proc::In(kSoon));
  Expect(end && end->ok(), "the breaker did not break the dead holder's lock");
  const auto next = MakeJob(context);
  ExpectOk(next->Acquire(kSoon),
           "acquire after a breaker died before its "
           "call " +
               std::to_string(nth));
  ExpectOk(next->Release(), "release after a breaker's death");
  return *calls > nth;
}

Finding BreakerDies(const ClaimContext& context) {
  Inspect(*MakeJob(context));
  return EachCall(context, "died", [&context](int nth) {
    Step("a breaker dies before its call " + std::to_string(nth));
    return DyingBreaker(context, nth);
  });
}

Finding ExpectedOwnerOnly(const ClaimContext& context) {
  Actor first(context);
  Actor second(context);
  const auto breaker = MakeJob(context);
  ExpectOk(first.Acquire(0ns), "the first holder's acquire");
  const lockfile::Owner owner = ReadableOwner(*breaker);
  ExpectOk(first.Release(), "the first holder's release");
  Expect(!BreakIf(*breaker, owner), "a free lock was said to be broken");
  ExpectOk(second.Acquire(0ns), "the second holder's acquire");
  Expect(!BreakIf(*breaker, owner),
         "break_lock(owner) broke the lock of another than that owner");
  Expect(second.IAmLocking(), "the second holder lost its lock");
  ExpectOk(second.Release(), "the second holder's release");
  // The same object's next hold is another hold.
  ExpectOk(first.Acquire(0ns), "the first holder's next acquire");
  Expect(!BreakIf(*breaker, owner),
         "break_lock(owner) broke a later hold of that owner");
  Expect(BreakIf(*breaker, ReadableOwner(*breaker)),
         "break_lock(owner) did not break that owner's lock");
  Expect(!first.IAmLocking(), "the broken holder believes that it holds");
  return Finding::Pass();
}

std::string_view UnlessStaleAndBreakable(const lockfile::Traits& traits) {
  const std::string_view excuse = UnlessSoft(traits);
  return excuse.empty() ? UnlessBreakable(traits) : excuse;
}

constexpr auto kRows = std::to_array<Claim>({
    {.id = "break.concurrent_breakers",
     .level = Level::kMust,
     .statement = "2, 8 and 32 breakers of one stale lock and new acquirers "
                  "beside them never yield two holders",
     .source = "Python lockfile 0.12.2: the documented recipe, 149 of 150 "
               "rounds",
     .excuse = UnlessStaleAndBreakable,
     .body = ConcurrentBreakers},
    {.id = "break.never_detaches_live_successor",
     .level = Level::kMust,
     .statement = "a breaker that is overtaken before any of its calls leaves "
                  "a live successor's lock alone",
     .source = "proper-lockfile 121: check, then unlink",
     .excuse = UnlessStaleAndBreakable,
     .body = NeverDetachesLiveSuccessor},
    {.id = "break.expected_owner_only",
     .level = Level::kMust,
     .statement = "compare-and-break refuses when the owner has changed",
     .source = "compare-and-swap, on a filesystem",
     .excuse = UnlessBreakable,
     .body = ExpectedOwnerOnly},
    {.id = "break.breaker_dies",
     .level = Level::kMust,
     .statement = "a breaker that dies before any of its calls does not keep "
                  "the next one from the lock",
     .source = "Mercurial: breaks under a second lock, which can be left",
     .excuse = UnlessStaleAndBreakable,
     .body = BreakerDies},
});

}  // namespace

std::span<const Claim> BreakClaims() { return kRows; }

}  // namespace locklab::claims
