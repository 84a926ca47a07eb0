// Each kind of fault is found, by the claim that is about it: locks that are
// broken on purpose, a real backend each with one thing bent.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "conformance/claims/claim.h"
#include "conformance/proc/temp_dir.h"
#include "lib/os/forwarding_os.h"

namespace locklab {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

using lockfile::os::Os;

// A sound lock, for faults to override.
class Bent : public Subject, public Inspector {
 public:
  explicit Bent(std::unique_ptr<Subject> sound) : sound_(std::move(sound)) {}

  Outcome Acquire(nanoseconds timeout) override {
    return sound_->Acquire(timeout);
  }
  Outcome Release() override { return sound_->Release(); }
  Inspector* inspector() override { return this; }
  [[nodiscard]] std::string lock_path() const override {
    return ask().lock_path();
  }
  Outcome IsLocked(bool* locked) override { return ask().IsLocked(locked); }
  Outcome IAmLocking(bool* mine) override { return ask().IAmLocking(mine); }
  Outcome ReadOwner(std::optional<lockfile::Owner>* owner) override {
    return ask().ReadOwner(owner);
  }
  lockfile::Liveness HolderLife() override { return ask().HolderLife(); }
  Outcome Break(bool* broke) override { return ask().Break(broke); }
  Outcome BreakIf(const lockfile::Owner& expected, bool* broke) override {
    return ask().BreakIf(expected, broke);
  }

 protected:
  [[nodiscard]] Inspector& ask() const { return *sound_->inspector(); }
  std::unique_ptr<Subject> sound_;
};

// --- the faults ------------------------------------------------------------

class LetsEverybodyIn : public Bent {
 public:
  using Bent::Bent;
  Outcome Acquire(nanoseconds) override { return {}; }
  Outcome Release() override { return {}; }
};

class NeverWaits : public Bent {
 public:
  using Bent::Bent;
  Outcome Acquire(nanoseconds) override { return sound_->Acquire(0ns); }
};

class GivesUpLate : public Bent {
 public:
  using Bent::Bent;
  Outcome Acquire(nanoseconds timeout) override {
    Outcome outcome = sound_->Acquire(timeout);
    if (outcome.got == Got::kTimeout) std::this_thread::sleep_for(300ms);
    return outcome;
  }
};

// Sleeps through releases, as a poll of timeout/10 does.
class SleepsThrough : public Bent {
 public:
  using Bent::Bent;
  Outcome Acquire(nanoseconds timeout) override {
    Outcome outcome = sound_->Acquire(0ns);
    if (outcome.got != Got::kTimeout || timeout == 0ns) return outcome;
    std::this_thread::sleep_for(timeout < 0ns ? 200ms : timeout);
    return timeout < 0ns ? Acquire(timeout) : outcome;
  }
};

class TakesErrorsForContention : public Bent {
 public:
  using Bent::Bent;
  Outcome Acquire(nanoseconds timeout) override {
    Outcome outcome = sound_->Acquire(timeout);
    if (outcome.got == Got::kError) outcome.got = Got::kTimeout;
    return outcome;
  }
};

class Litters : public Bent {
 public:
  using Bent::Bent;
  Outcome Acquire(nanoseconds timeout) override {
    close(open((lock_path() + ".litter").c_str(), O_CREAT | O_CLOEXEC, 0666));
    return sound_->Acquire(timeout);
  }
};

// Marks the lock's file as opened by a careless program.
class FollowsLinks : public Bent {
 public:
  using Bent::Bent;
  Outcome Acquire(nanoseconds timeout) override {
    const int fd =
        open(lock_path().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    [[maybe_unused]] const ssize_t size = write(fd, "1\n", 2);
    close(fd);
    return sound_->Acquire(timeout < 0ns ? 1s : timeout);
  }
};

class ReleasesByName : public Bent {
 public:
  using Bent::Bent;
  Outcome Release() override {
    proc::RemoveTree(lock_path());
    return {};
  }
};

class SaysItHolds : public Bent {
 public:
  using Bent::Bent;
  Outcome IAmLocking(bool* mine) override {
    *mine = true;
    return {};
  }
};

class SaysNobodyHolds : public Bent {
 public:
  using Bent::Bent;
  Outcome IsLocked(bool* locked) override {
    *locked = false;
    return {};
  }
};

class BreaksUnasked : public Bent {
 public:
  using Bent::Bent;
  Outcome Acquire(nanoseconds timeout) override {
    bool broke = false;
    ask().Break(&broke);
    return sound_->Acquire(timeout);
  }
};

class BreaksWhoever : public Bent {
 public:
  using Bent::Bent;
  Outcome BreakIf(const lockfile::Owner&, bool* broke) override {
    return ask().Break(broke);
  }
};

class CrashesOnGarbage : public Bent {
 public:
  using Bent::Bent;
  Outcome ReadOwner(std::optional<lockfile::Owner>* owner) override {
    Outcome outcome = ask().ReadOwner(owner);
    bool locked = false;
    if (!*owner && ask().IsLocked(&locked).ok() && locked) std::abort();
    return outcome;
  }
};

class InventsOwners : public Bent {
 public:
  using Bent::Bent;
  Outcome ReadOwner(std::optional<lockfile::Owner>* owner) override {
    Outcome outcome = ask().ReadOwner(owner);
    if (*owner) (*owner)->pid = 1;
    return outcome;
  }
};

class BelievesGarbage : public Bent {
 public:
  using Bent::Bent;
  Outcome ReadOwner(std::optional<lockfile::Owner>* owner) override {
    Outcome outcome = ask().ReadOwner(owner);
    bool locked = false;
    if (!*owner && ask().IsLocked(&locked).ok() && locked) {
      owner->emplace().pid = 1;
    }
    return outcome;
  }
};

class HangsInRelease : public Bent {
 public:
  using Bent::Bent;
  Outcome Release() override {
    for (;;) pause();
  }
};

class IsNeverDestroyed : public Bent {
 public:
  using Bent::Bent;
  ~IsNeverDestroyed() override { (void)sound_.release(); }
};

class ReadsPathLate : public Bent {
 public:
  ReadsPathLate(std::unique_ptr<Subject> sound, std::string path)
      : Bent(std::move(sound)), path_(std::move(path)) {}
  Outcome Acquire(nanoseconds timeout) override {
    sound_ = BackendSubject("link")->Make(path_);
    return sound_->Acquire(timeout);
  }

 private:
  std::string path_;
};

// --- locks with steps of their own on the seam ------------------------------

class WithOs : public Bent {
 public:
  WithOs(std::unique_ptr<Subject> sound, Os& os)
      : Bent(std::move(sound)), os_(os) {}

 protected:
  Os& os_;
};

class LooksThenUnlinksToBreak : public WithOs {
 public:
  using WithOs::WithOs;
  Outcome BreakIf(const lockfile::Owner& expected, bool* broke) override {
    std::optional<lockfile::Owner> owner;
    ask().ReadOwner(&owner);
    *broke = owner && *owner == expected;
    if (*broke) os_.Unlink(lock_path().c_str());
    return {};
  }
};

class LooksThenUnlinksToRelease : public WithOs {
 public:
  using WithOs::WithOs;
  Outcome Release() override {
    bool mine = false;
    ask().IAmLocking(&mine);
    if (!mine) return sound_->Release();
    os_.Unlink(lock_path().c_str());
    (void)sound_->Release();
    return {};
  }
};

// A second lock around the first, which nobody clears away after a death.
class GuardsItsSteps : public WithOs {
 public:
  using WithOs::WithOs;
  Outcome Acquire(nanoseconds timeout) override {
    const std::string guard = lock_path() + ".guard";
    if (!os_.MakeDir(guard.c_str(), 0777).ok()) {
      return {.got = Got::kTimeout, .message = "the guard is there"};
    }
    Outcome outcome = sound_->Acquire(timeout);
    os_.RemoveDir(guard.c_str());
    return outcome;
  }
  Outcome BreakIf(const lockfile::Owner& expected, bool* broke) override {
    const std::string guard = lock_path() + ".guard";
    os_.MakeDir(guard.c_str(), 0777);
    Outcome outcome = ask().BreakIf(expected, broke);
    os_.RemoveDir(guard.c_str());
    return outcome;
  }
};

// --- operating systems that make a sound lock unsound -----------------------

using lockfile::os::ForwardingOs;
using lockfile::os::SysResult;

class EverybodyIsDead : public ForwardingOs {
 public:
  lockfile::os::ProcessStatus Status(pid_t) override { return {}; }
};

class DescriptorsLeak : public ForwardingOs {
 public:
  SysResult Open(const char* path, int flags, mode_t mode) override {
    return ForwardingOs::Open(path, flags & ~O_CLOEXEC, mode);
  }
};

class NobodyElseMayRead : public ForwardingOs {
 public:
  SysResult Open(const char* path, int flags, mode_t) override {
    return ForwardingOs::Open(path, flags, 0600);
  }
};

// ---------------------------------------------------------------------------

class BentFactory : public SubjectFactory {
 public:
  using Bend = std::function<std::unique_ptr<Subject>(
      std::unique_ptr<Subject>, const std::string& path, Os& os)>;
  BentFactory(std::string_view backend, Bend bend, Os& os = Os::Real())
      : sound_(BackendSubject(backend)), bend_(std::move(bend)), os_(os) {}

  [[nodiscard]] std::string_view name() const override { return "bent"; }
  [[nodiscard]] std::unique_ptr<Subject> Make(
      const std::string& path) const override {
    return MakeOn(os_, path);
  }
  [[nodiscard]] std::unique_ptr<Subject> MakeOn(
      Os& os, const std::string& path) const override {
    return bend_(sound_->MakeOn(os, path), path, os);
  }
  [[nodiscard]] lockfile::Traits traits() const override {
    return sound_->traits();
  }

 private:
  std::unique_ptr<SubjectFactory> sound_;
  Bend bend_;
  Os& os_;
};

template <typename Fault>
std::unique_ptr<SubjectFactory> With(std::string_view backend = "link") {
  return std::make_unique<BentFactory>(
      backend, [](std::unique_ptr<Subject> sound, const std::string&, Os&) {
        return std::make_unique<Fault>(std::move(sound));
      });
}

template <typename FaultyOs>
std::unique_ptr<SubjectFactory> On(std::string_view backend) {
  static FaultyOs os;
  return std::make_unique<BentFactory>(
      backend,
      [](std::unique_ptr<Subject> sound, const std::string&, Os&) {
        return sound;
      },
      os);
}

std::unique_ptr<SubjectFactory> WithLatePath() {
  return std::make_unique<BentFactory>(
      "link", [](std::unique_ptr<Subject> sound, const std::string& path, Os&) {
        return std::make_unique<ReadsPathLate>(std::move(sound), path);
      });
}

template <typename Fault>
std::unique_ptr<SubjectFactory> Over(std::string_view backend = "link") {
  return std::make_unique<BentFactory>(
      backend, [](std::unique_ptr<Subject> sound, const std::string&, Os& os) {
        return std::make_unique<Fault>(std::move(sound), os);
      });
}

struct FaultRow {
  const char* fault;
  std::unique_ptr<SubjectFactory> (*make)();
  std::vector<const char*> found_by;
  const char* reason = "";  // part of what each of them has to say
};

const std::vector<FaultRow> kFaults = {
    {"LetsEverybodyIn",
     [] { return With<LetsEverybodyIn>(); },
     {"exclusion.two_threads", "exclusion.two_objects_one_thread",
      "exclusion.herd", "exclusion.across_links_to_directory",
      "acquire.waits_while_held", "release.frees",
      "stale.live_holder_is_never_broken"}},
    {"NeverWaits",
     [] { return With<NeverWaits>(); },
     {"acquire.timeout_is_kept", "acquire.waits_while_held",
      "acquire.interrupted_by_signal"}},
    {"GivesUpLate",
     [] { return With<GivesUpLate>(); },
     {"acquire.timeout_is_kept", "acquire.zero_timeout_refuses_at_once"}},
    {"SleepsThrough",
     [] { return With<SleepsThrough>(); },
     {"acquire.freed_late_is_seen", "acquire.wakes_promptly"}},
    {"TakesErrorsForContention",
     [] { return With<TakesErrorsForContention>(); },
     {"acquire.error_is_not_contention", "permission.read_only_directory"}},
    {"Litters",
     [] { return With<Litters>(); },
     {"acquire.failed_leaves_no_litter", "release.leaves_no_litter",
      "crash.litter_is_collected"},
     "left"},
    {"ReleasesByName",
     [] { return With<ReleasesByName>(); },
     {"release.twice_is_not_locked", "release.by_stranger_is_refused",
      "release.after_break_reports_lost", "fork.child_does_not_own"}},
    {"SaysItHolds",
     [] { return With<SaysItHolds>(); },
     {"held.i_am_locking_is_truthful", "fork.child_does_not_own"}},
    {"SaysNobodyHolds",
     [] { return With<SaysNobodyHolds>(); },
     {"held.is_locked_is_truthful", "stale.dead_holder_is_detected"}},
    {"BreaksUnasked",
     [] { return With<BreaksUnasked>(); },
     {"stale.live_holder_is_never_broken", "stale.paused_holder",
      "stale.other_host_is_unknown", "stale.other_pid_namespace_is_unknown",
      "break.concurrent_breakers"}},
    {"BreaksWhoever",
     [] { return With<BreaksWhoever>(); },
     {"break.expected_owner_only"}},
    {"CrashesOnGarbage",
     [] { return With<CrashesOnGarbage>(); },
     {"owner.garbage_is_survived"},
     "SIGABRT"},
    {"InventsOwners",
     [] { return With<InventsOwners>(); },
     {"owner.is_readable", "owner.is_truthful"}},
    {"BelievesGarbage",
     [] { return With<BelievesGarbage>(); },
     {"owner.garbage_is_survived"},
     "invents an owner"},
    {"HangsInRelease",
     [] { return With<HangsInRelease>(); },
     {"release.twice_is_not_locked", "acquire.reacquire_by_holder"},
     "hung"},
    {"IsNeverDestroyed",
     [] { return With<IsNeverDestroyed>(); },
     {"threads.destroyed_object_releases"}},
    {"ReadsPathLate", WithLatePath, {"path.relative_then_chdir"}},
    {"LooksThenUnlinksToBreak",
     [] { return Over<LooksThenUnlinksToBreak>(); },
     {"break.never_detaches_live_successor"}},
    {"LooksThenUnlinksToRelease",
     [] { return Over<LooksThenUnlinksToRelease>(); },
     {"release.never_removes_successor"}},
    {"GuardsItsSteps",
     [] { return Over<GuardsItsSteps>(); },
     {"crash.every_point_recovers", "break.breaker_dies"}},
    {"EverybodyIsDead",
     [] { return On<EverybodyIsDead>("link"); },
     {"stale.live_holder_is_never_broken", "owner.is_readable"}},
    {"DescriptorsLeak",
     [] { return On<DescriptorsLeak>("flock"); },
     {"exec.descriptor_does_not_leak"},
     "inherited"},
    {"FollowsLinks",
     [] { return With<FollowsLinks>(); },
     {"path.planted_symlink_is_not_followed"}},
    {"NobodyElseMayRead",
     [] { return On<NobodyElseMayRead>("flock"); },
     {"permission.second_user_waits"}},
};

class NoArena : public Arena {
 public:
  ContestResult Contend(const SubjectFactory&, const std::string&,
                        const Contest&) override {
    return {};
  }
};

struct Case {
  const FaultRow* row;
  const char* claim;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.row->fault << " / " << c.claim;
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const FaultRow& row : kFaults) {
    for (const char* claim : row.found_by) cases.push_back({&row, claim});
  }
  return cases;
}

std::string NameOf(const testing::TestParamInfo<Case>& info) {
  std::string name = std::string(info.param.row->fault) + "_";
  for (const char c : std::string(info.param.claim)) {
    name += c == '.' ? '_' : c;
  }
  return name;
}

class Fault : public testing::TestWithParam<Case> {};

TEST_P(Fault, IsFound) {
  const Case& c = GetParam();
  const Claim* claim = FindClaim(c.claim);
  ASSERT_NE(claim, nullptr);
  const auto subject = c.row->make();
  const proc::TempDir dir;
  chmod(dir.path().c_str(), 0755);  // Other users take part.
  NoArena arena;
  const bool hangs = std::string(c.row->reason) == "hung";
  const Finding finding =
      RunClaim(*claim, {.subject = *subject, .arena = arena, .dir = dir.path()},
               hangs ? 500ms : 60000ms);
  if (finding.verdict == Verdict::kUnsupported) {
    GTEST_SKIP() << finding.reason;
  }
  EXPECT_EQ(VerdictName(finding.verdict), "fail") << finding.reason;
  EXPECT_NE(finding.reason.find(c.row->reason), std::string::npos)
      << finding.reason;
}

INSTANTIATE_TEST_SUITE_P(Faults, Fault, testing::ValuesIn(Cases()), NameOf);

}  // namespace
}  // namespace locklab
