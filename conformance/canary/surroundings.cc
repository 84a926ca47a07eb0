// Canaries that get on badly with what is around them: forks, programs that
// are started, descriptors, names, other users.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>

#include "conformance/canary/bent.h"
#include "conformance/canary/families.h"
#include "conformance/canary/naive_lock.h"

namespace locklab::canary {
namespace {

using namespace std::chrono_literals;  // NOLINT
using lockfile::os::ForwardingOs;
using lockfile::os::KernelLock;
using lockfile::os::SysResult;
using std::chrono::nanoseconds;

// --- descriptors -----------------------------------------------------------

class KernelNaive : public NaiveLock {
 public:
  KernelNaive(const Site& site, KernelLock kind)
      : NaiveLock(site), kind_(kind) {}
  ~KernelNaive() override { KernelNaive::Release(); }

  Outcome Release() override {
    if (fd_ >= 0) os_.Close(fd_);
    fd_ = -1;
    return {};
  }

 protected:
  Outcome Try() override {
    const auto opened =
        os_.Open(file().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (!opened.ok()) return Failed("open", file(), opened.error);
    const int fd = static_cast<int>(opened.value);
    const int error = os_.TryLock(fd, kind_).error;
    if (error == 0) {
      fd_ = fd;
      return {};
    }
    os_.Close(fd);
    return error == EAGAIN ? Refused() : Failed("lock", file(), error);
  }

 private:
  const KernelLock kind_;
  int fd_ = -1;
};

// A forked child has the descriptor, too, and so the lock.
class CloseIsRelease : public KernelNaive {
 public:
  explicit CloseIsRelease(const Site& site)
      : KernelNaive(site, KernelLock::kFlock) {}
};

// The locks that this process holds.
struct Held : lockfile::os::ProcessLocal {
  std::mutex mutex;
  std::set<std::string> files;
};

// Knows which locks its process holds, but not what closing a descriptor does:
// whoever has looked into the file has freed it.
class FreedByALook : public KernelNaive, public Inspector {
 public:
  explicit FreedByALook(const Site& site)
      : KernelNaive(site, KernelLock::kPosix) {}
  ~FreedByALook() override { FreedByALook::Release(); }

  Outcome Release() override {
    const std::lock_guard guard(held().mutex);
    if (mine_) held().files.erase(file());
    mine_ = false;
    return KernelNaive::Release();
  }

  Inspector* inspector() override { return this; }
  [[nodiscard]] std::string lock_path() const override { return file(); }
  Outcome IsLocked(bool* locked) override {
    const std::lock_guard guard(held().mutex);
    *locked = held().files.contains(file()) && Look() >= 0;
    return {};
  }
  Outcome IAmLocking(bool* mine) override {
    *mine = mine_;
    return {};
  }
  Outcome ReadOwner(std::optional<lockfile::Owner>* owner) override {
    owner->reset();
    if (const pid_t pid = Look(); pid > 0) owner->emplace().pid = pid;
    return {};
  }
  lockfile::Liveness HolderLife() override { return {}; }
  Outcome Break(bool* broke) override {
    *broke = false;
    return {};
  }
  Outcome BreakIf(const lockfile::Owner&, bool* broke) override {
    return Break(broke);
  }

 protected:
  Outcome Try() override {
    const std::lock_guard guard(held().mutex);
    if (held().files.contains(file())) return Refused();
    Outcome outcome = KernelNaive::Try();
    mine_ = outcome.ok();
    if (mine_) held().files.insert(file());
    return outcome;
  }

 private:
  Held& held() { return os_.local<Held>(); }
  [[nodiscard]] pid_t Look() const {
    pid_t pid = 0;
    std::ifstream(file()) >> pid;
    return pid;
  }

  bool mine_ = false;
};

class DescriptorsLeak : public ForwardingOs {
 public:
  using ForwardingOs::ForwardingOs;
  SysResult Open(const char* path, int flags, mode_t mode) override {
    return ForwardingOs::Open(path, flags & ~O_CLOEXEC, mode);
  }
};
class LeaksDescriptor : public OnFaulty<DescriptorsLeak> {
 public:
  explicit LeaksDescriptor(const Site& site) : OnFaulty(site, "flock") {}
};

// --- files -----------------------------------------------------------------

class Litters : public Bent {
 public:
  explicit Litters(const Site& site) : Bent(site) {}
  Outcome Acquire(nanoseconds timeout) override {
    const std::string litter = lock_path() + ".litter";
    const auto opened =
        os_.Open(litter.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (opened.ok()) os_.Close(static_cast<int>(opened.value));
    return sound_->Acquire(timeout);
  }
};

// Clears away what begins like its own name.
class SweepsByPrefix : public Bent {
 public:
  explicit SweepsByPrefix(const Site& site) : Bent(site), path_(site.path) {}
  Outcome Release() override {
    Outcome outcome = sound_->Release();
    std::error_code error;
    const auto dir = std::filesystem::path(path_).parent_path();
    for (const auto& entry : std::filesystem::directory_iterator(dir, error)) {
      if (entry.path().string().starts_with(path_))
        unlink(entry.path().c_str());
    }
    return outcome;
  }

 private:
  const std::string path_;
};

std::string Mangled(std::string path) {
  for (size_t i = path.rfind('/') + 1; i < path.size(); ++i) {
    if (path[i] == '\n') path[i] = '/';
  }
  return path;
}

// Uses the name in a place where not every byte is itself.
class ManglesNames : public Bent {
 public:
  explicit ManglesNames(const Site& site)
      : Bent({.path = Mangled(site.path), .seed = site.seed, .os = site.os}) {}
};

class ReadsPathLate : public Bent {
 public:
  explicit ReadsPathLate(const Site& site) : Bent(site), path_(site.path) {}
  Outcome Acquire(nanoseconds timeout) override {
    sound_ = BackendSubject("link")->MakeOn(os_, path_);
    return sound_->Acquire(timeout);
  }

 private:
  const std::string path_;
};

// Marks the lock's file as opened by a careless program.
class FollowsLinks : public Bent {
 public:
  explicit FollowsLinks(const Site& site) : Bent(site) {}
  Outcome Acquire(nanoseconds timeout) override {
    const int fd =
        open(lock_path().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    [[maybe_unused]] const ssize_t size = write(fd, "1\n", 2);
    close(fd);
    return sound_->Acquire(timeout < 0ns ? 1s : timeout);
  }
};

class NobodyElseMayRead : public ForwardingOs {
 public:
  using ForwardingOs::ForwardingOs;
  SysResult Open(const char* path, int flags, mode_t) override {
    return ForwardingOs::Open(path, flags, 0600);
  }
};
class ShutsOthersOut : public OnFaulty<NobodyElseMayRead> {
 public:
  explicit ShutsOthersOut(const Site& site) : OnFaulty(site, "flock") {}
};

constexpr auto kRows = std::to_array<Canary>({
    {.name = "close-is-release",
     .doc = "gives an flock back by closing it, which a forked child keeps",
     .claim = "fork.parent_keeps",
     .traits = kKernelTraits,
     .lock = Make<CloseIsRelease>},
    {.name = "freed-by-a-look",
     .doc = "an fcntl lock that is gone when the process closes another "
            "descriptor of the file",
     .claim = "close.other_descriptor_does_not_free",
     .says = "another process's acquire, after objects of the holder's "
             "process looked at the lock, succeeded",
     .traits = kKernelTraits,
     .lock = Make<FreedByALook>},
    {.name = "leaks-descriptor",
     .doc = "an flock that started programs inherit and keep",
     .claim = "exec.descriptor_does_not_leak",
     .says = "inherited",
     .traits = kKernelTraits,
     .lock = Make<LeaksDescriptor>},
    {.name = "litters",
     .doc = "leaves a file of its own behind",
     .claim = "release.leaves_no_litter",
     .also = "acquire.failed_leaves_no_litter crash.litter_is_collected",
     .says = "left",
     .lock = Make<Litters>},
    {.name = "sweeps-by-prefix",
     .doc = "clears away every file whose name begins like its own",
     .claim = "path.two_locks_in_one_directory",
     .lock = Make<SweepsByPrefix>},
    {.name = "mangles-names",
     .doc = "takes a newline in the name for the end of a component",
     .claim = "path.unicode_spaces_long",
     .lock = Make<ManglesNames>},
    {.name = "reads-path-late",
     .doc = "a relative path means another lock after chdir()",
     .claim = "path.relative_then_chdir",
     .lock = Make<ReadsPathLate>},
    {.name = "follows-links",
     .doc = "writes through a symbolic link at the lock's path",
     .claim = "path.planted_symlink_is_not_followed",
     .lock = Make<FollowsLinks>},
    {.name = "shuts-others-out",
     .doc = "a file of mode 0600, which a second user cannot open",
     .claim = "permission.second_user_waits",
     .traits = kKernelTraits,
     .lock = Make<ShutsOthersOut>},
});

}  // namespace

std::span<const Canary> SurroundingsCanaries() { return kRows; }

}  // namespace locklab::canary
