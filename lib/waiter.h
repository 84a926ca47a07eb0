// Waits for a lock to be released: woken by the kernel where it can tell, by
// jittered, growing sleeps where it cannot.
//
// Local filesystems: inotify on the lock file itself (not on its directory,
// where every other lock would wake us too), or on the ticket of the one who is
// next before us in the line (wait_line.h), so that a release wakes one and not
// all; and a pidfd on the process that the file belongs to, so that its death
// wakes us as well. Elsewhere: sleeps from 0.5 ms up to 100 ms.
// Even where the kernel tells, a waiter looks for itself now and then, since
// watches can be lost (queue overflow, a replaced directory).
#ifndef LOCKLAB_LIB_WAITER_H_
#define LOCKLAB_LIB_WAITER_H_

#include <string>

#include "lib/deadline.h"
#include "lib/os/os.h"

namespace lockfile {

// One wait of one thread, from its first refusal to its end.
class Waiter {
 public:
  // `local`: whether inotify on this filesystem tells of every change.
  Waiter(os::Os& os, bool local);
  ~Waiter();
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  enum class Watched {
    kNot,   // nothing will tell
    kSame,  // as before
    kNew,   // another file than before, or the first: look again before you
            // wait, or a release may be missed
    kGone,  // there is no such file
  };
  // Watches this file from now on, and no other.
  Watched Watch(const std::string& path);
  // The same, but its end alone is of interest.
  Watched WatchGone(const std::string& path);
  // The holder to be watched; 0: none, or not of this PID namespace.
  void WatchHolder(pid_t pid);

  // Blocks until something happened, the deadline came, or it is time to look
  // again. `at_most`: at the latest after so long.
  void Wait(Deadline deadline, Deadline::Duration at_most);
  // The same; the time to look again comes in about so long.
  void WaitAbout(Deadline deadline, Deadline::Duration about);

  // Whether the last Wait() ended because the holder's process did, or by time
  // alone: the holder is worth a look.
  [[nodiscard]] bool holder_suspect() const { return holder_suspect_; }
  // Whether its process did, or nothing could be waited for.
  [[nodiscard]] bool holder_ended() const { return holder_ended_; }

 private:
  // Who watches: the Os's WatchAdd or WatchGone.
  using Add = os::SysResult (os::Os::*)(int watch_fd, const char* path);
  Watched WatchBy(Add add, const std::string& path);
  [[nodiscard]] Deadline::Duration NextSlice();
  [[nodiscard]] Deadline::Duration Spread(Deadline::Duration slice);
  void WaitUntil(os::TimePoint until);
  void ForgetHolder();

  os::Os& os_;
  const bool local_;
  int watch_fd_ = -1;
  int watch_ = -1;
  int holder_fd_ = -1;
  pid_t holder_ = 0;
  uint64_t random_ = 0;
  Deadline::Duration slice_;
  bool holder_suspect_ = false;
  bool holder_ended_ = false;
};

}  // namespace lockfile

#endif  // LOCKLAB_LIB_WAITER_H_
