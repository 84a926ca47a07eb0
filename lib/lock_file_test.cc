// What the contract in lock_file.h says, backend by backend, in one process
// with its children.
#include "lib/lock_file.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>

namespace lockfile {
namespace {

using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<LockFile>);

class LockFileTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const char* base = std::getenv("TEST_TMPDIR");  // NOLINT: one thread
    std::string name =
        std::string(base != nullptr ? base : "/tmp") + "/lock_file_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  [[nodiscard]] Options With(Options options = {}) const {
    options.backend = GetParam();
    return options;
  }
  [[nodiscard]] std::string Path() const { return dir_ + "/x"; }
  [[nodiscard]] bool Keeps() const {
    return FindBackend(GetParam())->traits.keeps_file;
  }
  [[nodiscard]] size_t Entries() const {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator(dir_)) {
      ++count;
    }
    return count;
  }
  // Runs `child` in a forked process; true if it returned true.
  template <typename Child>
  static bool InChild(Child child) {
    const pid_t pid = fork();
    if (pid == 0) _exit(child() ? 0 : 1);
    int status = 0;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
  }

  std::string dir_;
};

TEST_P(LockFileTest, TakesAndGivesBackAndLeavesNothing) {
  LockFile lock(Path(), With());
  EXPECT_FALSE(lock.is_locked());
  for (int i = 0; i < 3; ++i) {
    lock.acquire();
    EXPECT_TRUE(lock.is_locked());
    EXPECT_TRUE(lock.i_am_locking());
    lock.release();
    EXPECT_FALSE(lock.is_locked());
    EXPECT_FALSE(lock.i_am_locking());
  }
  EXPECT_EQ(Entries(), Keeps() ? 1U : 0U);
}

TEST_P(LockFileTest, SecondObjectIsRefused) {
  LockFile lock(Path(), With());
  LockFile other(Path(), With());
  lock.acquire();
  EXPECT_THROW(other.acquire(0s), AlreadyLocked);
  EXPECT_THROW(other.acquire(-1s), AlreadyLocked);
  EXPECT_THROW(other.acquire(50ms), LockTimeout);
  EXPECT_THROW(other.release(), NotMyLock);
  EXPECT_TRUE(lock.i_am_locking());
  EXPECT_FALSE(other.i_am_locking());
  lock.release();
  EXPECT_THROW(lock.release(), NotLocked);
  other.acquire(0s);
}

TEST_P(LockFileTest, OwnerIsTheHolder) {
  LockFile lock(Path(), With());
  EXPECT_FALSE(lock.owner().has_value());
  lock.acquire();
  LockFile other(Path(), With());
  const std::optional<Owner> owner = other.owner();
  ASSERT_TRUE(owner.has_value());
  EXPECT_EQ(owner->pid, getpid());
  EXPECT_EQ(other.holder_liveness().life, Life::kAlive);
}

TEST_P(LockFileTest, DeadHolderIsReplacedAtOnce) {
  ASSERT_TRUE(InChild([&] {
    (new LockFile(Path(), With()))->acquire();
    return true;
  }));
  LockFile lock(Path(), With());
  lock.acquire(0s);
  EXPECT_TRUE(lock.i_am_locking());
  lock.release();
  EXPECT_EQ(Entries(), Keeps() ? 1U : 0U);
}

// The soft backends: what a dead holder leaves stays until it is broken.
class SoftLockFileTest : public LockFileTest {};

TEST_P(SoftLockFileTest, DeadHolderIsLeftAloneWhenSwitchedOff) {
  ASSERT_TRUE(InChild([&] {
    (new LockFile(Path(), With()))->acquire();
    return true;
  }));
  LockFile lock(Path(), With({.break_dead_holders = false}));
  EXPECT_EQ(lock.holder_liveness().life, Life::kDead);
  EXPECT_THROW(lock.acquire(0s), AlreadyLocked);
  EXPECT_TRUE(lock.break_lock());
  lock.acquire(0s);
}

TEST_P(LockFileTest, WaiterGetsItAfterRelease) {
  LockFile lock(Path(), With());
  lock.acquire();
  std::thread waiter([&] {
    LockFile other(Path(), With());
    other.acquire(60s);
    other.release();
  });
  std::this_thread::sleep_for(20ms);
  lock.release();
  waiter.join();
  EXPECT_FALSE(lock.is_locked());
}

TEST_P(LockFileTest, BrokenHolderLearnsItAndSparesTheSuccessor) {
  LockFile lock(Path(), With());
  LockFile other(Path(), With());
  lock.acquire();
  if (!FindBackend(GetParam())->traits.breakable) {
    EXPECT_THROW(other.break_lock(), Unsupported);
    EXPECT_TRUE(lock.i_am_locking());
    return;
  }
  EXPECT_TRUE(other.break_lock());
  EXPECT_FALSE(other.is_locked());
  EXPECT_FALSE(lock.i_am_locking());
  other.acquire(0s);
  EXPECT_THROW(lock.release(), LockLost);
  EXPECT_TRUE(other.i_am_locking());
  other.release();
  EXPECT_EQ(Entries(), Keeps() ? 1U : 0U);
}

TEST_P(LockFileTest, ChildOwnsNothing) {
  LockFile lock(Path(), With());
  lock.acquire();
  EXPECT_TRUE(InChild([&] {
    std::error_code error;
    lock.release(error);
    return !lock.i_am_locking() && error == Errc::kNotMyLock;
  }));
  EXPECT_TRUE(lock.i_am_locking());
  lock.release();
}

TEST_P(LockFileTest, ThreadsOfOneObjectExclude) {
  LockFile lock(Path(), With());
  int counter = 0;
  const auto work = [&] {
    for (int i = 0; i < 200; ++i) {
      const std::lock_guard guard(lock);
      ++counter;
    }
  };
  std::thread a(work);
  std::thread b(work);
  a.join();
  b.join();
  EXPECT_EQ(counter, 400);
}

TEST_P(LockFileTest, ThreadsWithOneObjectEachExclude) {
  int counter = 0;
  const auto work = [&] {
    LockFile lock(Path(), With());
    for (int i = 0; i < 200; ++i) {
      const std::lock_guard guard(lock);
      ++counter;
    }
  };
  std::thread a(work);
  std::thread b(work);
  a.join();
  b.join();
  EXPECT_EQ(counter, 400);
}

TEST_P(LockFileTest, MissingDirectoryIsAnErrorAtOnce) {
  LockFile lock(dir_ + "/missing/x", With());
  std::error_code error;
  lock.acquire(error);
  EXPECT_EQ(error, std::errc::no_such_file_or_directory)
      << lock.last_error_message();
}

TEST_P(SoftLockFileTest, ExpiredLeaseIsBrokenAndTheHolderLearnsIt) {
  LockFile lock(Path(), With({.lease = 200ms}));
  lock.acquire();
  lock.refresh();
  LockFile other(Path(), With());
  EXPECT_THROW(other.acquire(0s), AlreadyLocked);
  other.acquire(60s);
  EXPECT_FALSE(lock.i_am_locking());
  EXPECT_THROW(lock.release(), LockLost);
  EXPECT_TRUE(other.i_am_locking());
}

std::vector<std::string> Names(bool (*fits)(const BackendRow&)) {
  std::vector<std::string> names;
  for (const BackendRow& row : Backends()) {
    if (fits(row)) names.emplace_back(row.name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Backends, LockFileTest,
                         testing::ValuesIn(Names([](const BackendRow&) {
                           return true;
                         })),
                         [](const auto& info) { return info.param; });

INSTANTIATE_TEST_SUITE_P(Backends, SoftLockFileTest,
                         testing::ValuesIn(Names([](const BackendRow& row) {
                           return row.traits.breakable;
                         })),
                         [](const auto& info) { return info.param; });

TEST(Probe, FindsEveryBackendInTheTestDirectory) {
  const char* base = std::getenv("TEST_TMPDIR");  // NOLINT: one thread
  for (const Probe& found : probe(base != nullptr ? base : "/tmp")) {
    EXPECT_TRUE(found.supported) << found.backend->name << ": " << found.reason;
  }
}

TEST(Probe, SaysWhyNot) {
  for (const Probe& found : probe("/proc")) {
    EXPECT_FALSE(found.supported);
    EXPECT_NE(found.reason, "");
  }
}

}  // namespace
}  // namespace lockfile
