// Locks in bad company: threads that share an object, a janitor who sweeps lock
// files away, files that vanish between two looks.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "lib/lock_file.h"
#include "lib/os/forwarding_os.h"

namespace lockfile {
namespace {

using namespace std::chrono_literals;

class BadCompanyTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* base = std::getenv("TEST_TMPDIR");  // NOLINT: one thread
    dir_ = std::string(base != nullptr ? base : "/tmp") + "/bad_company_XXXXXX";
    ASSERT_NE(mkdtemp(dir_.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  [[nodiscard]] std::string Path() const { return dir_ + "/x"; }
  // A process takes the lock and ends without giving it back.
  void LeaveToTheDead(const Options& options) {
    const pid_t pid = fork();
    if (pid == 0) {
      (new LockFile(Path(), options))->acquire(0s);
      _exit(0);
    }
    ASSERT_EQ(waitpid(pid, nullptr, 0), pid);
  }

  std::string dir_;
};

TEST_F(BadCompanyTest, OneOfManyReleasesCounts) {
  LockFile lock(Path(), {.threaded = false});
  for (int round = 0; round < 200; ++round) {
    lock.acquire();
    std::atomic<int> released{0};
    const auto release = [&] {
      std::error_code error;
      lock.release(error);
      if (!error) ++released;
    };
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < 3; ++i) threads.emplace_back(release);
    }
    ASSERT_EQ(released, 1) << "in round " << round;
  }
  LockFile other(Path());
  other.acquire(0s);
}

// Several threads of a process share one hold and pass it on; nobody else is
// let in, and the object stays usable.
TEST_F(BadCompanyTest, SharedObjectSurvivesLossAndConcurrentUse) {
  LockFile lock(Path(), {.backend = "link", .threaded = false});
  LockFile breaker(Path(), {.backend = "link"});
  std::atomic<bool> done{false};
  std::atomic<int> lost{0};
  const auto use = [&] {
    std::error_code error;
    while (!done) {
      lock.acquire(10ms, error);
      (void)lock.i_am_locking(error);
      lock.release(error);
      if (error == Errc::kLockLost) ++lost;
    }
  };
  {
    const std::jthread one(use);
    const std::jthread two(use);
    std::error_code error;
    const auto patience = std::chrono::steady_clock::now() + 20s;
    while (lost < 20 && std::chrono::steady_clock::now() < patience) {
      breaker.break_lock(error);
    }
    done = true;
  }
  std::error_code error;
  lock.release(error);
  LockFile other(Path(), {.backend = "link"});
  other.acquire(20s, error);
  EXPECT_FALSE(error) << other.last_error_message();
  EXPECT_GE(lost, 20);
}

TEST_F(BadCompanyTest, LookingGoesOnWhileTheDefaultChooses) {
  MkdirLockFile peer(Path());
  LockFile lock(Path());
  const std::string& path = lock.lock_path();
  std::atomic<bool> done{false};
  std::jthread looker([&] {
    while (!done) {
      (void)lock.is_locked();
      (void)lock.backend();
    }
  });
  peer.acquire();
  EXPECT_THROW(lock.acquire(0s), AlreadyLocked);
  EXPECT_EQ(path, Path() + ".lock");
  done = true;
}

TEST_F(BadCompanyTest, DefaultFollowsWhatItsPeersUse) {
  LockFile lock(Path());
  {
    MkdirLockFile peer(Path());
    peer.acquire();
    EXPECT_THROW(lock.acquire(0s), AlreadyLocked);
  }
  const pid_t pid = fork();
  if (pid == 0) {
    (new LinkLockFile(Path()))->acquire();
    _exit(0);
  }
  ASSERT_EQ(waitpid(pid, nullptr, 0), pid);
  lock.acquire(0s);
  EXPECT_TRUE(lock.i_am_locking());
}

// The lock is released just when it is found that it cannot be read.
class VanishingOs final : public os::ForwardingOs {
 public:
  explicit VanishingOs(std::string lock_path) : path_(std::move(lock_path)) {}

 protected:
  os::SysResult Around(const os::Call& call,
                       const std::function<os::SysResult()>& next) override {
    const bool reads = call.name == "Open" || call.name == "ListDir";
    if (!reads || call.path != path_) return next();
    std::filesystem::remove_all(path_);
    return os::SysResult::Fail(EACCES);
  }

 private:
  const std::string path_;
};

TEST_F(BadCompanyTest, UnreadableLockThatVanishesIsFree) {
  for (const char* backend : {"link", "excl", "mkdir"}) {
    LockFile holder(Path(), {.backend = backend});
    holder.acquire();
    VanishingOs os(Path() + ".lock");
    LockFile lock(Path(), {.backend = backend, .os = &os});
    std::error_code error;
    EXPECT_FALSE(lock.is_locked(error)) << backend;
    EXPECT_FALSE(error) << backend << ": " << lock.last_error_message();
    EXPECT_THROW(holder.release(), LockLost);
  }
}

// A deadline is by the clock of the seam, like everything else.
class LateClock final : public os::ForwardingOs {
 public:
  explicit LateClock(os::Clock::duration late) : late_(late) {}
  os::TimePoint Now() override { return os::Clock::now() - late_; }

 private:
  const os::Clock::duration late_;
};

TEST_F(BadCompanyTest, TimeoutIsByTheClockOfTheSeam) {
  LockFile holder(Path());
  holder.acquire();
  // Also where it stands before its own zero, which most have at their boot.
  for (const os::Clock::duration late :
       {os::Clock::duration(1ns), os::Clock::duration(1s),
        os::Clock::duration(24'000h)}) {
    LateClock os(late);
    int asked = 0;
    const auto enough = [&] { return ++asked == 100'000; };
    LockFile lock(Path(), {.cancelled = enough, .os = &os});
    std::error_code error;
    lock.acquire(1ms, error);
    EXPECT_EQ(error, Errc::kLockTimeout) << lock.last_error_message();
  }
}

TEST_F(BadCompanyTest, DatabaseThatIsSweptAwayIsMadeAgain) {
  SqliteLockFile lock(Path());
  for (int i = 0; i < 50 && !HasFailure(); ++i) {
    std::jthread janitor([&] {
      std::this_thread::sleep_for(i * 80us);
      unlink((Path() + ".lock.db").c_str());
    });
    std::error_code error;
    lock.acquire(20s, error);
    EXPECT_FALSE(error) << lock.last_error_message();
    janitor.join();
    lock.release(error);
    EXPECT_TRUE(!error || error == Errc::kLockLost)
        << lock.last_error_message();
  }
}

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

TEST_F(BadCompanyTest, RecordsThatAreReadWhileTheyAreRemovedAreNoTrouble) {
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
    const bool second = !name.starts_with("x.lock.") && name.size() < 64 &&
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

TEST_F(BadCompanyTest, DirectoryInUseIsALockThatIsHeld) {
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

TEST_F(BadCompanyTest, NobodyWaitsInAKernelThatDoesNotWake) {
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
  os::SysResult Lstat(const char* path, os::FileInfo* info) override {
    return os::ForwardingOs::Lstat(Seen(path), info);
  }
  os::SysResult ReadLink(const char* path, char* buffer, size_t size) override {
    return os::ForwardingOs::ReadLink(Seen(path), buffer, size);
  }

 private:
  const char* Seen(const char* path) const {
    return path == path_ ? old_.c_str() : path;
  }

  const std::string path_;
  const std::string old_;
};

// It sees the lock of a dead holder, which is gone, and another's is there.
TEST_F(BadCompanyTest, SuccessorIsSafeFromWhoSeesADeadHolderLong) {
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
TEST_F(BadCompanyTest, DeadHolderWithoutATicketIsBrokenOnANetworkToo) {
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
  void Close() { pending_ = false; }

 private:
  std::atomic<bool> pending_{true};
};

TEST_F(BadCompanyTest, RemovedLockThatSomebodyHasOpenIsHeld) {
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
    std::jthread closes([&os] { os.Close(); });
    lock.acquire(20s, error);
    EXPECT_FALSE(error) << backend << ": " << lock.last_error_message();
  }
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

TEST_F(BadCompanyTest, NobodyWaitsForLongInAKernelThatLooksSeldom) {
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

TEST_F(BadCompanyTest, LockIsReadByItsOtherName) {
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

TEST_F(BadCompanyTest, FlockThatNeedsTheRightToWriteCanBeAskedFor) {
  NfsOs os;
  LockFile lock(Path(), {.backend = "flock", .os = &os});
  lock.acquire(0s);
  lock.release();
  EXPECT_FALSE(lock.is_locked());
  std::error_code error;
  lock.release(error);
  EXPECT_EQ(error, Errc::kNotLocked) << lock.last_error_message();
}

// A filesystem whose disk may have less than its memory, wherever the test is.
class DiskOs final : public os::ForwardingOs {
 public:
  os::SysResult FilesystemType(const char*) override {
    return os::SysResult::Ok(0xEF53);
  }
};

class PowerLossTest : public BadCompanyTest,
                      public testing::WithParamInterface<const char*> {
 protected:
  Options MakeOptions() { return {.backend = GetParam(), .os = &os_}; }

  void DieHolding() { LeaveToTheDead(MakeOptions()); }
  // The names of the files had reached the disk, and nothing else.
  void LoseTexts() {
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(dir_)) {
      if (!entry.is_regular_file()) continue;
      std::filesystem::resize_file(entry.path(), 0);
    }
  }
  // The name of the dead holder's ticket.
  std::string DeadTicket() {
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(dir_)) {
      std::string name = entry.path().filename();
      if (name.starts_with("x.")) name.erase(0, 2);
      if (name.starts_with("lock.")) name.erase(0, 5);
      if (name.size() > 64) return name;
    }
    return "none";
  }

  DiskOs os_;
};

TEST_P(PowerLossTest, LockOfADeadHolderIsHadAgain) {
  DieHolding();
  LoseTexts();
  LockFile lock(Path(), MakeOptions());
  LockFile other(Path(), MakeOptions());
  std::error_code error;
  lock.acquire(20s, error);
  ASSERT_FALSE(error) << lock.last_error_message();
  EXPECT_TRUE(lock.i_am_locking());
  EXPECT_THROW(other.acquire(0s), AlreadyLocked);
  lock.release();
  EXPECT_TRUE(std::filesystem::is_empty(dir_));
}

TEST_P(PowerLossTest, EmptyLockOfALivingHolderIsLeftAlone) {
  LockFile holder(Path(), MakeOptions());
  holder.acquire(0s);
  LoseTexts();
  LockFile other(Path(), MakeOptions());
  std::error_code error;
  other.acquire(100ms, error);
  EXPECT_EQ(error, Errc::kLockTimeout) << other.last_error_message();
}

TEST_P(PowerLossTest, GuardOfADeadBreakerIsCleared) {
  DieHolding();
  const std::string guard =
      LockFile(Path(), MakeOptions()).lock_path() + ".break";
  std::filesystem::create_directory(guard);
  std::ofstream(guard + "/" + DeadTicket()).flush();
  LockFile lock(Path(), MakeOptions());
  std::error_code error;
  lock.acquire(20s, error);
  EXPECT_FALSE(error) << lock.last_error_message();
}

INSTANTIATE_TEST_SUITE_P(Soft, PowerLossTest,
                         testing::Values("link", "mkdir", "pid"),
                         [](const auto& info) { return info.param; });

// That somebody has died says nothing of a file that others have made.
TEST_F(BadCompanyTest, EmptyFileOfAnotherProgramIsLeftAlone) {
  DiskOs os;
  for (const char* backend : {"link", "pid"}) {
    const Options options{.backend = backend, .os = &os};
    LeaveToTheDead(options);
    LockFile lock(Path(), options);
    // Not removed first: it would be made with the inode of the dead one's.
    std::ofstream(Path() + ".new").flush();
    std::filesystem::rename(Path() + ".new", lock.lock_path());
    std::error_code error;
    lock.acquire(100ms, error);
    EXPECT_EQ(error, Errc::kLockTimeout) << lock.last_error_message();
    std::filesystem::remove(lock.lock_path());
  }
}

}  // namespace
}  // namespace lockfile
