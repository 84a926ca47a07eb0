// flock: flock(2) on PATH.lock.
//
// Mechanism: the lock belongs to the open file. Released by the kernel when
// its last descriptor is closed, at the latest when the holder dies.
// Needs: a filesystem that carries flock. NFS makes a record lock of it, for
// which who waits must be allowed to write to the file.
// Weaknesses: a forked child shares the open file, so that a child which
// outlives a crashed holder keeps the lock. The kernel cannot be asked who
// holds it: is_locked() has to try it where the record does not tell.
// On SMB all descriptors of a file with the same flags are one handle of the
// server's in Linux's client (6.1), and the first of them to be closed gives
// the lock back: between two clients it excludes nobody.
#include <fcntl.h>

#include <cerrno>
#include <string>

#include "lib/backends/kernel_file.h"
#include "lib/backends/makers.h"

namespace lockfile {
namespace {

// A try meets the short trial locks of others' is_locked(), too: they are gone
// after some tries, a holder's is not.
constexpr int kTrials = 16;

class FlockBackend final : public KernelFile {
 public:
  FlockBackend(os::Os& os, const std::string& lock_path, const Options& options)
      : KernelFile(os, lock_path, options, os::KernelLock::kFlock) {}
  ~FlockBackend() override = default;

  Status TryTake(const Hold& hold, Take* take) override {
    for (int trial = 1;; ++trial) {
      Status status = KernelFile::TryTake(hold, take);
      if (!status.ok() || *take == Take::kTaken || fd_ < 0) return status;
      const bool has_owner = SomebodySigned(ReadText(fd_));
      // SMB: what the server has given to this descriptor, and the client then
      // refused, it does not give again until that is closed.
      if (OnSmb()) CloseFile();
      if (has_owner || trial == kTrials) return status;
      os_.WaitEvent(-1, -1, os_.Now() + std::chrono::microseconds(20));
    }
  }

 protected:
  Status IsHeld(int fd, const std::string& text, bool* held) override {
    if (SomebodySigned(text)) {
      *held = true;
      return Status::Ok();
    }
    const int error = os_.TryLock(fd, kind_).error;
    // NFS, which makes a record lock of it, wants a file open for writing.
    if (error == EBADF) return TryAsWriter(fd, text, held);
    if (error == 0) os_.Unlock(fd, kind_);
    *held = error == EAGAIN;
    return error == 0 || *held
               ? Status::Ok()
               : Status::Failed("ask for the lock on", lock_path_, error);
  }

 private:
  Status TryAsWriter(int fd, const std::string& text, bool* held) {
    constexpr int kFlags =
        O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    const os::SysResult opened = os_.Open(lock_path_.c_str(), kFlags, 0);
    // Who may not write can still ask for it as the record lock that it is.
    if (!opened.ok()) return KernelFile::IsHeld(fd, text, held);
    const int writer = static_cast<int>(opened.value);
    const int error = os_.TryLock(writer, kind_).error;
    if (error == 0) os_.Unlock(writer, kind_);
    os_.Close(writer);
    *held = error == EAGAIN;
    return error == 0 || *held
               ? Status::Ok()
               : Status::Failed("ask for the lock on", lock_path_, error);
  }

  // Whether the record names a holder that may be alive.
  bool SomebodySigned(const std::string& text) {
    const std::optional<Owner> owner = ParseRecord(text);
    return owner.has_value() && JudgeLife(os_, *owner).life != Life::kDead;
  }
};

}  // namespace

std::unique_ptr<Backend> MakeFlock(os::Os& os, const std::string& path,
                                   const Options& options) {
  return std::make_unique<FlockBackend>(os, path + ".lock", options);
}

}  // namespace lockfile
