// Locks on network filesystems, whose clients do what no disk of this host
// does.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <thread>

#include "lib/lock_file.h"
#include "lib/os/forwarding_os.h"
#include "lib/testing/lock_test.h"

namespace lockfile {
namespace {

using namespace std::chrono_literals;
using NetworkTest = LockTest;

// NFS where somebody on this host always has the file open: what is removed
// stays as .nfs until that is closed, which cannot be removed itself. It makes
// a record lock of flock, which needs a descriptor that may write.
class NfsOs final : public os::ForwardingOs {
 public:
  os::SysResult FilesystemType(const char*) override {
    return os::SysResult::Ok(0x6969);
  }
  os::SysResult TryLock(int fd, os::KernelLock kind) override {
    const bool reads = (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
    if (reads) return os::SysResult::Fail(EBADF);
    return os::ForwardingOs::TryLock(fd, kind);
  }
  os::SysResult Unlink(const char* path) override {
    const std::string name = path;
    if (name.find("/.nfs") != std::string::npos) {
      return os::SysResult::Fail(EBUSY);
    }
    const std::string silly =
        name.substr(0, name.rfind('/')) + "/.nfs" + std::to_string(++removed_);
    return os::ForwardingOs::Rename(path, silly.c_str());
  }
  os::SysResult Rename(const char* from, const char* to) override {
    if (std::string_view(from).find("/.nfs") != std::string_view::npos) {
      return os::SysResult::Fail(EBUSY);
    }
    return os::ForwardingOs::Rename(from, to);
  }

 private:
  int removed_ = 0;
};

TEST_F(NetworkTest, RecordsThatAreReadWhileTheyAreRemovedAreNoTrouble) {
  NfsOs os;
  for (const char* backend : {"link", "mkdir", "symlink", "pid", "excl"}) {
    LockFile lock(Path(), {.backend = backend, .os = &os});
    for (int round = 0; round < 2; ++round) {
      lock.acquire(0s);
      lock.release();
      EXPECT_FALSE(lock.is_locked()) << backend;
    }
    // A dead holder's: it is broken by who comes next.
    LeaveToTheDead({.backend = backend, .os = &os});
    lock.acquire(0s);
    EXPECT_TRUE(lock.i_am_locking()) << backend;
    lock.release();
  }
}

// SMB, which says EACCES for a directory that is in use, and EINVAL for a file
// that is open under another of its names. Its client in Linux does not wake
// who waits in the kernel for a lock.
class SmbOs final : public os::ForwardingOs {
 public:
  os::SysResult FilesystemType(const char*) override {
    return os::SysResult::Ok(0xFE534D42);
  }
  os::SysResult RenameNoReplace(const char* from, const char* to) override {
    const os::SysResult done = os::ForwardingOs::RenameNoReplace(from, to);
    const bool busy = !done.ok() || ++renamed_ % 2 == 0;
    return busy ? os::SysResult::Fail(EACCES) : done;
  }
  os::SysResult Open(const char* path, int flags, mode_t mode) override {
    struct stat info {};
    const std::string name = std::filesystem::path(path).filename();
    const bool ticket = name.size() > 64 && !name.ends_with(".copy");
    const bool second = !ticket && !name.starts_with("x.lock.break") &&
                        stat(path, &info) == 0 && info.st_nlink > 1;
    if (second) return os::SysResult::Fail(EINVAL);
    return os::ForwardingOs::Open(path, flags, mode);
  }
  os::SysResult WaitLock(int, os::KernelLock, os::TimePoint deadline) override {
    asleep_ = true;
    std::this_thread::sleep_until(deadline);
    return os::SysResult::Fail(ETIMEDOUT);
  }
  [[nodiscard]] bool asleep() const { return asleep_; }

 private:
  int renamed_ = 0;
  std::atomic<bool> asleep_{false};
};

TEST_F(NetworkTest, DirectoryInUseIsALockThatIsHeld) {
  SmbOs os;
  LockFile lock(Path(), {.backend = "mkdir", .os = &os});
  LockFile other(Path(), {.backend = "mkdir", .os = &os});
  for (int round = 0; round < 4; ++round) {
    lock.acquire(0s);
    std::error_code error;
    other.acquire(0s, error);
    EXPECT_EQ(error, Errc::kAlreadyLocked) << other.last_error_message();
    other.acquire(5ms, error);
    EXPECT_EQ(error, Errc::kLockTimeout) << other.last_error_message();
    lock.release();
  }
}

TEST_F(NetworkTest, NobodyWaitsInAKernelThatDoesNotWake) {
  for (const char* backend : {"flock", "ofd"}) {
    SmbOs os;
    LockFile holder(Path(), {.backend = backend, .os = &os});
    LockFile waiter(Path(), {.backend = backend, .os = &os});
    holder.acquire(0s);
    std::atomic<bool> got{false};
    std::jthread waits([&] {
      waiter.acquire(20s);
      got = true;
      waiter.release();
    });
    std::this_thread::sleep_for(20ms);
    EXPECT_FALSE(got) << backend;
    holder.release();
    waits.join();
    EXPECT_TRUE(got) << backend;
    EXPECT_FALSE(os.asleep()) << backend;
  }
}

// A client of a network filesystem that shows by the lock's name what was
// there: it has it in a cache, or still open.
class StaleOs : public os::ForwardingOs {
 public:
  StaleOs(std::string path, std::string old)
      : path_(std::move(path)), old_(std::move(old)) {}
  os::SysResult FilesystemType(const char*) override {
    return os::SysResult::Ok(0x6969);
  }
  os::SysResult Open(const char* path, int flags, mode_t mode) override {
    return os::ForwardingOs::Open(Seen(path), flags, mode);
  }
  // The old lock and what is there now have one number, time and size, as they
  // may well have within one tick of the server's clock.
  os::SysResult Lstat(const char* path, os::FileInfo* info) override {
    const os::SysResult got = os::ForwardingOs::Lstat(Seen(path), info);
    const std::string_view name(path);
    if (name == path_ || name.ends_with(".copy")) MakeTwin(info);
    return got;
  }
  os::SysResult Fstat(int fd, os::FileInfo* info) override {
    const os::SysResult got = os::ForwardingOs::Fstat(fd, info);
    const std::string name = "/proc/self/fd/" + std::to_string(fd);
    if (std::filesystem::read_symlink(name) == old_) MakeTwin(info);
    return got;
  }
  os::SysResult ReadLink(const char* path, char* buffer, size_t size) override {
    return os::ForwardingOs::ReadLink(Seen(path), buffer, size);
  }

 private:
  const char* Seen(const char* path) const {
    return path == path_ ? old_.c_str() : path;
  }
  static void MakeTwin(os::FileInfo* info) {
    info->ino = 1;
    info->mtime_ns = 1;
    info->size = 1;
  }

  const std::string path_;
  const std::string old_;
};

// It sees the lock of a dead holder, which is gone, and another's is there.
TEST_F(NetworkTest, SuccessorIsSafeFromWhoSeesADeadHolderLong) {
  for (const char* backend : {"link", "symlink", "pid", "excl"}) {
    const Options options{.backend = backend};
    const pid_t pid = fork();
    if (pid == 0) {
      LockFile lock(Path(), options);
      lock.acquire(0s);
      // Its old self, by another name.
      const int linked =
          link(lock.lock_path().c_str(), (dir_ + "/old").c_str());
      lock.release();
      _exit(linked == 0 ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_EQ(status, 0) << backend;
    LockFile successor(Path(), options);
    successor.acquire(0s);
    StaleOs os(successor.lock_path(), dir_ + "/old");
    LockFile late(Path(), {.backend = backend, .os = &os});
    std::error_code error;
    late.acquire(50ms, error);
    EXPECT_EQ(error, Errc::kLockTimeout)
        << backend << ": " << late.last_error_message();
    EXPECT_TRUE(successor.i_am_locking()) << backend;
    successor.release(error);
    EXPECT_FALSE(error) << backend << ": " << successor.last_error_message();
    std::filesystem::remove(dir_ + "/old");
  }
}

// One that died between the two steps of its release has no ticket any more.
TEST_F(NetworkTest, DeadHolderWithoutATicketIsBrokenOnANetworkToo) {
  NfsOs os;
  for (const char* backend : {"link", "symlink", "pid", "excl"}) {
    const Options options{.backend = backend, .os = &os};
    LeaveToTheDead(options);
    LockFile lock(Path(), options);
    int tickets = 0;
    for (const auto& entry : std::filesystem::directory_iterator(dir_)) {
      if (entry.path() == lock.lock_path()) continue;
      std::filesystem::remove(entry.path());
      ++tickets;
    }
    EXPECT_EQ(tickets, 1) << backend;
    std::error_code error;
    lock.acquire(20s, error);
    ASSERT_FALSE(error) << backend << ": " << lock.last_error_message();
    lock.release();
    for (const auto& entry : std::filesystem::directory_iterator(dir_)) {
      // As NfsOs keeps what was removed.
      EXPECT_TRUE(entry.path().filename().string().starts_with(".nfs"))
          << backend << " leaves " << entry.path();
      std::filesystem::remove(entry.path());
    }
  }
}

// A file that was removed while somebody had it open, on SMB: its name is
// there, and neither to be opened nor to be made anew, until that is closed.
class DeletePendingOs final : public os::ForwardingOs {
 public:
  os::SysResult Open(const char* path, int flags, mode_t mode) override {
    if (!pending_ || !std::string_view(path).ends_with("/x.lock")) {
      return os::ForwardingOs::Open(path, flags, mode);
    }
    return os::SysResult::Fail((flags & O_CREAT) != 0 ? EEXIST : ENOENT);
  }
  void LetGo() { pending_ = false; }

 private:
  std::atomic<bool> pending_{true};
};

TEST_F(NetworkTest, RemovedLockThatSomebodyHasOpenIsHeld) {
  for (const char* backend : {"flock", "fcntl", "ofd"}) {
    DeletePendingOs os;
    LockFile lock(Path(), {.backend = backend, .os = &os});
    std::error_code error;
    lock.acquire(0s, error);
    EXPECT_EQ(error, Errc::kAlreadyLocked)
        << backend << ": " << lock.last_error_message();
    lock.acquire(5ms, error);
    EXPECT_EQ(error, Errc::kLockTimeout)
        << backend << ": " << lock.last_error_message();
    std::jthread closes([&os] { os.LetGo(); });
    lock.acquire(20s, error);
    EXPECT_FALSE(error) << backend << ": " << lock.last_error_message();
  }
}

// SMB's client of Linux 6.1: the server gives a lock that another descriptor of
// this client holds, and then the client refuses it; what the server has given
// is asked for in vain until the descriptor is closed.
class TwiceAskedOs final : public os::ForwardingOs {
 public:
  os::SysResult FilesystemType(const char*) override {
    return os::SysResult::Ok(0xFE534D42);
  }
  os::SysResult TryLock(int fd, os::KernelLock kind) override {
    if (given_.contains(fd)) return os::SysResult::Fail(EAGAIN);
    const os::SysResult got = os::ForwardingOs::TryLock(fd, kind);
    if (got.ok()) return got;
    given_.insert(fd);
    refused_ = true;
    return got;
  }
  os::SysResult Close(int fd) override {
    given_.erase(fd);
    return os::ForwardingOs::Close(fd);
  }
  [[nodiscard]] bool refused() const { return refused_; }

 private:
  std::set<int> given_;
  std::atomic<bool> refused_{false};
};

TEST_F(NetworkTest, FlockThatTheServerGaveAndTheClientRefusedIsHadLater) {
  TwiceAskedOs os;
  LockFile holder(Path(), {.backend = "flock"});
  LockFile waiter(Path(), {.backend = "flock", .os = &os});
  holder.acquire(0s);
  std::error_code error;
  {
    std::jthread waits([&] { waiter.acquire(20s, error); });
    while (!os.refused()) std::this_thread::sleep_for(1ms);
    holder.release();
  }
  EXPECT_FALSE(error) << waiter.last_error_message();
}

// NFSv4.0, whose client looks now and then whether a lock is free, and ever
// more seldom.
class SeldomOs final : public os::ForwardingOs {
 public:
  os::SysResult FilesystemType(const char*) override {
    return os::SysResult::Ok(0x6969);
  }
  os::SysResult WaitLock(int, os::KernelLock, os::TimePoint deadline) override {
    std::this_thread::sleep_until(deadline);
    return os::SysResult::Fail(ETIMEDOUT);
  }
};

TEST_F(NetworkTest, NobodyWaitsForLongInAKernelThatLooksSeldom) {
  for (const char* backend : {"flock", "ofd"}) {
    SeldomOs os;
    LockFile holder(Path(), {.backend = backend, .os = &os});
    LockFile waiter(Path(), {.backend = backend, .os = &os});
    holder.acquire(0s);
    std::jthread waits([&] {
      waiter.acquire(60s);
      waiter.release();
    });
    std::this_thread::sleep_for(20ms);
    const auto released = std::chrono::steady_clock::now();
    holder.release();
    waits.join();
    EXPECT_LT(std::chrono::steady_clock::now() - released, 30s) << backend;
  }
}

TEST_F(NetworkTest, LockIsReadByItsOtherName) {
  SmbOs os;
  for (const char* backend : {"link", "pid"}) {
    const Options options{.backend = backend, .os = &os};
    LockFile holder(Path(), options);
    LockFile other(Path(), options);
    holder.acquire(0s);
    const auto owner = other.owner();
    ASSERT_TRUE(owner.has_value()) << backend;
    EXPECT_EQ(owner->pid, getpid()) << backend;
    EXPECT_THROW(other.acquire(0s), AlreadyLocked) << backend;
    holder.release();
    LeaveToTheDead(options);
    other.acquire(0s);
    EXPECT_TRUE(other.i_am_locking()) << backend;
  }
}

// Nobody can read its lock, and its number tells whose it is.
TEST_F(NetworkTest, SuccessorThatIsOpenByItsOtherNameIsNotOurs) {
  SmbOs os;
  for (const char* backend : {"link", "pid"}) {
    LockFile holder(Path(), {.backend = backend, .os = &os});
    LockFile successor(Path(), {.backend = backend, .os = &os});
    holder.acquire(0s);
    // Its inode number is not to be used again.
    const std::string kept = dir_ + "/kept";
    ASSERT_EQ(link(holder.lock_path().c_str(), kept.c_str()), 0);
    successor.break_lock();
    successor.acquire(0s);
    std::error_code error;
    EXPECT_FALSE(holder.i_am_locking(error)) << backend;
    EXPECT_FALSE(error) << backend << ": " << holder.last_error_message();
    holder.release(error);
    EXPECT_EQ(error, Errc::kLockLost) << backend;
    EXPECT_TRUE(successor.i_am_locking()) << backend;
    successor.release();
    std::filesystem::remove(kept);
  }
}

TEST_F(NetworkTest, FlockThatNeedsTheRightToWriteCanBeAskedFor) {
  NfsOs os;
  LockFile lock(Path(), {.backend = "flock", .os = &os});
  lock.acquire(0s);
  lock.release();
  EXPECT_FALSE(lock.is_locked());
  std::error_code error;
  lock.release(error);
  EXPECT_EQ(error, Errc::kNotLocked) << lock.last_error_message();
}

// A client that gives each name of a file an inode number of its own, from some
// moment on: SMB's without the server's numbers, which it stops to use when it
// meets one twice.
class NumberlessOs : public os::ForwardingOs {
 public:
  os::SysResult FilesystemType(const char*) override {
    return os::SysResult::Ok(0xFE534D42);
  }
  os::SysResult Lstat(const char* path, os::FileInfo* info) override {
    const os::SysResult got = os::ForwardingOs::Lstat(path, info);
    if (got.ok()) Number(path, info);
    return got;
  }
  os::SysResult Fstat(int fd, os::FileInfo* info) override {
    const os::SysResult got = os::ForwardingOs::Fstat(fd, info);
    const std::string name = "/proc/self/fd/" + std::to_string(fd);
    if (got.ok()) Number(std::filesystem::read_symlink(name), info);
    return got;
  }
  void LoseNumbers() { lost_ = true; }

 private:
  void Number(const std::string& path, os::FileInfo* info) const {
    if (lost_) info->ino = std::hash<std::string>{}(path);
  }

  bool lost_ = false;
};

TEST_F(NetworkTest, LockIsKnownWithoutInodeNumbers) {
  for (const char* backend : {"link", "pid"}) {
    NumberlessOs os;
    os.LoseNumbers();
    const Options options{.backend = backend, .os = &os};
    LockFile lock(Path(), options);
    LockFile other(Path(), options);
    std::error_code error;
    for (int round = 0; round < 2; ++round) {
      lock.acquire(0s, error);
      ASSERT_FALSE(error) << backend << ": " << lock.last_error_message();
      EXPECT_TRUE(lock.i_am_locking()) << backend;
      EXPECT_THROW(other.acquire(0s), AlreadyLocked) << backend;
      lock.release(error);
      EXPECT_FALSE(error) << backend << ": " << lock.last_error_message();
      EXPECT_TRUE(std::filesystem::is_empty(dir_)) << backend;
    }
    lock.acquire(0s);
    other.break_lock();
    other.acquire(0s);
    EXPECT_FALSE(lock.i_am_locking()) << backend;
    EXPECT_THROW(lock.release(), LockLost) << backend;
    EXPECT_TRUE(other.i_am_locking()) << backend;
    other.release();
    EXPECT_TRUE(std::filesystem::is_empty(dir_)) << backend;
  }
}

TEST_F(NetworkTest, LockIsKeptWhenInodeNumbersGo) {
  for (const char* backend : {"link", "pid"}) {
    NumberlessOs os;
    LockFile lock(Path(), {.backend = backend, .os = &os});
    lock.acquire(0s);
    os.LoseNumbers();
    EXPECT_TRUE(lock.i_am_locking()) << backend;
    std::error_code error;
    lock.release(error);
    EXPECT_FALSE(error) << backend << ": " << lock.last_error_message();
    EXPECT_TRUE(std::filesystem::is_empty(dir_)) << backend;
  }
}

// Whose process has no descriptor left for a while.
class StarvedOs final : public NumberlessOs {
 public:
  os::SysResult Open(const char* path, int flags, mode_t mode) override {
    if (starved_) return os::SysResult::Fail(EMFILE);
    return NumberlessOs::Open(path, flags, mode);
  }
  void Starve(bool starved) { starved_ = starved; }

 private:
  bool starved_ = false;
};

TEST_F(NetworkTest, LockThatCannotBeReadNowIsNotLost) {
  for (const char* backend : {"link", "pid"}) {
    StarvedOs os;
    os.LoseNumbers();
    LockFile lock(Path(), {.backend = backend, .os = &os});
    lock.acquire(0s);
    os.Starve(true);
    std::error_code error;
    lock.release(error);
    EXPECT_TRUE(error) << backend;
    EXPECT_NE(error, Errc::kLockLost) << backend;
    os.Starve(false);
    EXPECT_TRUE(lock.i_am_locking()) << backend;
    lock.release(error);
    EXPECT_FALSE(error) << backend << ": " << lock.last_error_message();
    EXPECT_TRUE(std::filesystem::is_empty(dir_)) << backend;
  }
}

// Also of one that died between the two steps of its release, without a ticket.
TEST_F(NetworkTest, DeadHolderIsBrokenWithoutInodeNumbers) {
  for (const bool ticket : {true, false}) {
    for (const char* backend : {"link", "pid", "excl"}) {
      NumberlessOs os;
      os.LoseNumbers();
      const Options options{.backend = backend, .os = &os};
      LeaveToTheDead(options);
      LockFile lock(Path(), options);
      for (const auto& entry : std::filesystem::directory_iterator(dir_)) {
        const bool keep = ticket || entry.path() == lock.lock_path();
        if (!keep) std::filesystem::remove(entry.path());
      }
      std::error_code error;
      lock.acquire(20s, error);
      ASSERT_FALSE(error) << backend << ": " << lock.last_error_message();
      lock.release();
      EXPECT_TRUE(std::filesystem::is_empty(dir_)) << backend;
    }
  }
}

}  // namespace
}  // namespace lockfile
