// Canaries that let two in.
#include <fcntl.h>

#include <array>
#include <cerrno>

#include "conformance/canary/bent.h"
#include "conformance/canary/families.h"
#include "conformance/canary/naive_lock.h"

namespace locklab::canary {
namespace {

using lockfile::os::KernelLock;
using std::chrono::nanoseconds;

class CheckThenCreate : public NaiveLock {
 public:
  using NaiveLock::NaiveLock;

 protected:
  Outcome Try() override {
    lockfile::os::FileInfo info;
    if (os_.Lstat(file().c_str(), &info).ok()) return Refused();
    Dither();
    return Create(0);
  }
};

class NoLock : public Bent {
 public:
  explicit NoLock(const Site& site) : Bent(site) {}
  Outcome Acquire(nanoseconds) override { return {}; }
  Outcome Release() override { return {}; }
};

// A waiter gets its lock on a file that no longer has a name; whoever comes
// next makes a new one and locks that.
class UnlinkOnRelease : public NaiveLock {
 public:
  using NaiveLock::NaiveLock;
  ~UnlinkOnRelease() override { Close(); }

  Outcome Release() override {
    Outcome outcome = NaiveLock::Release();
    Close();
    return outcome;
  }

 protected:
  Outcome Try() override {
    if (fd_ < 0) {
      const auto opened =
          os_.Open(file().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
      if (!opened.ok()) return Failed("open", file(), opened.error);
      fd_ = static_cast<int>(opened.value);
    }
    const int error = os_.TryLock(fd_, KernelLock::kFlock).error;
    if (error == 0) return {};
    return error == EAGAIN ? Refused() : Failed("lock", file(), error);
  }

 private:
  void Close() {
    if (fd_ >= 0) os_.Close(fd_);
    fd_ = -1;
  }

  int fd_ = -1;
};

class PrivateDatabase : public Bent {
 public:
  explicit PrivateDatabase(const Site& site)
      : Bent(site, "sqlite"), path_(site.path) {}

  Outcome Acquire(nanoseconds timeout) override {
    if (owner_ != os_.Pid()) {
      owner_ = os_.Pid();
      sound_ = BackendSubject("sqlite")->MakeOn(
          os_, path_ + "." + std::to_string(owner_));
    }
    return sound_->Acquire(timeout);
  }

 private:
  const std::string path_;
  pid_t owner_ = 0;
};

constexpr auto kRows = std::to_array<Canary>({
    {.name = "check-then-create",
     .doc = "looks whether the file is there, then makes it without O_EXCL",
     .claim = "exclusion.two_processes",
     .also = "exclusion.herd",
     .lock = Make<CheckThenCreate>},
    {.name = "no-lock",
     .doc = "lets everybody in",
     .claim = "exclusion.two_processes",
     .also = "exclusion.two_threads exclusion.two_objects_one_thread "
             "exclusion.herd exclusion.across_links_to_directory "
             "exclusion.data_coherence exclusion.data_across_mounts "
             "acquire.waits_while_held release.frees "
             "stale.live_holder_is_never_broken load.scenarios "
             "net.short_partition net.long_partition net.server_restart "
             "net.server_dies net.bad_network net.client_dies",
     .lock = Make<NoLock>},
    {.name = "unlink-on-release",
     .doc = "flock that removes its file: those who wait for it and those who "
            "come later lock two inodes",
     .claim = "exclusion.herd",
     .traits = kKernelTraits,
     .lock = Make<UnlinkOnRelease>},
    {.name = "private-database",
     .doc = "keeps the row in a database of each process's own",
     .claim = "exclusion.herd",
     .also = "release.frees",
     .traits = {.keeps_file = true},
     .lock = Make<PrivateDatabase>},
});

}  // namespace

std::span<const Canary> ExclusionCanaries() { return kRows; }

}  // namespace locklab::canary
