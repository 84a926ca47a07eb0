// Canaries that do not know whose lock it is, or tell it wrongly.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "conformance/canary/bent.h"
#include "conformance/canary/families.h"
#include "conformance/canary/naive_lock.h"

namespace locklab::canary {
namespace {

using lockfile::Owner;

class ReleaseByName : public Bent {
 public:
  explicit ReleaseByName(const Site& site) : Bent(site) {}
  Outcome Release() override {
    os_.Unlink(lock_path().c_str());
    return {};
  }
};

// What it remembers, a forked child remembers, too.
class ChildReleases : public NaiveLock {
 public:
  using NaiveLock::NaiveLock;

  Outcome Release() override {
    if (!held_) return Failed("release", file(), EPERM);
    held_ = false;
    return NaiveLock::Release();
  }

 protected:
  Outcome Try() override {
    Outcome outcome = Create(O_EXCL);
    held_ = outcome.ok();
    return outcome;
  }

 private:
  bool held_ = false;
};

class LooksThenUnlinksToRelease : public Bent {
 public:
  explicit LooksThenUnlinksToRelease(const Site& site) : Bent(site) {}
  Outcome Release() override {
    bool mine = false;
    ask().IAmLocking(&mine);
    if (!mine) return sound_->Release();
    os_.Unlink(lock_path().c_str());
    (void)sound_->Release();
    return {};
  }
};

// Any name in the directory of the lock, which must be empty to be removed.
class WedgedByForeignFiles : public NaiveLock, public Inspector {
 public:
  using NaiveLock::NaiveLock;

  Outcome Release() override {
    const int error = os_.RemoveDir(file().c_str()).error;
    held_ = false;
    return error == 0 ? Outcome{} : Failed("remove", file(), error);
  }
  Inspector* inspector() override { return this; }
  [[nodiscard]] std::string lock_path() const override { return file(); }
  Outcome IsLocked(bool* locked) override {
    lockfile::os::FileInfo info;
    *locked = os_.Lstat(file().c_str(), &info).ok();
    return {};
  }
  Outcome IAmLocking(bool* mine) override {
    *mine = held_;
    return {};
  }
  Outcome ReadOwner(std::optional<Owner>* owner) override {
    owner->reset();
    return {};
  }
  lockfile::Liveness HolderLife() override { return {}; }
  Outcome Break(bool* broke) override {
    *broke = os_.RemoveDir(file().c_str()).ok();
    return {};
  }
  Outcome BreakIf(const Owner&, bool* broke) override { return Break(broke); }

 protected:
  Outcome Try() override {
    const int error = os_.MakeDir(file().c_str(), 0777).error;
    held_ = error == 0;
    if (held_) return {};
    return error == EEXIST ? Refused() : Failed("create", file(), error);
  }

 private:
  bool held_ = false;
};

class HangsInRelease : public Bent {
 public:
  explicit HangsInRelease(const Site& site) : Bent(site) {}
  Outcome Release() override {
    for (;;) pause();
  }
};

class IsNeverDestroyed : public Bent {
 public:
  explicit IsNeverDestroyed(const Site& site) : Bent(site) {}
  // Kept, so that leak checkers find what is meant to be found by us.
  ~IsNeverDestroyed() override {
    static std::mutex mutex;
    static auto& kept = *new std::vector<std::unique_ptr<Subject>>;
    const std::lock_guard guard(mutex);
    kept.push_back(std::move(sound_));
  }
};

// --- what is told ----------------------------------------------------------

class SaysItHolds : public Bent {
 public:
  explicit SaysItHolds(const Site& site) : Bent(site) {}
  Outcome IAmLocking(bool* mine) override {
    *mine = true;
    return {};
  }
};

class SaysNobodyHolds : public Bent {
 public:
  explicit SaysNobodyHolds(const Site& site) : Bent(site) {}
  Outcome IsLocked(bool* locked) override {
    *locked = false;
    return {};
  }
};

class InventsOwners : public Bent {
 public:
  explicit InventsOwners(const Site& site) : Bent(site) {}
  Outcome ReadOwner(std::optional<Owner>* owner) override {
    Outcome outcome = ask().ReadOwner(owner);
    if (*owner) (*owner)->pid = 1;
    return outcome;
  }
};

class FacesGarbage : public Bent {
 public:
  explicit FacesGarbage(const Site& site) : Bent(site) {}
  Outcome ReadOwner(std::optional<Owner>* owner) override {
    Outcome outcome = ask().ReadOwner(owner);
    bool locked = false;
    if (!*owner && ask().IsLocked(&locked).ok() && locked) Meet(owner);
    return outcome;
  }

 protected:
  virtual void Meet(std::optional<Owner>* owner) = 0;
};

class BelievesGarbage : public FacesGarbage {
 public:
  using FacesGarbage::FacesGarbage;

 protected:
  void Meet(std::optional<Owner>* owner) override { owner->emplace().pid = 1; }
};

class CrashesOnGarbage : public FacesGarbage {
 public:
  using FacesGarbage::FacesGarbage;

 protected:
  void Meet(std::optional<Owner>*) override { std::abort(); }
};

constexpr auto kRows = std::to_array<Canary>({
    {.name = "release-by-name",
     .doc = "gives back whatever lock is there, whoever holds it",
     .claim = "release.by_stranger_is_refused",
     .also = "release.twice_is_not_locked release.after_break_reports_lost "
             "fork.child_does_not_own stale.janitor_deletes "
             "stale.directory_replaced",
     .lock = Make<ReleaseByName>},
    {.name = "child-releases",
     .doc = "remembers that it holds, also in a forked child, which gives the "
            "parent's lock back",
     .claim = "fork.child_does_not_own",
     .says = "a forked child's release succeeded",
     .lock = Make<ChildReleases>},
    {.name = "look-then-unlink-release",
     .doc = "looks whether the lock is its own, then removes it by name",
     .claim = "release.never_removes_successor",
     .lock = Make<LooksThenUnlinksToRelease>},
    {.name = "wedged-by-foreign-files",
     .doc = "a directory that cannot be removed while something lies in it",
     .claim = "release.survives_foreign_files",
     .lock = Make<WedgedByForeignFiles>},
    {.name = "hangs-in-release",
     .doc = "never comes back from its release",
     .claim = "release.twice_is_not_locked",
     .also = "acquire.reacquire_by_holder",
     .says = "hung",
     .lock = Make<HangsInRelease>},
    {.name = "never-destroyed",
     .doc = "its object's end does not give the lock back",
     .claim = "threads.destroyed_object_releases",
     .lock = Make<IsNeverDestroyed>},
    {.name = "says-it-holds",
     .doc = "i_am_locking() is always true",
     .claim = "held.i_am_locking_is_truthful",
     .also = "fork.child_does_not_own stale.paused_holder",
     .leases = true,
     .lock = Make<SaysItHolds>},
    {.name = "says-nobody-holds",
     .doc = "is_locked() is always false",
     .claim = "held.is_locked_is_truthful",
     .also = "stale.dead_holder_is_detected power.synced_lock_is_stale",
     .lock = Make<SaysNobodyHolds>},
    {.name = "invents-owners",
     .doc = "names another process than the holder",
     .claim = "owner.is_truthful",
     .also = "owner.is_readable",
     .lock = Make<InventsOwners>},
    {.name = "believes-garbage",
     .doc = "reads an owner out of any file",
     .claim = "owner.garbage_is_survived",
     .says = "invents an owner",
     .lock = Make<BelievesGarbage>},
    {.name = "crashes-on-garbage",
     .doc = "aborts on a file that it did not write",
     .claim = "owner.garbage_is_survived",
     .says = "SIGABRT",
     .lock = Make<CrashesOnGarbage>},
});

}  // namespace

std::span<const Canary> OwnershipCanaries() { return kRows; }

}  // namespace locklab::canary
