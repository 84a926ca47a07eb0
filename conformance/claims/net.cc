// What becomes of a lock when the network or the server fails: of two clients
// of one server, one is cut off, or the server is started again.
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "conformance/claims/actor.h"
#include "conformance/claims/families.h"
#include "conformance/claims/network.h"
#include "conformance/proc/namespaces.h"

namespace locklab::claims {
namespace {

// An NFS server that guests have gives the locks of a client that is silent
// for this long to others.
constexpr nanoseconds kLease = 10s;
// A client that comes back asks again after pauses that have grown meanwhile.
constexpr nanoseconds kBackoff = 30s;

std::string Seconds(nanoseconds time) {
  return std::to_string(
             std::chrono::duration_cast<std::chrono::milliseconds>(time)
                 .count()) +
         " ms";
}

// The one who holds the lock on the client that things happen to, and the one
// who wants it on the other. To each other they are strangers of another host:
// that a holder died is not to be seen from there.
struct Two {
  explicit Two(const ClaimContext& context)
      : holder([&context] {
          if (geteuid() == 0) (void)proc::EnterHost("locklab-client-a");
          return context.subject.Make(context.dir + "/job");
        }),
        other([&context] {
          return context.subject.Make(context.other_dir + "/job");
        }) {}

  Actor holder;
  Actor other;
};

// After the fault: the holder gives the lock back, and the other gets it.
// Returns how long that took.
nanoseconds ExpectGivenOn(Two* two) {
  const auto start = proc::Clock::now();
  two->other.Start(Verb::kAcquire, kBackoff + kSoon);
  ExpectOk(two->holder.Release(), "the holder's release");
  const auto reply = two->other.Await(proc::In(kBackoff + 2 * kSoon));
  Expect(reply.has_value(), "the other waits for ever");
  ExpectOk(reply->outcome, "the other's acquire after the release");
  ExpectOk(two->other.Release(), "the other's release");
  return proc::Clock::now() - start;
}

// What the first holder, whose lock was given to another, gets to know of it.
std::string WhatTheLoserLearns(Two* two) {
  const Reply mine = two->holder.Do(Verb::kIAmLocking);
  std::string text = mine.outcome.got == Got::kError
                         ? "i_am_locking() " + Describe(mine.outcome)
                     : mine.flag ? "i_am_locking() still says that it holds"
                                 : "i_am_locking() says that it is lost";
  return text + ", and its release " + Describe(two->holder.Release());
}

// The holder's client is cut off for `time`; the other tries meanwhile.
Finding CutOff(const ClaimContext& context, nanoseconds time) {
  Network network;
  Two two(context);
  ExpectOk(two.holder.Acquire(kSoon), "the holder's acquire");
  ExpectRefused(two.other.Acquire(0ns), "the other's acquire before the cut");
  Step("the holder's client is cut off for " + Seconds(time));
  network.Cut(time);
  const Reply tried = two.other.Do(Verb::kAcquire, time - 1s);
  if (tried.outcome.ok()) {
    const std::string when = Seconds(tried.took());
    Step("the holder's client is back");
    network.Heal();
    const std::string learnt = WhatTheLoserLearns(&two);
    Fail("the other was given the lock " + when +
         " after the holder's client was cut off, which held it; back on the "
         "network, the first holder: " +
         learnt);
  }
  ExpectRefused(tried.outcome, "the other's acquire during the cut");
  Step("the holder's client is back");
  network.Heal();
  Expect(two.holder.IAmLocking(), "the holder lost the lock");
  return Finding::Pass("the holder kept it; the other had it " +
                       Seconds(ExpectGivenOn(&two)) + " after the release");
}

Finding ShortPartition(const ClaimContext& context) {
  return CutOff(context, kLease / 2);
}

Finding LongPartition(const ClaimContext& context) {
  return CutOff(context, 2 * kLease);
}

Finding ServerRestart(const ClaimContext& context) {
  Network network;
  Two two(context);
  ExpectOk(two.holder.Acquire(kSoon), "the holder's acquire");
  ExpectRefused(two.other.Acquire(0ns), "the other's acquire before");
  Step("the server is started again");
  network.RestartServer();
  const auto restarted = proc::Clock::now();
  const Outcome tried = two.other.Acquire(kLease / 2);
  Expect(!tried.ok(),
         "the other was given the lock when the server was back, "
         "though another held it");
  Expect(two.holder.IAmLocking(), "the holder lost the lock");
  const nanoseconds given = ExpectGivenOn(&two);
  Step("both want it afterwards");
  ExpectOk(two.holder.Acquire(kBackoff + kSoon), "a later acquire");
  ExpectOk(two.holder.Release(), "a later release");
  return Finding::Pass("the holder kept it; the other had it " +
                       Seconds(given) + " after the release, and " +
                       Seconds(proc::Clock::now() - restarted) +
                       " after the restart all was as before");
}

// Whoever asks a server that is gone may hang until it is back, whatever his
// timeout: that is so for any file on it.
Finding ServerDies(const ClaimContext& context) {
  Network network;
  Two two(context);
  ExpectOk(two.holder.Acquire(kSoon), "the holder's acquire");
  ExpectRefused(two.other.Acquire(0ns), "the other's acquire before");
  const nanoseconds gone = kLease * 3 / 2;
  Step("the server is gone for " + Seconds(gone));
  network.KillServer(4 * gone);
  two.other.Start(Verb::kAcquire, gone);
  std::optional<Reply> tried = two.other.Await(proc::In(gone));
  Expect(!tried || !tried->outcome.ok(),
         "the other was given the lock while there was no server");
  Step("the server is back");
  network.Heal();
  const auto back = proc::Clock::now();
  if (!tried) tried = two.other.Await(proc::In(kBackoff + kSoon));
  Expect(tried.has_value(), "the other hangs, though the server is back");
  Expect(!tried->outcome.ok(),
         "the other was given the lock when the server was back, though "
         "another held it");
  two.holder.Start(Verb::kIAmLocking);
  const auto mine = two.holder.Await(proc::In(kBackoff + kSoon));
  Expect(mine.has_value(), "the holder hangs, though the server is back");
  Expect(mine->outcome.ok() && mine->flag, "the holder lost the lock");
  const nanoseconds given = ExpectGivenOn(&two);
  return Finding::Pass("the holder kept it; the other had it " +
                       Seconds(given) + " after the release, and " +
                       Seconds(proc::Clock::now() - back) +
                       " after the server was back");
}

Finding BadNetwork(const ClaimContext& context) {
  Network network;
  Two two(context);
  Step("packets are delayed and lost");
  network.Spoil(5ms, 2, 2 * kSoon);
  int turns = 0;
  const auto end = proc::In(5s);
  for (; proc::Clock::now() < end; ++turns) {
    ExpectOk(two.holder.Acquire(kBackoff), "one client's acquire");
    ExpectRefused(two.other.Acquire(0ns), "the other's acquire meanwhile");
    two.other.Start(Verb::kAcquire, kBackoff);
    ExpectOk(two.holder.Release(), "the release");
    const auto reply = two.other.Await(proc::In(kBackoff + kSoon));
    Expect(reply.has_value(), "the other waits for ever");
    ExpectOk(reply->outcome, "the other's acquire");
    ExpectOk(two.other.Release(), "the other's release");
  }
  return Finding::Pass(std::to_string(turns) +
                       " turns with packets 5 ms late and 2 % of them lost");
}

Finding ClientDies(const ClaimContext& context) {
  Network network;
  Two two(context);
  ExpectOk(two.holder.Acquire(kSoon), "the holder's acquire");
  ExpectRefused(two.other.Acquire(0ns), "the other's acquire before");
  Step("the holder's client dies");
  // Its processes end without a word to the server.
  network.Cut(3 * kLease);
  two.holder.Kill();
  const Reply tried = two.other.Do(Verb::kAcquire, 2 * kLease);
  network.Heal();
  if (tried.outcome.ok()) {
    return Finding::Pass("another client had the lock " +
                         Seconds(tried.took()) + " later");
  }
  return Finding::Pass("another client did not get the lock within " +
                       Seconds(tried.took()) +
                       ": somebody has to break it, or a lease has to be used");
}

constexpr std::string_view kNeeds = "second-mount network-faults";

constexpr auto kRows = std::to_array<Claim>({
    {.id = "net.short_partition",
     .level = Level::kMust,
     .statement = "a holder whose client is cut off for less than the server's "
                  "lease keeps the lock, and nobody else gets it",
     .source = "RFC 8881 8.3: leases; RFC 1813: a client is asked again",
     .excuse = nullptr,
     .body = ShortPartition,
     .needs = kNeeds,
     .alone = true},
    {.id = "net.long_partition",
     .level = Level::kMust,
     .statement = "nor does anybody else get it if the client is cut off for "
                  "longer than that",
     .source = "RFC 8881 8.4.3: locks of a silent client may be given away",
     .excuse = nullptr,
     .body = LongPartition,
     .needs = kNeeds,
     .alone = true},
    {.id = "net.server_restart",
     .level = Level::kMust,
     .statement = "a lock is held on when the server is started again, and can "
                  "be given on afterwards",
     .source = "RFC 8881 8.4.2: reclaim in the grace period",
     .excuse = nullptr,
     .body = ServerRestart,
     .needs = kNeeds,
     .alone = true},
    {.id = "net.server_dies",
     .level = Level::kMust,
     .statement = "a lock is held on when the server loses its power and is "
                  "back after its lease, and can be given on afterwards",
     .source = "RFC 8881 8.4.2; RFC 1094 and 1813: stateless, so locks have to "
               "be reclaimed",
     .excuse = nullptr,
     .body = ServerDies,
     .needs = kNeeds,
     .alone = true},
    {.id = "net.bad_network",
     .level = Level::kMust,
     .statement = "two clients take turns at the lock while packets are late "
                  "and lost",
     .source = "retransmitted requests that are not idempotent (lost replies)",
     .excuse = nullptr,
     .body = BadNetwork,
     .needs = kNeeds,
     .alone = true},
    {.id = "net.client_dies",
     .level = Level::kReport,
     .statement = "the lock of a client that lost its power can be had by "
                  "others after some time",
     .source = "RFC 8881 8.3: leases; lock files have none of their own",
     .excuse = nullptr,
     .body = ClientDies,
     .needs = kNeeds,
     .alone = true},
});

}  // namespace

std::span<const Claim> NetClaims() { return kRows; }

}  // namespace locklab::claims
