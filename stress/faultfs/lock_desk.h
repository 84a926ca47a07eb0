// The kernel's locks, passed on: what a process locks on the mount is locked on
// the backing file, so that it is held for other mounts of the directory, too.
#ifndef LOCKLAB_STRESS_FAULTFS_LOCK_DESK_H_
#define LOCKLAB_STRESS_FAULTFS_LOCK_DESK_H_

#include <fcntl.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace locklab::faultfs {

// Used by many threads. Nothing of it waits: who has to wait for a lock is
// answered later, by a thread of its own, so that no number of waiters keeps
// the filesystem from serving whoever will let the lock go.
class LockDesk {
 public:
  // Who asks for a lock.
  struct Asker {
    bool waits = false;
    // Whether the process that waits was interrupted meanwhile: then the answer
    // is EINTR.
    std::function<bool()> interrupted = {};
    std::function<void(int error)> answer = {};  // called once
  };

  LockDesk();
  // Those who wait are not answered any more.
  ~LockDesk();
  LockDesk(const LockDesk&) = delete;
  LockDesk& operator=(const LockDesk&) = delete;

  // A record lock of one owner on one file: of a process (fcntl) or of an open
  // file (ofd); the kernel tells them apart by `owner`. `path` names the
  // backing file, `handle` the open file that it was asked through.
  void SetRecord(const void* file, const std::string& path, uint64_t owner,
                 uint64_t handle, const struct flock& wanted, Asker asker);
  // Who would refuse it: as F_GETLK has it. 0 or an errno.
  [[nodiscard]] int GetRecord(const void* file, const std::string& path,
                              uint64_t owner, struct flock* lock);
  // Locks of open files: flock(2), on a descriptor of the backing file.
  void Flock(int fd, int operation, Asker asker);

  // The process closed the file: its record locks are gone, `later` if not
  // now.
  void Drop(const void* file, uint64_t owner,
            std::chrono::milliseconds later = {});
  // The open file is no more: record locks that were asked for through it are
  // gone. Changed() has to follow.
  void DropHandle(const void* file, uint64_t handle,
                  std::chrono::milliseconds later = {});
  // What is to be done in a while.
  void Later(std::chrono::milliseconds time, std::function<void()> act);
  // Somebody let something go: those who wait should try again.
  void Changed();

 private:
  struct Holder {
    int fd = -1;  // an open file of its own, whose locks are this owner's
    uint64_t handle = 0;
    pid_t pid = 0;
    ~Holder();
  };
  struct Waiter {
    std::function<int()> attempt;  // EAGAIN: not yet
    Asker asker;
  };
  struct Plan {
    std::chrono::steady_clock::time_point due;
    std::function<void()> act;
  };
  using Key = std::pair<const void*, uint64_t>;

  // `attempt` now, and later if it has to wait.
  void Try(std::function<int()> attempt, Asker asker);
  [[nodiscard]] int Attempt(const Key& key, const std::string& path,
                            uint64_t handle, const struct flock& wanted);
  void Serve(const std::stop_token& stop);
  // Does what is due.
  void ActOnPlans();
  // Answers those whose turn has come.
  void Round();

  std::mutex holders_mutex_;
  std::map<Key, Holder> holders_;

  std::mutex mutex_;  // of what is below
  std::condition_variable_any changed_;
  bool is_changed_ = false;
  std::list<Waiter> waiters_;
  std::list<Plan> plans_;
  std::jthread server_;
};

}  // namespace locklab::faultfs

#endif  // LOCKLAB_STRESS_FAULTFS_LOCK_DESK_H_
