// Waiting: inotify, pidfd, futex.
#include <linux/futex.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <ctime>

#include "lib/os/real_os.h"

namespace lockfile::os {
namespace {

// What is left until the deadline; a day at most, so that it always fits.
timespec Remaining(TimePoint deadline, TimePoint now) {
  const TimePoint end = std::clamp(deadline, now, now + std::chrono::hours(24));
  const int64_t ns = (end - now).count();
  return {ns / 1'000'000'000, ns % 1'000'000'000};
}

SysResult AddWatch(int watch_fd, const char* path, uint32_t events) {
  const int watch = inotify_add_watch(watch_fd, path, events);
  return watch >= 0 ? SysResult::Ok(watch) : SysResult::Fail(errno);
}

void Drain(int watch_fd) {
  std::array<char, 4096> events;
  // One read takes all that fit: only a nearly full buffer asks for another.
  constexpr ssize_t kFull = sizeof events - sizeof(inotify_event) - NAME_MAX;
  while (read(watch_fd, events.data(), events.size()) > kFull) {
  }
}

}  // namespace

SysResult RealOs::WatchOpen() {
  const int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  return fd >= 0 ? SysResult::Ok(fd) : SysResult::Fail(errno);
}

SysResult RealOs::WatchAdd(int watch_fd, const char* path) {
  // Not IN_ATTRIB: a holder's release removes its ticket first, which changes
  // the link count, and would wake all waiters a step too early.
  constexpr uint32_t kEvents = IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MODIFY |
                               IN_MOVE_SELF | IN_DONT_FOLLOW;
  return AddWatch(watch_fd, path, kEvents);
}

SysResult RealOs::WatchGone(int watch_fd, const char* path) {
  return AddWatch(watch_fd, path, IN_DELETE_SELF | IN_DONT_FOLLOW);
}

SysResult RealOs::WatchRemove(int watch_fd, int watch) {
  const int result = inotify_rm_watch(watch_fd, watch);
  const int error = result == 0 ? 0 : errno;
  Drain(watch_fd);  // IN_IGNORED, and what came since
  return error == 0 ? SysResult::Ok() : SysResult::Fail(error);
}

SysResult RealOs::ProcessWatch(pid_t pid) {
  const long fd = syscall(SYS_pidfd_open, pid, 0);
  return fd >= 0 ? SysResult::Ok(fd) : SysResult::Fail(errno);
}

SysResult RealOs::WaitEvent(int watch_fd, int process_fd, TimePoint deadline) {
  std::array<pollfd, 2> fds{{{watch_fd, POLLIN, 0}, {process_fd, POLLIN, 0}}};
  const timespec timeout = Remaining(deadline, Now());
  const int ready = ppoll(fds.data(), fds.size(), &timeout, nullptr);
  if (ready < 0) {
    return errno == EINTR ? SysResult::Ok(kWatchEvent) : SysResult::Fail(errno);
  }
  int64_t events = 0;
  if (fds[0].revents != 0) {
    Drain(watch_fd);
    events += kWatchEvent;
  }
  if (fds[1].revents != 0) events += kProcessEnded;
  return SysResult::Ok(events);
}

void RealOs::WaitWhile(std::atomic<uint32_t>* word, uint32_t expected,
                       TimePoint deadline) {
  static_assert(sizeof *word == sizeof(uint32_t));
  const timespec timeout = Remaining(deadline, Now());
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(word), FUTEX_WAIT_PRIVATE,
          expected, &timeout, nullptr, 0);
}

void RealOs::WakeAll(std::atomic<uint32_t>* word) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(word), FUTEX_WAKE_PRIVATE,
          INT32_MAX, nullptr, nullptr, 0);
}

}  // namespace lockfile::os
