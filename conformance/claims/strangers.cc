// Holders from elsewhere: another host, boot, PID or time namespace. Made by
// the kernel where it makes such things here, or else told by the seam; the
// finding says which.
#include <unistd.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "conformance/claims/actor.h"
#include "conformance/claims/families.h"
#include "conformance/claims/seam.h"
#include "conformance/proc/child.h"
#include "conformance/proc/namespaces.h"
#include "conformance/proc/shared.h"

namespace locklab::claims {
namespace {

using lockfile::Life;
using Identity = lockfile::os::ProcessIdentity;

// Enough for a wait that begins, looks again and gives up.
constexpr nanoseconds kAWait = 15ms;

// Where a holder is.
struct Elsewhere {
  std::string_view name;        // "on another host"
  std::string (*enter)();       // takes its process there
  void (*lie)(Identity* self);  // or lets it say so
  uint64_t later = 0;           // in ticks, all start times there
};

class ToldOs : public LyingOs {
 public:
  explicit ToldOs(const Elsewhere& place)
      : LyingOs(place.lie), later_(place.later) {}
  lockfile::os::ProcessStatus Status(pid_t pid) override {
    auto status = LyingOs::Status(pid);
    if (status.start_time != 0) status.start_time += later_;
    return status;
  }

 private:
  const uint64_t later_;
};

class Stranger {
 public:
  Stranger(const ClaimContext& context, const Elsewhere& place)
      : Stranger(context, place, proc::WhyNot(place.enter)) {}
  // `why_not`: it cannot be taken there; empty: it can.
  Stranger(const ClaimContext& context, const Elsewhere& place,
           std::string why_not)
      : context_(context),
        place_(place),
        why_not_(std::move(why_not)),
        os_(place),
        holder_([this] { return Make(); }) {
    Step("the holder is " + std::string(place.name));
  }

  Actor& operator*() { return holder_; }
  Actor* operator->() { return &holder_; }

  [[nodiscard]] Finding Passed() const {
    const std::string where(place_.name);
    return Finding::Pass(why_not_.empty()
                             ? "the holder was " + where
                             : "the holder was " + where +
                                   " as the seam told it: " + why_not_);
  }

 private:
  std::unique_ptr<Subject> Make() {
    if (!why_not_.empty()) return MakeJobOn(context_, os_);
    const std::string why = place_.enter();
    if (!why.empty()) Inconclusive(why);
    return MakeJob(context_);
  }

  const ClaimContext& context_;
  const Elsewhere& place_;
  const std::string why_not_;
  ToldOs os_;
  Actor holder_;
};

void ExpectDeadAndHad(const ClaimContext& context) {
  const auto next = MakeJob(context);
  const auto life = Inspect(*next).HolderLife();
  Expect(life.life == Life::kDead,
         "the holder is not called dead: " + life.reason);
  ExpectOk(next->Acquire(kSoon), "acquire of the dead holder's lock");
  ExpectOk(next->Release(), "release");
}

void ExpectUnknownAndRefused(const ClaimContext& context) {
  const auto next = MakeJob(context);
  const auto life = Inspect(*next).HolderLife();
  Expect(life.life == Life::kUnknown,
         "whether the holder lives cannot be known, but is claimed: " +
             life.reason);
  ExpectRefused(next->Acquire(0ns), "acquire of an unknown holder's lock");
  ExpectRefused(next->Acquire(kAWait), "waiting for an unknown holder's lock");
}

// Unknown is never broken on a guess, alive or not; asked for, it is.
void ExpectLeftAlone(const ClaimContext& context, Stranger& holder) {
  ExpectOk(holder->Acquire(0ns), "the holder's acquire");
  ExpectUnknownAndRefused(context);
  Expect(holder->IAmLocking(), "the holder lost its lock");
  holder->Kill();
  ExpectUnknownAndRefused(context);
  const auto next = MakeJob(context);
  Expect(BreakIf(*next, ReadableOwner(*next)),
         "break_lock(owner) did not break it");
  ExpectOk(next->Acquire(kSoon), "acquire after break_lock(owner)");
  ExpectOk(next->Release(), "release");
}

// --- hosts and boots ---------------------------------------------------------

constexpr Elsewhere kOtherHost = {
    .name = "on a host of another name",
    .enter = [] { return proc::EnterHost("elsewhere.invalid"); },
    .lie = [](Identity* self) { self->host = "elsewhere.invalid"; }};

Finding OtherHostIsUnknown(const ClaimContext& context) {
  Stranger holder(context, kOtherHost);
  ExpectLeftAlone(context, holder);
  return holder.Passed();
}

constexpr char kEarlierBoot[] = "00000000-0000-4000-8000-000000000000";
constexpr Elsewhere kOtherBoot = {
    .name = "of an earlier boot",
    .enter = [] { return proc::EnterBoot(kEarlierBoot); },
    .lie = [](Identity* self) { self->boot_id = kEarlierBoot; }};

// A process with the holder's pid lives, but it is of this boot.
Finding Rebooted(const ClaimContext& context) {
  Stranger holder(context, kOtherBoot);
  ExpectOk(holder->Acquire(0ns), "the holder's acquire");
  ExpectDeadAndHad(context);
  return holder.Passed();
}

// --- PID namespaces ----------------------------------------------------------

// For the children of this process. Returns why it cannot be had; empty: it is.
std::string EnterPids() {
  std::string why = proc::WhyNot([] {
    std::string reason = proc::EnterPids();
    return reason.empty() ? proc::WhyNot(proc::MountProc) : reason;
  });
  if (!why.empty()) return why;
  if (const std::string failed = proc::EnterPids(); !failed.empty()) {
    Inconclusive(failed);
  }
  return "";
}

void ShowOwnPids() {
  if (const std::string why = proc::MountProc(); !why.empty()) {
    Inconclusive(why);
  }
}

// As in a container: its own pids from 1 on, and its own /proc.
constexpr Elsewhere kOtherPids = {
    .name = "in another PID namespace",
    .enter = [] { return proc::MountProc(); },
    .lie = [](Identity* self) { self->pid_ns += 1; }};

Finding OtherPidNamespaceIsUnknown(const ClaimContext& context) {
  Stranger holder(context, kOtherPids, EnterPids());
  ExpectLeftAlone(context, holder);
  return holder.Passed();
}

// The pid that the holder's record names is another process's: in a namespace
// of their own, where pids can be chosen.
void ReuseThePid(const ClaimContext& context) {
  const auto make = [&context] {
    ShowOwnPids();
    return MakeJob(context);
  };
  proc::Child init = proc::Child::Spawn([]() -> int {
    for (;;) pause();
  });
  Actor victim(make);
  ExpectOk(victim.Acquire(kSoon), "the victim's acquire");
  const lockfile::Owner dead = ReadableOwner(*MakeJob(context));
  victim.Kill();
  // Two processes that begin in one tick of the clock cannot be told apart;
  // nor does a pid come back so soon.
  proc::Eventually([&] { return proc::TicksSinceBoot() > dead.start_time + 1; },
                   proc::In(kSoon));
  proc::Child chooser = proc::Child::Spawn([&dead] {
    ShowOwnPids();
    return proc::ForceNextPid(dead.pid).empty() ? 0 : 1;
  });
  const auto chosen = chooser.Wait(proc::In(kSoon));
  proc::Shared<std::atomic<pid_t>> got;
  proc::Child impostor = proc::Child::Spawn([&got]() -> int {
    *got = getpid();
    for (;;) pause();
  });
  proc::Eventually([&] { return *got != 0; }, proc::In(kSoon));
  if (!chosen || !chosen->ok() || *got != dead.pid) {
    Inconclusive("no other process could be given the pid of the dead one");
  }
  Actor next(make);
  const Reply life = next.Do(Verb::kIsDead);
  Expect(life.flag, "the holder is not called dead: " + life.outcome.message);
  ExpectOk(next.Acquire(kSoon), "acquire of the dead holder's lock");
  ExpectOk(next.Release(), "release");
}

Finding PidReused(const ClaimContext& context) {
  Inspect(*MakeJob(context));
  const std::string why =
      proc::PidsCanBeForced()
          ? EnterPids()
          : "this kernel does not let pids be chosen (no ns_last_pid)";
  if (why.empty()) {
    ReuseThePid(context);
    return Finding::Pass("another process had the pid of the dead one");
  }
  LyingOs os([](Identity* self) {
    self->pid = getppid();
    self->start_time = 1;
  });
  CrashHolding([&] { return MakeJobOn(context, os); });
  ExpectDeadAndHad(context);
  return Finding::Pass(
      "another process had the pid of the dead one as the "
      "seam told it: " +
      why);
}

// --- time namespaces ---------------------------------------------------------

constexpr uint64_t kADay = 24 * 3600 * 100;  // ticks
constexpr Elsewhere kOtherTime = {.name = "in another time namespace",
                                  .enter = [] { return proc::EnterTime(24h); },
                                  .lie =
                                      [](Identity* self) {
                                        self->time_ns += 1;
                                        self->start_time += kADay;
                                      },
                                  .later = kADay};

void ExpectNotCalledDead(Actor& other) {
  const Reply life = other.Do(Verb::kIsDead);
  Expect(!life.flag, "a live holder is called dead: " + life.outcome.message);
  ExpectRefused(other.Acquire(0ns), "another's acquire");
  ExpectRefused(other.Acquire(kAWait), "another's waiting acquire");
}

// Start times are counted from a boot that is another moment there.
Finding OtherTimeNamespace(const ClaimContext& context) {
  Stranger there(context, kOtherTime);
  Actor here(context);
  ExpectOk(there->Acquire(0ns), "the holder's acquire");
  ExpectNotCalledDead(here);
  Expect(there->IAmLocking(), "the live holder lost its lock");
  ExpectOk(there->Release(), "the holder's release");
  Step("the one who wants it is in another time namespace");
  ExpectOk(here.Acquire(0ns), "the holder's acquire");
  ExpectNotCalledDead(*there);
  ExpectOk(here.Release(), "the holder's release");
  Step("a holder in another time namespace dies");
  ExpectOk(there->Acquire(0ns), "the holder's acquire");
  there->Kill();
  ExpectDeadAndHad(context);
  return there.Passed();
}

constexpr auto kRows = std::to_array<Claim>({
    {.id = "stale.pid_reused",
     .level = Level::kMust,
     .statement = "another process with the dead holder's pid is not the "
                  "holder",
     .source = "pid files: the pid of a restarted container",
     .excuse = UnlessSoft,
     .body = PidReused},
    {.id = "stale.rebooted",
     .level = Level::kMust,
     .statement = "the record of an earlier boot of this host is dead",
     .source = "Qt QLockFile: records the boot id",
     .excuse = UnlessSoft,
     .body = Rebooted},
    {.id = "stale.other_host_is_unknown",
     .level = Level::kMust,
     .statement = "a holder on another host is never called dead, and never "
                  "broken unasked",
     .source = "filelock: markers of other hosts",
     .excuse = UnlessSoft,
     .body = OtherHostIsUnknown},
    {.id = "stale.other_pid_namespace_is_unknown",
     .level = Level::kMust,
     .statement = "a holder in another PID namespace is never called dead, and "
                  "never broken unasked",
     .source = "Mercurial: the PID namespace is part of the identity",
     .excuse = UnlessSoft,
     .body = OtherPidNamespaceIsUnknown},
    {.id = "stale.other_time_namespace",
     .level = Level::kMust,
     .statement = "a live holder in another time namespace is not called dead "
                  "for its start time; once it is gone, its lock can be had",
     .source = "time_namespaces(7): boot time has an offset, and start times "
               "in /proc with it",
     .excuse = UnlessSoft,
     .body = OtherTimeNamespace},
});

}  // namespace

std::span<const Claim> StrangerClaims() { return kRows; }

}  // namespace locklab::claims
