// Locks in bad company: threads that share an object, a janitor who sweeps lock
// files away, files that vanish between two looks.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "lib/backends/backend.h"
#include "lib/backends/naming.h"
#include "lib/lock_file.h"
#include "lib/os/forwarding_os.h"
#include "lib/testing/lock_test.h"

namespace lockfile {
namespace {

using namespace std::chrono_literals;

using BadCompanyTest = LockTest;

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

// Whose close of the lock's file fails, after others have come in between.
class FailingCloseOs final : public os::ForwardingOs {
 public:
  FailingCloseOs(std::string path, std::function<void()> before)
      : path_(std::move(path)), before_(std::move(before)) {}
  os::SysResult Open(const char* path, int flags, mode_t mode) override {
    const os::SysResult opened = os::ForwardingOs::Open(path, flags, mode);
    if (opened.ok() && path == path_ && (flags & O_CREAT) != 0) {
      fd_ = static_cast<int>(opened.value);
    }
    return opened;
  }
  os::SysResult Close(int fd) override {
    const os::SysResult closed = os::ForwardingOs::Close(fd);
    if (fd != fd_) return closed;
    fd_ = -1;
    before_();
    return os::SysResult::Fail(EIO);
  }

 private:
  const std::string path_;
  const std::function<void()> before_;
  int fd_ = -1;
};

TEST_F(BadCompanyTest, SuccessorIsSafeFromWhoCannotMakeTheLock) {
  LockFile successor(Path(), {.backend = "excl"});
  FailingCloseOs os(successor.lock_path(), [&successor] {
    successor.break_lock();
    successor.acquire(0s);
  });
  LockFile unlucky(Path(), {.backend = "excl", .os = &os});
  std::error_code error;
  unlucky.acquire(0s, error);
  EXPECT_TRUE(error);
  EXPECT_TRUE(successor.i_am_locking());
  successor.release(error);
  EXPECT_FALSE(error) << successor.last_error_message();
  EXPECT_TRUE(std::filesystem::is_empty(dir_));
}

// What a breaker that died took away from a holder that lives.
TEST_F(BadCompanyTest, TicketOfABreakThatEndedEarlyIsCleared) {
  for (const char* backend : {"link", "symlink", "pid", "excl", "mkdir"}) {
    Owner me;
    ASSERT_TRUE(MakeOwner(os::Os::Real(), &me).ok());
    LockFile lock(Path(), {.backend = backend});
    std::ofstream(LockNames(lock.lock_path()).Broken(TicketName(me))).flush();
    EXPECT_FALSE(std::filesystem::is_empty(dir_)) << backend;
    lock.acquire(0s);
    lock.release();
    EXPECT_TRUE(std::filesystem::is_empty(dir_)) << backend;
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
