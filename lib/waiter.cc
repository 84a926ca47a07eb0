#include "lib/waiter.h"

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <utility>
#include <vector>

namespace lockfile {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr Deadline::Duration kFirstSlice = microseconds(500);
constexpr Deadline::Duration kLongestSleep = milliseconds(100);
constexpr Deadline::Duration kFirstWatched = milliseconds(2);
constexpr Deadline::Duration kLongestWatched = milliseconds(250);

// What a wait has left behind, for the next one to use or to clear away.
struct Leftover {
  int watch_fd = -1;
  int watch = -1;
  int holder_fd = -1;
};

void ClearAway(os::Os& os, Leftover& old) {
  if (old.holder_fd >= 0) os.Close(std::exchange(old.holder_fd, -1));
  if (old.watch >= 0)
    os.WatchRemove(old.watch_fd, std::exchange(old.watch, -1));
}

// inotify instances of this process, kept because closing one takes the kernel
// some milliseconds (it waits for a grace period of its own). A wait ends where
// the next holder is about to get this processor, so that clearing up is left
// to the next wait; but for one at a time, or many threads' would pile up.
struct WatchPool : os::ProcessLocal {
  std::mutex mutex;
  std::vector<int> idle;
  Leftover uncleared;

  int Get(os::Os& os) {
    const std::lock_guard guard(mutex);
    ClearAway(os, uncleared);
    if (uncleared.watch_fd >= 0) return std::exchange(uncleared.watch_fd, -1);
    if (idle.empty()) {
      const os::SysResult opened = os.WatchOpen();
      return opened.ok() ? static_cast<int>(opened.value) : -1;
    }
    const int fd = idle.back();
    idle.pop_back();
    return fd;
  }

  void Put(os::Os& os, Leftover left) {
    const std::lock_guard guard(mutex);
    if (uncleared.watch_fd < 0) {
      uncleared = left;
      return;
    }
    ClearAway(os, left);
    idle.push_back(left.watch_fd);
  }
};

}  // namespace

Waiter::Waiter(os::Os& os, bool local)
    : os_(os), local_(local), slice_(local ? kFirstWatched : kFirstSlice) {}

Waiter::~Waiter() {
  if (watch_fd_ < 0) {
    ForgetHolder();
  } else {
    os_.local<WatchPool>().Put(os_, {watch_fd_, watch_, holder_fd_});
  }
}

Waiter::Watched Waiter::Watch(const std::string& path) {
  return WatchBy(&os::Os::WatchAdd, path);
}

Waiter::Watched Waiter::WatchGone(const std::string& path) {
  return WatchBy(&os::Os::WatchGone, path);
}

Waiter::Watched Waiter::WatchBy(Add add, const std::string& path) {
  if (!local_ || path.empty()) return Watched::kNot;
  if (watch_fd_ < 0) watch_fd_ = os_.local<WatchPool>().Get(os_);
  if (watch_fd_ < 0) return Watched::kNot;
  const os::SysResult added = (os_.*add)(watch_fd_, path.c_str());
  if (!added.ok()) {
    return added.error == ENOENT ? Watched::kGone : Watched::kNot;
  }
  const int watch = static_cast<int>(added.value);
  if (watch == watch_) return Watched::kSame;
  if (watch_ >= 0) os_.WatchRemove(watch_fd_, watch_);
  watch_ = watch;
  return Watched::kNew;
}

void Waiter::WatchHolder(pid_t pid) {
  if (pid == holder_) return;
  ForgetHolder();
  if (pid <= 0) return;
  const os::SysResult opened = os_.ProcessWatch(pid);
  if (!opened.ok()) return;
  holder_fd_ = static_cast<int>(opened.value);
  holder_ = pid;
}

void Waiter::ForgetHolder() {
  if (holder_fd_ >= 0) os_.Close(holder_fd_);
  holder_fd_ = -1;
  holder_ = 0;
}

// Grows by half each time, give or take a quarter, so that waiters spread.
Deadline::Duration Waiter::NextSlice() {
  const bool watched = watch_ >= 0;
  // Where descriptors have run out, as where nothing tells.
  if (!watched && slice_ == kFirstWatched) slice_ = kFirstSlice;
  const Deadline::Duration slice = slice_;
  slice_ =
      std::min(slice_ + slice_ / 2, watched ? kLongestWatched : kLongestSleep);
  return Spread(slice);
}

Deadline::Duration Waiter::Spread(Deadline::Duration slice) {
  if (random_ == 0) os_.Random(&random_, sizeof random_);
  random_ = random_ * 6364136223846793005 + 1442695040888963407;
  const auto eighths = 6 + static_cast<int64_t>((random_ >> 33) % 5);
  return slice / 8 * eighths;
}

void Waiter::Wait(Deadline deadline, Deadline::Duration at_most) {
  WaitUntil(deadline.Slice(std::min(at_most, NextSlice()), os_.Now()));
}

void Waiter::WaitAbout(Deadline deadline, Deadline::Duration about) {
  WaitUntil(deadline.Slice(Spread(about), os_.Now()));
}

void Waiter::WaitUntil(os::TimePoint until) {
  const os::SysResult result = os_.WaitEvent(watch_fd_, holder_fd_, until);
  const int64_t events = result.ok() ? result.value : 0;
  holder_suspect_ = events != os::Os::kWatchEvent;
  const bool ended = (events & os::Os::kProcessEnded) != 0;
  holder_ended_ = ended || !result.ok();
  if (ended) ForgetHolder();
}

}  // namespace lockfile
