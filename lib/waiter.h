// Waits for a lock to be released: woken by the kernel where it can tell, by
// jittered, growing sleeps where it cannot.
//
// Local filesystems: inotify on the lock file itself (not on its directory,
// where every other lock would wake us too), and a pidfd on its holder, so
// that its death wakes us as well. Elsewhere: sleeps from 0.5 ms up to 100 ms.
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

  // Watches the file from now on. True: it is another file than before, or the
  // first, or none; look again before you wait, or a release may be missed.
  bool Watch(const std::string& path);
  // The holder to be watched; 0: none, or not of this PID namespace.
  void WatchHolder(pid_t pid);

  // Blocks until something happened, the deadline came, or it is time to look
  // again. `at_most`: at the latest after so long.
  void Wait(Deadline deadline, Deadline::Duration at_most);

  // Whether the last Wait() ended because the holder's process did, or by time
  // alone: the holder is worth a look.
  [[nodiscard]] bool holder_suspect() const { return holder_suspect_; }

 private:
  [[nodiscard]] Deadline::Duration NextSlice();
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
};

}  // namespace lockfile

#endif  // LOCKLAB_LIB_WAITER_H_
