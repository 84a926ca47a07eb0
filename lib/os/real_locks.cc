// The kernel's advisory locks, always exclusive and on the whole file.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "lib/os/lock_helper.h"
#include "lib/os/real_os.h"

namespace lockfile::os {
namespace {

struct flock WholeFile(short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

int SetLock(int fd, KernelLock kind, short type) {
  if (kind == KernelLock::kFlock) {
    return flock(fd, type == F_UNLCK ? LOCK_UN : LOCK_EX | LOCK_NB);
  }
  struct flock lock = WholeFile(type);
  return fcntl(fd, kind == KernelLock::kOfd ? F_OFD_SETLK : F_SETLK, &lock);
}

// Linux says EAGAIN, but SMB's server says EACCES, which POSIX allows fcntl.
// Elsewhere that is a security module's refusal.
bool IsHeldByAnother(int fd, int error) {
  if (error == EAGAIN || error == EWOULDBLOCK) return true;
  struct statfs found {};
  if (error != EACCES || fstatfs(fd, &found) != 0) return false;
  const auto type = static_cast<uint32_t>(found.f_type);
  return type == CIFS_SUPER_MAGIC || type == SMB2_SUPER_MAGIC;
}

}  // namespace

SysResult RealOs::TryLock(int fd, KernelLock kind) {
  for (;;) {
    if (SetLock(fd, kind, F_WRLCK) == 0) return SysResult::Ok();
    const int error = errno;
    if (error == EINTR) continue;
    return SysResult::Fail(IsHeldByAnother(fd, error) ? EAGAIN : error);
  }
}

SysResult RealOs::Unlock(int fd, KernelLock kind) {
  for (;;) {
    if (SetLock(fd, kind, F_UNLCK) == 0) return SysResult::Ok();
    if (errno != EINTR) return SysResult::Fail(errno);
  }
}

SysResult RealOs::QueryLock(int fd, KernelLock kind, pid_t* holder) {
  *holder = -1;
  if (kind == KernelLock::kFlock) return SysResult::Fail(ENOTSUP);
  struct flock lock = WholeFile(F_WRLCK);
  const int command = kind == KernelLock::kOfd ? F_OFD_GETLK : F_GETLK;
  while (fcntl(fd, command, &lock) != 0) {
    if (errno != EINTR) return SysResult::Fail(errno);
  }
  if (lock.l_type == F_UNLCK) return SysResult::Ok(0);
  if (lock.l_pid > 0) *holder = lock.l_pid;
  return SysResult::Ok(1);
}

SysResult RealOs::WaitLock(int fd, KernelLock kind, TimePoint deadline) {
  return WaitLockInHelper(fd, kind, deadline);
}

}  // namespace lockfile::os
