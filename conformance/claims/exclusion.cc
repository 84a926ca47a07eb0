// Never two holders: processes, threads, objects, names of one directory.
#include <algorithm>
#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "conformance/claims/actor.h"
#include "conformance/claims/contest.h"
#include "conformance/claims/families.h"
#include "conformance/proc/barrier.h"
#include "conformance/proc/child.h"

namespace locklab::claims {
namespace {

Finding TwoProcesses(const ClaimContext& context) {
  return Contend(context).exclusion;
}

Finding DataCoherence(const ClaimContext& context) {
  return Contend(context).coherence;
}

// Threads take turns; an owner word that only one may hold is the witness.
struct Ring {
  std::atomic<int> owner{0};  // 0: nobody
  std::atomic<int> violations{0};
  std::atomic<int> turns{0};
  std::atomic<int> knocking{0};  // threads inside of acquire
  std::atomic<bool> failed{false};
  Outcome failure;  // of whoever set `failed`
};

// Holds until another wants the lock, too, and a moment more: a lock that lets
// it in is caught at it. Where nobody comes any more, not for long.
void HoldUntilWanted(const Ring& ring) {
  const auto enough = proc::In(2ms);
  while (ring.knocking == 0 && proc::Clock::now() < enough) {
    std::this_thread::yield();
  }
  std::this_thread::sleep_for(20us);
}

void TakeTurns(const ClaimContext& context, int me, int turns, Ring* ring) {
  const auto subject = MakeJob(context);
  const auto report = [ring](const Outcome& outcome) {
    if (!ring->failed.exchange(true)) ring->failure = outcome;
  };
  while (ring->turns.fetch_add(1) < turns && !ring->failed) {
    ++ring->knocking;
    const Outcome got = subject->Acquire(kSoon);
    --ring->knocking;
    if (!got.ok()) return report(got);
    int nobody = 0;
    if (!ring->owner.compare_exchange_strong(nobody, me)) ++ring->violations;
    HoldUntilWanted(*ring);
    int mine = me;
    ring->owner.compare_exchange_strong(mine, 0);
    const Outcome given = subject->Release();
    if (!given.ok()) return report(given);
  }
}

void RunRing(const ClaimContext& context, int threads) {
  Step(std::to_string(threads) + " threads take turns");
  const int turns = Times(context, 8, 100) * threads;
  Ring ring;
  std::vector<std::thread> running;
  for (int me = 1; me <= threads; ++me) {
    running.emplace_back(TakeTurns, std::cref(context), me, turns, &ring);
  }
  for (std::thread& thread : running) thread.join();
  Expect(ring.violations == 0, std::to_string(ring.violations) +
                                   " times two of " + std::to_string(threads) +
                                   " threads held it at once");
  if (ring.failed) ExpectOk(ring.failure, "a thread's acquire or release");
}

Finding TwoThreads(const ClaimContext& context) {
  RunRing(context, 2);
  RunRing(context, 8);
  return Finding::Pass();
}

Finding TwoObjectsOneThread(const ClaimContext& context) {
  const auto first = MakeJob(context);
  const auto second = MakeJob(context);
  ExpectOk(first->Acquire(0ns), "the first object's acquire");
  ExpectRefused(second->Acquire(0ns), "the second object's acquire");
  ExpectRefused(second->Acquire(20ms), "the second object's waiting acquire");
  ExpectOk(first->Release(), "the first object's release");
  ExpectOk(second->Acquire(kSoon), "the second object's acquire afterwards");
  ExpectOk(second->Release(), "the second object's release");
  return Finding::Pass();
}

// A herd at the gate: in each round all try once, at one moment.
struct Gate {
  proc::Barrier start;
  proc::Barrier tried;
  proc::Barrier done;
  std::atomic<int> winners;
  std::atomic<int> errors;
  std::atomic<int> most;   // winners of the worst round
  std::atomic<int> empty;  // rounds that nobody won
};

constexpr int kHerd = 64;
constexpr int kSmallHerd = 16;  // on a slow machine

int HerdMember(const ClaimContext& context, Gate* gate, int rounds, bool lead) {
  const auto subject = MakeJob(context);
  for (int round = 0; round < rounds; ++round) {
    // Not all of them are up at the first.
    const nanoseconds patience = round == 0 ? 3 * kSoon : kSoon;
    if (!gate->start.ArriveAndWait(proc::In(patience))) return 1;
    const Outcome outcome = subject->Acquire(0ns);
    if (outcome.ok()) ++gate->winners;
    if (outcome.got == Got::kError) ++gate->errors;
    if (!gate->tried.ArriveAndWait(proc::In(kSoon))) return 1;
    if (lead) {
      const int winners = gate->winners.exchange(0);
      gate->most = std::max(gate->most.load(), winners);
      if (winners == 0) ++gate->empty;
    }
    if (outcome.ok() && !subject->Release().ok()) ++gate->errors;
    if (!gate->done.ArriveAndWait(proc::In(kSoon))) return 1;
  }
  return 0;
}

Finding Herd(const ClaimContext& context) {
  const int rounds = Times(context, 4, 50);
  const int count = std::max(kSmallHerd, Times(context, kHerd, kHerd));
  proc::Shared<Gate> gate;
  for (proc::Barrier* barrier : {&gate->start, &gate->tried, &gate->done}) {
    barrier->Init(static_cast<uint32_t>(count));
  }
  const std::string of = " of " + std::to_string(count) + " processes";
  Step(std::to_string(count) + " processes try at once");
  std::vector<proc::Child> herd;
  for (int i = 0; i < count; ++i) {
    herd.push_back(proc::Child::Spawn([&context, &gate, rounds, i] {
      return HerdMember(context, &*gate, rounds, i == 0);
    }));
  }
  bool all = true;
  for (proc::Child& member : herd) {
    const auto end = member.Wait(proc::In(4 * kSoon));
    all &= end && end->ok();
  }
  Expect(gate->most <= 1,
         std::to_string(gate->most) + of + " got it in one round");
  Expect(gate->errors == 0, std::to_string(gate->errors) +
                                " tries or releases failed with an error that "
                                "is not a refusal");
  if (!all) Inconclusive("not all" + of + " came to their end");
  Expect(gate->empty == 0, "nobody got the free lock in " +
                               std::to_string(gate->empty) + " of " +
                               std::to_string(rounds) + " rounds");
  return Finding::Pass(std::to_string(count) + " processes, " +
                       std::to_string(rounds) + " times");
}

// The lock of one directory must be refused through the other.
void ExpectSameLock(const ClaimContext& context, const std::string& dir,
                    const std::string& other) {
  const auto here = context.subject.Make(dir + "/job");
  const auto there = context.subject.Make(other + "/job");
  ExpectOk(here->Acquire(0ns), "acquire through the directory");
  ExpectRefused(there->Acquire(0ns), "acquire through the other name of it");
  Actor outsider([&] { return context.subject.Make(other + "/job"); });
  ExpectRefused(outsider.Acquire(0ns),
                "another process's acquire through the other name");
  ExpectOk(here->Release(), "release through the directory");
  ExpectOk(outsider.Acquire(kSoon), "acquire through the other name");
  ExpectRefused(here->Acquire(0ns), "acquire through the directory");
  ExpectOk(outsider.Release(), "release through the other name");
}

Finding AcrossLinksToDirectory(const ClaimContext& context) {
  const std::string real = context.dir + "/real";
  const std::string mounted = context.dir + "/mounted";
  const std::string linked = context.dir + "/linked";
  MakeDirectory(real);
  MakeDirectory(mounted);
  const bool has_link = TrySymlink(real, linked);
  Step("the directory is reached by a symbolic link");
  if (has_link) ExpectSameLock(context, real, linked);
  Step("the directory is reached by a bind mount");
  const bool has_mount = TryBindMount(real, mounted, /*read_only=*/false);
  if (has_mount) ExpectSameLock(context, real, mounted);
  if (!has_link && !has_mount) {
    Unsupported("neither symbolic links nor bind mounts are to be had here");
  }
  return Finding::Pass();
}

constexpr auto kRows = std::to_array<Claim>({
    {.id = "exclusion.two_processes",
     .level = Level::kMust,
     .statement = "processes never hold one lock at once",
     .source = "the meaning of a lock; Dijkstra 1965",
     .excuse = nullptr,
     .body = TwoProcesses,
     .contest = true},
    {.id = "exclusion.two_threads",
     .level = Level::kMust,
     .statement = "nor do threads of one process, with one object each",
     .source = "Python lockfile 0.12.2: threaded=False threads share a lock",
     .excuse = UnlessThreads,
     .body = TwoThreads,
     .local = true},
    {.id = "exclusion.two_objects_one_thread",
     .level = Level::kMust,
     .statement = "a second object in the same thread is refused",
     .source = "Python lockfile 0.12.2: two objects of a thread both hold",
     .excuse = UnlessThreads,
     .body = TwoObjectsOneThread,
     .local = true},
    {.id = "exclusion.herd",
     .level = Level::kMust,
     .statement = "of 64 processes that try a free lock at once, one gets it",
     .source = "open(2) O_EXCL, link(2), mkdir(2): atomic",
     .excuse = nullptr,
     .body = Herd},
    {.id = "exclusion.across_links_to_directory",
     .level = Level::kMust,
     .statement = "a directory reached by a symbolic link or bind mount holds "
                  "the same lock",
     .source = "path_resolution(7)",
     .excuse = nullptr,
     .body = AcrossLinksToDirectory},
    {.id = "exclusion.data_coherence",
     .level = Level::kMust,
     .statement = "a counter in a file, read and written under the lock, loses "
                  "no update",
     .source = "Samba ping_pong; nfs(5): close-to-open consistency",
     .excuse = nullptr,
     .body = DataCoherence,
     .contest = true},
});

}  // namespace

std::span<const Claim> ExclusionClaims() { return kRows; }

}  // namespace locklab::claims
