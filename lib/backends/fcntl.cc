// fcntl: fcntl(2) F_SETLK on PATH.lock.
//
// Mechanism: the lock belongs to the process. Released by the kernel when the
// process dies; not inherited by a forked child.
// Needs: a filesystem that carries POSIX locks (NFS: lockd or version 4).
// Weaknesses: a process does not exclude itself, and it loses the lock when it
// closes any descriptor of the file. A table of this process mends both as far
// as this library goes: one object of the process at a time may contend for a
// file, and no descriptor of it is closed while it does. Code elsewhere in the
// process that opens and closes PATH.lock still drops the lock; the holder
// finds out (i_am_locking(), LockLost), because it looks at the lock with the
// eyes of an OFD lock, which sees those of its own process.
#include <cerrno>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "lib/backends/kernel_file.h"
#include "lib/backends/makers.h"

namespace lockfile {
namespace {

using FileKey = std::pair<uint64_t, uint64_t>;

// The files that objects of this process contend for or hold.
struct PosixTable : os::ProcessLocal {
  struct Entry {
    const void* contender = nullptr;
    int fd = -1;
    std::vector<int> doomed;  // to be closed when the contender is done
  };
  // Held around every open and close of such a file, never while waiting.
  std::recursive_mutex mutex;
  std::map<FileKey, Entry> entries;
};

class FcntlBackend final : public KernelFile {
 public:
  FcntlBackend(os::Os& os, const std::string& lock_path, const Options& options)
      : KernelFile(os, lock_path, options, os::KernelLock::kPosix) {}
  ~FcntlBackend() override { FcntlBackend::GiveUp({}); }

  Status TryTake(const Hold& hold, Take* take) override {
    PosixTable& table = os_.local<PosixTable>();
    const std::lock_guard guard(table.mutex);
    *take = Take::kHeld;
    int elusive = 0;
    for (int attempt = 0; attempt < kTries; ++attempt) {
      bool mine = fd_ >= 0;
      if (!mine) {
        const Status status = Enter(&table, &mine);
        if (!status.ok() || !mine) return status;
        if (fd_ < 0 && ++elusive == kElusive) return Status::Ok();
        if (fd_ < 0) continue;
      }
      bool again = false;
      const Status status = TakeOpened(hold, take, &again);
      if (!again) return status;
      Leave(&table);
    }
    return RemovedAgainAndAgain();
  }

  Status Release(const Hold& hold) override {
    PosixTable& table = os_.local<PosixTable>();
    const std::lock_guard guard(table.mutex);
    bool mine = false;
    const Status status = StillMine(hold, &mine);
    if (!status.ok()) return status;
    if (mine) return KernelFile::Release(hold);
    Leave(&table);
    return Status::Make(
        Errc::kLockLost,
        lock_path_ +
            " was removed while it was held, or a descriptor of it "
            "was closed elsewhere in this process, which drops it");
  }

  Status StillMine(const Hold& hold, bool* mine) override {
    PosixTable& table = os_.local<PosixTable>();
    const std::lock_guard guard(table.mutex);
    Status status = KernelFile::StillMine(hold, mine);
    if (!status.ok() || !*mine) return status;
    status = IsHeld(fd_, {}, mine);
    // Held, but perhaps by a successor after the kernel dropped ours.
    if (*mine && signed_) *mine = ReadText(fd_) == hold.record;
    return status;
  }

  Status Look(Sight* sight) override {
    PosixTable& table = os_.local<PosixTable>();
    const std::lock_guard guard(table.mutex);
    os::FileInfo info;
    *sight = Sight{};
    if (os_.Lstat(lock_path_.c_str(), &info).ok()) {
      const auto found = table.entries.find(FileKey(info.dev, info.ino));
      if (found != table.entries.end()) {
        return LookAt(found->second.fd, info, sight);
      }
    }
    return KernelFile::Look(sight);
  }

  bool WaitInKernel(Deadline deadline) override {
    // Only the contender waits in the kernel; others of this process cannot,
    // since the kernel would grant it to the process at once.
    return fd_ >= 0 && KernelFile::WaitInKernel(deadline);
  }

  void GiveUp(const Hold& hold) override {
    (void)hold;
    if (fd_ < 0) return;
    PosixTable& table = os_.local<PosixTable>();
    const std::lock_guard guard(table.mutex);
    Leave(&table);
  }

  // The parent's table is not this process's, and closing its descriptors here
  // does not touch its locks.
  void ForgetInChild() override { CloseFile(); }

 private:
  // Makes this object the contender for the file, if no other object is. fd_
  // stays -1, with `mine`, if the file was replaced meanwhile: try again.
  Status Enter(PosixTable* table, bool* mine) {
    os::FileInfo info;
    *mine = false;
    if (os_.Lstat(lock_path_.c_str(), &info).ok() &&
        table->entries.contains(FileKey(info.dev, info.ino))) {
      return Status::Ok();
    }
    const Status status = OpenFile(&fd_, &info_);
    if (!status.ok()) return status;
    *mine = true;
    if (fd_ < 0) return status;
    const FileKey key(info_.dev, info_.ino);
    const auto [entry, fresh] =
        table->entries.try_emplace(key, PosixTable::Entry{this, fd_, {}});
    if (fresh) return status;
    // Put there between the look and the open: closing would drop its lock.
    entry->second.doomed.push_back(fd_);
    fd_ = -1;
    *mine = false;
    return status;
  }

  void Leave(PosixTable* table) {
    const auto found = table->entries.find(FileKey(info_.dev, info_.ino));
    if (found != table->entries.end() && found->second.contender == this) {
      for (const int fd : found->second.doomed) os_.Close(fd);
      table->entries.erase(found);
    }
    CloseFile();
  }
};

}  // namespace

std::unique_ptr<Backend> MakeFcntl(os::Os& os, const std::string& path,
                                   const Options& options) {
  return std::make_unique<FcntlBackend>(os, path + ".lock", options);
}

}  // namespace lockfile
