// Canaries that judge wrongly who is dead, or take the lock from the living.
#include <fcntl.h>

#include <array>
#include <optional>

#include "conformance/canary/bent.h"
#include "conformance/canary/families.h"
#include "conformance/canary/pid_file.h"

namespace locklab::canary {
namespace {

using lockfile::Owner;
using lockfile::os::ForwardingOs;
using lockfile::os::ProcessIdentity;
using lockfile::os::ProcessStatus;
using std::chrono::nanoseconds;

// --- pid files -------------------------------------------------------------

// Two see the same dead holder. One removes its file and makes its own; then
// the other removes that, and both hold.
class UnlinkDead : public PidFile {
 public:
  using PidFile::PidFile;

 protected:
  void Recover() override {
    Dither();
    os_.Unlink(file().c_str());
  }
};

class EmptyIsFree : public PidFile {
 public:
  using PidFile::PidFile;

 protected:
  bool IsStale() override { return HolderPid() == 0 || PidFile::IsStale(); }
};

class NeverRecovers : public PidFile {
 public:
  using PidFile::PidFile;

 protected:
  Outcome Try() override { return Create(O_EXCL); }
};

class AgeBreak : public PidFile {
 public:
  using PidFile::PidFile;

 protected:
  bool IsStale() override {
    constexpr int64_t kOldAge = 60;  // seconds
    lockfile::os::FileInfo info;
    if (!os_.Lstat(file().c_str(), &info).ok()) return false;
    return os_.WallSeconds() - info.mtime_ns / 1'000'000'000 > kOldAge;
  }
};

// --- sound locks with a false idea of processes ------------------------------

class PidsAreNeverReused : public ForwardingOs {
 public:
  using ForwardingOs::ForwardingOs;
  ProcessIdentity Self() override {
    ProcessIdentity self = ForwardingOs::Self();
    self.start_time = 1;
    return self;
  }
  ProcessStatus Status(pid_t pid) override {
    ProcessStatus status = ForwardingOs::Status(pid);
    status.start_time = 1;
    return status;
  }
};

class OneBootForEver : public PidsAreNeverReused {
 public:
  using PidsAreNeverReused::PidsAreNeverReused;
  ProcessIdentity Self() override {
    ProcessIdentity self = PidsAreNeverReused::Self();
    self.boot_id = "for ever";
    return self;
  }
};

class OneHostForAll : public ForwardingOs {
 public:
  using ForwardingOs::ForwardingOs;
  ProcessIdentity Self() override {
    ProcessIdentity self = ForwardingOs::Self();
    self.host = "localhost";
    self.pid_ns = 1;
    return self;
  }
};

class OneTimeForAll : public ForwardingOs {
 public:
  using ForwardingOs::ForwardingOs;
  ProcessIdentity Self() override {
    ProcessIdentity self = ForwardingOs::Self();
    self.time_ns = 1;
    return self;
  }
};

class EverybodyIsDead : public ForwardingOs {
 public:
  using ForwardingOs::ForwardingOs;
  ProcessStatus Status(pid_t) override { return {}; }
};

// --- breaking --------------------------------------------------------------

class BreaksUnasked : public Bent {
 public:
  explicit BreaksUnasked(const Site& site) : Bent(site) {}
  Outcome Acquire(nanoseconds timeout) override {
    bool broke = false;
    ask().Break(&broke);
    return sound_->Acquire(timeout);
  }
};

class BreaksWhoever : public Bent {
 public:
  explicit BreaksWhoever(const Site& site) : Bent(site) {}
  Outcome BreakIf(const Owner&, bool* broke) override {
    return ask().Break(broke);
  }
};

class LooksThenUnlinksToBreak : public Bent {
 public:
  explicit LooksThenUnlinksToBreak(const Site& site) : Bent(site) {}
  Outcome BreakIf(const Owner& expected, bool* broke) override {
    std::optional<Owner> owner;
    ask().ReadOwner(&owner);
    *broke = owner && *owner == expected;
    if (*broke) os_.Unlink(lock_path().c_str());
    return {};
  }
};

// A second lock around the first, which nobody clears away after a death.
class GuardsItsSteps : public Bent {
 public:
  explicit GuardsItsSteps(const Site& site) : Bent(site) {}
  Outcome Acquire(nanoseconds timeout) override {
    const std::string guard = lock_path() + ".guard";
    if (!os_.MakeDir(guard.c_str(), 0777).ok()) {
      return {.got = Got::kTimeout, .message = "the guard is there"};
    }
    Outcome outcome = sound_->Acquire(timeout);
    os_.RemoveDir(guard.c_str());
    return outcome;
  }
  Outcome BreakIf(const Owner& expected, bool* broke) override {
    const std::string guard = lock_path() + ".guard";
    os_.MakeDir(guard.c_str(), 0777);
    Outcome outcome = ask().BreakIf(expected, broke);
    os_.RemoveDir(guard.c_str());
    return outcome;
  }
};

constexpr auto kRows = std::to_array<Canary>({
    {.name = "unlink-dead",
     .doc = "finds the holder dead by its pid, then removes the file by name",
     .claim = "break.concurrent_breakers",
     .lock = Make<UnlinkDead>},
    {.name = "pid-only",
     .doc = "knows a holder by its pid alone, which another process may have "
            "got since",
     .claim = "stale.pid_reused",
     .says = "is running",
     .lock = Make<OnFaulty<PidsAreNeverReused>>},
    {.name = "boot-blind",
     .doc = "takes a process of this boot for the holder of an earlier one",
     .claim = "stale.rebooted",
     .lock = Make<OnFaulty<OneBootForEver>>},
    {.name = "host-blind",
     .doc = "looks for the process of another host or container on this one",
     .claim = "stale.other_host_is_unknown",
     .also = "stale.other_pid_namespace_is_unknown",
     .lock = Make<OnFaulty<OneHostForAll>>},
    {.name = "time-blind",
     .doc = "compares start times that different time namespaces count",
     .claim = "stale.other_time_namespace",
     .says = "a live holder is called dead",
     .lock = Make<OnFaulty<OneTimeForAll>>},
    {.name = "everybody-is-dead",
     .doc = "finds no process alive, as where it may not see it",
     .claim = "stale.live_holder_is_never_broken",
     .also = "owner.is_readable stale.paused_holder",
     .lock = Make<OnFaulty<EverybodyIsDead>>},
    {.name = "age-break",
     .doc = "takes the lock from whoever has held it for a minute, by the wall "
            "clock",
     .claim = "stale.clock_jump",
     .lock = Make<AgeBreak>},
    {.name = "empty-is-held",
     .doc = "a pid file that is visible empty, and stays so if its creator "
            "dies",
     .claim = "stale.empty_lock_file",
     .says = "died before it wrote",
     .lock = Make<PidFile>},
    {.name = "empty-is-free",
     .doc = "takes a pid file that is empty as yet for a dead one's",
     .claim = "stale.empty_lock_file",
     .says = "both hold",
     .lock = Make<EmptyIsFree>},
    {.name = "trusts-the-disk",
     .doc = "a pid file that is held for ever when a power failure has left "
            "it empty",
     .claim = "power.lock_is_had_again",
     .says = "the next boot's acquire",
     .lock = Make<PidFile>},
    {.name = "never-recovers",
     .doc = "tells a dead holder from a live one, and waits for it all the "
            "same",
     .claim = "stale.dead_holder_is_detected",
     .says = "acquire without waiting of a stale lock was refused",
     .lock = Make<NeverRecovers>},
    {.name = "says-kernel-frees",
     .doc = "declares that the kernel frees it, and is a file that stays",
     .claim = "crash.kernel_lock_is_freed",
     .traits = kKernelTraits,
     .lock = Make<NeverRecovers>},
    {.name = "breaks-unasked",
     .doc = "breaks every lock before it takes it",
     .claim = "stale.live_holder_is_never_broken",
     .also = "stale.paused_holder stale.other_host_is_unknown "
             "stale.other_pid_namespace_is_unknown break.concurrent_breakers",
     .lock = Make<BreaksUnasked>},
    {.name = "breaks-whoever",
     .doc = "breaks the lock of another than the one it was asked to",
     .claim = "break.expected_owner_only",
     .lock = Make<BreaksWhoever>},
    {.name = "look-then-unlink-break",
     .doc = "looks whose the lock is, then removes it by name",
     .claim = "break.never_detaches_live_successor",
     .lock = Make<LooksThenUnlinksToBreak>},
    {.name = "left-guard",
     .doc = "guards its steps by a second lock, which a dead process leaves",
     .claim = "crash.every_point_recovers",
     .also = "break.breaker_dies",
     .lock = Make<GuardsItsSteps>},
});

}  // namespace

std::span<const Canary> StalenessCanaries() { return kRows; }

}  // namespace locklab::canary
