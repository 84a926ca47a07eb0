#include "lib/os/lock_helper.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) && !defined(__SANITIZE_THREAD__)
#define __SANITIZE_THREAD__ 1
#endif
#endif

// The helper runs on its caller's thread-local storage: no errno, no
// instrumented code, nothing but bare system calls.
#define LOCKFILE_BARE \
  __attribute__((no_sanitize("address", "thread", "undefined"), noinline))

namespace lockfile::os {
namespace {

struct flock WholeFile() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

// Blocks without a deadline in the calling thread itself.
SysResult WaitForEver(int fd, KernelLock kind) {
  for (;;) {
    struct flock lock = WholeFile();
    const int result =
        kind == KernelLock::kFlock
            ? flock(fd, LOCK_EX)
            : fcntl(fd, kind == KernelLock::kOfd ? F_OFD_SETLKW : F_SETLKW,
                    &lock);
    if (result == 0) return SysResult::Ok();
    if (errno != EINTR) return SysResult::Fail(errno);
  }
}

#if defined(__x86_64__) || defined(__aarch64__)

LOCKFILE_BARE long BareCall(long number, long a, long b, long c) {
#if defined(__x86_64__)
  long result = 0;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c)
               : "rcx", "r11", "memory");
  return result;
#else
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  asm volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return x0;
#endif
}

struct HelperTask {
  int fd = -1;
  pid_t parent = 0;
  long call = 0;
  long operation = 0;
  struct flock lock {};
  long result = 0;  // of the call, where the helper was not killed before
};

LOCKFILE_BARE int RunHelper(void* argument) {
  auto* task = static_cast<HelperTask*>(argument);
  BareCall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0);
  // The caller may have died before the line above.
  if (BareCall(SYS_getppid, 0, 0, 0) != task->parent) return 1;
  long result = -EINTR;
  while (result == -EINTR) {
    result = BareCall(task->call, task->fd, task->operation,
                      reinterpret_cast<long>(&task->lock));
  }
  task->result = result;
  return 0;
}

// Starts the helper with every signal blocked, so that none of the caller's
// handlers ever runs in it. Its pid, or -1 with errno.
int StartHelper(HelperTask* task, char* stack_end, int* pidfd) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  constexpr int kFlags = CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_PIDFD;
  const int pid = clone(RunHelper, stack_end, kFlags, task, pidfd);
  const int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return pid;
}

timespec Remaining(TimePoint deadline) {
  const TimePoint now = Clock::now();
  const TimePoint end = std::clamp(deadline, now, now + std::chrono::hours(24));
  const int64_t ns = (end - now).count();
  return {ns / 1'000'000'000, ns % 1'000'000'000};
}

// Until the helper has ended or the deadline came.
void AwaitHelper(int pidfd, TimePoint deadline) {
  while (Clock::now() < deadline) {
    pollfd ended{pidfd, POLLIN, 0};
    const timespec timeout = Remaining(deadline);
    if (ppoll(&ended, 1, &timeout, nullptr) > 0) return;
  }
}

SysResult WaitUntil(int fd, KernelLock kind, TimePoint deadline) {
  HelperTask task;
  task.fd = fd;
  task.parent = getpid();
  task.call = kind == KernelLock::kFlock ? SYS_flock : SYS_fcntl;
  task.operation = kind == KernelLock::kFlock ? LOCK_EX
                   : kind == KernelLock::kOfd ? F_OFD_SETLKW
                                              : F_SETLKW;
  task.lock = WholeFile();
  alignas(64) std::array<char, 8192> stack;
  int pidfd = -1;
  const int pid = StartHelper(&task, stack.data() + stack.size(), &pidfd);
  if (pid < 0) return SysResult::Fail(ENOTSUP);
  AwaitHelper(pidfd, deadline);
  syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0);
  while (waitpid(pid, nullptr, __WALL) < 0 && errno == EINTR) {
  }
  close(pidfd);
  // The kernel refuses to wait: of two processes with two locks each it says
  // EDEADLK, though other threads than those that wait may hold them.
  if (task.result < 0) return SysResult::Fail(static_cast<int>(-task.result));
  return SysResult::Ok();
}

#else

SysResult WaitUntil(int, KernelLock, TimePoint) {
  return SysResult::Fail(ENOTSUP);
}

#endif

}  // namespace

SysResult WaitLockInHelper(int fd, KernelLock kind, TimePoint deadline) {
  if (deadline == kForever) return WaitForEver(fd, kind);
#ifdef __SANITIZE_THREAD__
  return SysResult::Fail(ENOTSUP);  // its runtime cannot share memory so
#endif
  const SysResult waited = WaitUntil(fd, kind, deadline);
  if (!waited.ok()) return waited;
  // The helper may have got the lock and been killed before it could say so:
  // asking again is free, since a lock that is ours is granted again.
  const SysResult tried = Os::Real().TryLock(fd, kind);
  if (tried.error == EAGAIN) return SysResult::Fail(ETIMEDOUT);
  return tried;
}

}  // namespace lockfile::os
