// What flock, fcntl and ofd have in common: a lock of the kernel on the file
// PATH.lock, which stays when the lock is released.
//
// The kernel releases the lock when its holder dies, wakes waiters by itself,
// and needs no record; one is written all the same, for people and owner().
// Since the file may be removed by others (a janitor), the one who got the
// lock looks whether its file is still the one at the path, and begins again
// if it is not: or two holders would lock two files of one name. For the same
// reason the lock cannot be broken: removing the file would not take the lock
// away from its holder, only let a second one in.
#ifndef LOCKLAB_LIB_BACKENDS_KERNEL_FILE_H_
#define LOCKLAB_LIB_BACKENDS_KERNEL_FILE_H_

#include <optional>
#include <string>

#include "lib/backends/backend.h"
#include "lib/backends/naming.h"

namespace lockfile {

class KernelFile : public Backend {
 public:
  KernelFile(os::Os& os, const std::string& lock_path, const Options& options,
             os::KernelLock kind)
      : Backend(os, lock_path, options), kind_(kind) {}
  ~KernelFile() override { CloseFile(); }

  Status TryTake(const Hold& hold, Take* take) override;
  Status Release(const Hold& hold) override;
  Status StillMine(const Hold& hold, bool* mine) override;
  Status Look(Sight* sight) override;
  Status Break(const Sight& seen, BreakReason reason, Broke* broke) override;
  Status Refresh(const Hold& hold) override;
  bool WaitInKernel(Deadline deadline) override;
  void GiveUp(const Hold& hold) override;
  void ForgetInChild() override;

 protected:
  // Until a file that others keep replacing is ours.
  static constexpr int kTries = 64;
  // A name that was so often neither to be opened nor to be made is a lock that
  // is held: SMB keeps the name of a removed file until nobody has it open.
  static constexpr int kElusive = 4;

  Status RemovedAgainAndAgain() const;
  void CloseFile();
  // Opens the lock's file, and makes it if it is not there. fd -1 and no error:
  // try again.
  Status OpenFile(int* fd, os::FileInfo* info);
  // Whether the file is still the one at the lock's path.
  Status IsInPlace(const os::FileInfo& info, bool* in_place);
  Status TakeOpened(const Hold& hold, Take* take, bool* again);
  // Tells whether the lock on an open file is held; disturbs as little as the
  // kernel allows.
  virtual Status IsHeld(int fd, const std::string& text, bool* held);
  bool OnSmb() { return storage() == Storage::kSmb; }
  Status LookAt(int fd, const os::FileInfo& info, Sight* sight);
  std::string ReadText(int fd);

  const os::KernelLock kind_;
  int fd_ = -1;
  os::FileInfo info_;  // of fd_
  bool locked_ = false;
  bool signed_ = false;  // our record is in it

 private:
  Storage storage();

  std::optional<Storage> storage_;  // once it was asked for
};

}  // namespace lockfile

#endif  // LOCKLAB_LIB_BACKENDS_KERNEL_FILE_H_
