#include "stress/faultfs/lock_desk.h"

#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>
#include <vector>

namespace locklab::faultfs {
namespace {

using std::chrono::milliseconds;

// Locks that another process lets go, of another mount or on the backing
// directory itself, are seen by looking.
constexpr auto kLook = milliseconds(2);

int OpenToLock(const std::string& path) {
  for (const int mode : {O_RDWR, O_RDONLY, O_WRONLY}) {
    const int fd = open(path.c_str(), mode | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 || (errno != EACCES && errno != EROFS)) return fd;
  }
  return -1;
}

}  // namespace

LockDesk::Holder::~Holder() {
  if (fd >= 0) close(fd);
}

LockDesk::LockDesk()
    : server_([this](const std::stop_token& stop) { Serve(stop); }) {}

LockDesk::~LockDesk() = default;

void LockDesk::SetRecord(const void* file, const std::string& path,
                         uint64_t owner, uint64_t handle,
                         const struct flock& wanted, Asker asker) {
  const Key key{file, owner};
  Try([=, this] { return Attempt(key, path, handle, wanted); },
      std::move(asker));
  if (wanted.l_type == F_UNLCK) Changed();
}

int LockDesk::Attempt(const Key& key, const std::string& path, uint64_t handle,
                      const struct flock& wanted) {
  const std::lock_guard guard(holders_mutex_);
  const auto known = holders_.find(key);
  if (known == holders_.end() && wanted.l_type == F_UNLCK) return 0;
  Holder& holder = known != holders_.end() ? known->second : holders_[key];
  if (holder.fd < 0) holder.fd = OpenToLock(path);
  if (holder.fd < 0) {
    holders_.erase(key);
    return errno;
  }
  holder.handle = handle;
  struct flock lock = wanted;
  lock.l_pid = 0;
  if (fcntl(holder.fd, F_OFD_SETLK, &lock) != 0) {
    return errno == EACCES ? EAGAIN : errno;
  }
  if (wanted.l_type != F_UNLCK) holder.pid = wanted.l_pid;
  return 0;
}

int LockDesk::GetRecord(const void* file, const std::string& path,
                        uint64_t owner, struct flock* lock) {
  const std::lock_guard guard(holders_mutex_);
  const auto known = holders_.find({file, owner});
  Holder looker;  // an open file that holds nothing
  if (known == holders_.end()) looker.fd = OpenToLock(path);
  const int fd = known != holders_.end() ? known->second.fd : looker.fd;
  if (fd < 0) return errno;
  lock->l_pid = 0;
  if (fcntl(fd, F_OFD_GETLK, lock) != 0) return errno;
  if (lock->l_type == F_UNLCK) return 0;
  // The backing filesystem knows us alone. Most files have one lock.
  lock->l_pid = 0;
  for (auto it = holders_.lower_bound({file, 0});
       it != holders_.end() && it->first.first == file; ++it) {
    if (it->first.second != owner && it->second.pid != 0) {
      lock->l_pid = it->second.pid;
    }
  }
  return 0;
}

void LockDesk::Flock(int fd, int operation, Asker asker) {
  const int now = operation | LOCK_NB;
  Try([fd, now] { return flock(fd, now) == 0 ? 0 : errno; }, std::move(asker));
  if ((operation & LOCK_UN) != 0) Changed();
}

void LockDesk::Drop(const void* file, uint64_t owner, milliseconds later) {
  if (later.count() > 0) {
    Later(later, [=, this] { Drop(file, owner); });
    return;
  }
  size_t dropped = 0;
  {
    const std::lock_guard guard(holders_mutex_);
    dropped = holders_.erase({file, owner});
  }
  if (dropped > 0) Changed();
}

void LockDesk::DropHandle(const void* file, uint64_t handle,
                          milliseconds later) {
  if (later.count() > 0) {
    Later(later, [=, this] { DropHandle(file, handle); });
    return;
  }
  const std::lock_guard guard(holders_mutex_);
  for (auto it = holders_.lower_bound({file, 0});
       it != holders_.end() && it->first.first == file;) {
    it = it->second.handle == handle ? holders_.erase(it) : std::next(it);
  }
}

void LockDesk::Later(milliseconds time, std::function<void()> act) {
  const std::lock_guard guard(mutex_);
  plans_.push_back({std::chrono::steady_clock::now() + time, std::move(act)});
  is_changed_ = true;
  changed_.notify_one();
}

// --- those who wait ---------------------------------------------------------

void LockDesk::Try(std::function<int()> attempt, Asker asker) {
  const int error = attempt();
  if (error != EAGAIN || !asker.waits) {
    asker.answer(error);
    return;
  }
  const std::lock_guard guard(mutex_);
  waiters_.push_back(
      {.attempt = std::move(attempt), .asker = std::move(asker)});
  // It may have been let go since.
  is_changed_ = true;
  changed_.notify_one();
}

void LockDesk::Changed() {
  const std::lock_guard guard(mutex_);
  is_changed_ = true;
  changed_.notify_one();
}

void LockDesk::Round() {
  // Answered without the lock: an answer may come back to us.
  std::vector<std::pair<Waiter, int>> done;
  {
    const std::lock_guard guard(mutex_);
    is_changed_ = false;
    for (auto it = waiters_.begin(); it != waiters_.end();) {
      const int error = it->asker.interrupted() ? EINTR : it->attempt();
      if (error == EAGAIN) {
        ++it;
        continue;
      }
      done.emplace_back(std::move(*it), error);
      it = waiters_.erase(it);
    }
  }
  for (const auto& [waiter, error] : done) waiter.asker.answer(error);
}

void LockDesk::ActOnPlans() {
  std::list<Plan> due;
  {
    const std::lock_guard guard(mutex_);
    const auto now = std::chrono::steady_clock::now();
    for (auto it = plans_.begin(); it != plans_.end();) {
      const auto next = std::next(it);
      if (it->due <= now) due.splice(due.end(), plans_, it);
      it = next;
    }
  }
  for (const Plan& plan : due) plan.act();
}

void LockDesk::Serve(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      const auto awake = [this] { return is_changed_; };
      if (waiters_.empty() && plans_.empty()) {
        changed_.wait(lock, stop, awake);
      } else {
        changed_.wait_for(lock, stop, kLook, awake);
      }
    }
    ActOnPlans();
    Round();
  }
}

}  // namespace locklab::faultfs
