// Canaries that wait wrongly: too long, too short, by the wrong clock, for
// what does not pass.
#include <fcntl.h>
#include <time.h>

#include <array>
#include <thread>

#include "conformance/canary/bent.h"
#include "conformance/canary/families.h"
#include "conformance/canary/naive_lock.h"
#include "lib/deadline.h"

namespace locklab::canary {
namespace {

using namespace std::chrono_literals;  // NOLINT
using lockfile::Deadline;
using std::chrono::nanoseconds;

class NeverWaits : public Bent {
 public:
  explicit NeverWaits(const Site& site) : Bent(site) {}
  Outcome Acquire(nanoseconds) override { return sound_->Acquire(0ns); }
};

class SleepsFirst : public Bent {
 public:
  explicit SleepsFirst(const Site& site) : Bent(site) {}
  Outcome Acquire(nanoseconds timeout) override {
    if (timeout != 0ns) std::this_thread::sleep_for(100ms);
    return sound_->Acquire(timeout);
  }
};

class GivesUpLate : public Bent {
 public:
  explicit GivesUpLate(const Site& site) : Bent(site) {}
  Outcome Acquire(nanoseconds timeout) override {
    Outcome outcome = sound_->Acquire(timeout);
    if (outcome.got == Got::kTimeout) std::this_thread::sleep_for(300ms);
    return outcome;
  }
};

// Sleeps through releases, as a poll of timeout/10 does.
class SleepsThrough : public Bent {
 public:
  explicit SleepsThrough(const Site& site) : Bent(site) {}
  Outcome Acquire(nanoseconds timeout) override {
    for (;;) {
      Outcome outcome = sound_->Acquire(0ns);
      if (outcome.got != Got::kTimeout || timeout == 0ns) return outcome;
      std::this_thread::sleep_for(timeout < 0ns ? 500ms : timeout);
      if (timeout > 0ns) return outcome;
    }
  }
};

// Whoever was refused once waits for a word that nobody gives.
class LosesWakeUps : public Bent {
 public:
  explicit LosesWakeUps(const Site& site) : Bent(site) {}
  Outcome Acquire(nanoseconds timeout) override {
    Outcome outcome = sound_->Acquire(0ns);
    if (outcome.got != Got::kTimeout || timeout == 0ns) return outcome;
    const auto until = timeout < 0ns ? lockfile::os::kForever
                                     : Deadline::After(timeout, os_.Now()).at();
    while (os_.Now() < until) {
      std::this_thread::sleep_until(Deadline::At(until).Slice(1h, os_.Now()));
    }
    return outcome;
  }
};

// Looks again at once, and again, for as long as a look and a try disagree.
class SpinsOnLooks : public Bent {
 public:
  explicit SpinsOnLooks(const Site& site) : Bent(site) {}
  Outcome Acquire(nanoseconds timeout) override {
    const auto deadline =
        timeout < 0ns ? Deadline::Never() : Deadline::After(timeout, os_.Now());
    for (;;) {
      Outcome outcome = sound_->Acquire(0ns);
      if (outcome.got != Got::kTimeout || deadline.passed(os_.Now())) {
        return outcome;
      }
      for (int spins = 0; spins < 10'000 && !IsSeen(); ++spins) continue;
      if (IsSeen()) std::this_thread::sleep_for(100us);
    }
  }

 private:
  bool IsSeen() {
    lockfile::os::FileInfo info;
    return os_.Lstat(lock_path().c_str(), &info).ok();
  }
};

class WallClockTimeout : public NaiveLock {
 public:
  using NaiveLock::NaiveLock;
  Outcome Acquire(nanoseconds timeout) override {
    const nanoseconds until = Wall() + timeout;
    for (;;) {
      Outcome outcome = Try();
      const bool over = timeout >= 0ns && Wall() >= until;
      if (outcome.got != Got::kTimeout || over) return outcome;
      std::this_thread::sleep_for(50us);
    }
  }

 protected:
  Outcome Try() override { return Create(O_EXCL); }

 private:
  // The seam's clock tells seconds; the rest is the system's.
  nanoseconds Wall() {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return std::chrono::seconds(os_.WallSeconds()) + nanoseconds(now.tv_nsec);
  }
};

class ErrorIsContention : public Bent {
 public:
  explicit ErrorIsContention(const Site& site) : Bent(site) {}
  Outcome Acquire(nanoseconds timeout) override {
    Outcome outcome = sound_->Acquire(timeout);
    if (outcome.got == Got::kError) outcome.got = Got::kTimeout;
    return outcome;
  }
};

constexpr auto kRows = std::to_array<Canary>({
    {.name = "never-waits",
     .doc = "refuses at once, whatever the timeout",
     .claim = "acquire.waits_while_held",
     .also = "acquire.timeout_is_kept acquire.interrupted_by_signal",
     .lock = Make<NeverWaits>},
    {.name = "sleeps-first",
     .doc = "lets its first poll interval pass before it tries",
     .claim = "acquire.free_is_immediate",
     .lock = Make<SleepsFirst>},
    {.name = "gives-up-late",
     .doc = "a refusal comes 300 ms after its time",
     .claim = "acquire.timeout_is_kept",
     .also = "acquire.zero_timeout_refuses_at_once",
     .lock = Make<GivesUpLate>},
    {.name = "sleeps-through",
     .doc = "waits by fixed sleeps that no release ends",
     .claim = "acquire.freed_late_is_seen",
     .also = "acquire.wakes_promptly",
     .lock = Make<SleepsThrough>},
    {.name = "loses-wake-ups",
     .doc = "a waiter is never told that the lock was released",
     .claim = "load.progress",
     .also = "acquire.waits_while_held",
     .lock = Make<LosesWakeUps>},
    {.name = "spins-on-looks",
     .doc = "looks again without a pause while the file cannot be seen",
     .claim = "acquire.stale_look_is_no_release",
     .says = "calls in 100 ms",
     .lock = Make<SpinsOnLooks>},
    {.name = "wall-clock-timeout",
     .doc = "counts its timeout by the wall clock",
     .claim = "acquire.timeout_ignores_wall_clock",
     .lock = Make<WallClockTimeout>},
    {.name = "error-is-contention",
     .doc = "takes every error for a lock that another holds, and waits",
     .claim = "acquire.error_is_not_contention",
     .also = "permission.read_only_directory",
     .lock = Make<ErrorIsContention>},
});

}  // namespace

std::span<const Canary> WaitingCanaries() { return kRows; }

}  // namespace locklab::canary
