// The compliance suite of Python's lockfile 0.12.2, active and commented-out
// tests alike, as claims about every backend and both threading modes. Each
// test names the ancestor's test that it stands for. Where the ancestor's
// expectation was one of its faults, the claim here is the documented
// deviation (lib/lock_file.h), and the comment says so.

#include <chrono>
#include <mutex>
#include <string>

#include "conformance/compat/lock_fixture.h"
#include "gtest/gtest.h"
#include "lib/lock_file.h"

namespace locklab::compat {
namespace {

using lockfile::LockFile;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using namespace std::chrono_literals;  // NOLINT

class AncestorCompliance : public EveryMode {};

INSTANTIATE_TEST_SUITE_P(Backends, AncestorCompliance,
                         testing::Combine(testing::ValuesIn(AllBackends()),
                                          testing::Bool()),
                         NameOfMode);

// test_acquire_basic_(un)threaded
TEST_P(AncestorCompliance, AcquireLocksAndReleaseFrees) {
  LockFile lock(path(), options());
  lock.acquire();
  EXPECT_TRUE(lock.i_am_locking());
  EXPECT_TRUE(lock.is_locked());
  lock.release();
  EXPECT_FALSE(lock.is_locked());
}

// test_acquire_no_timeout_(un)threaded. The unthreaded one expects the second
// object to "hold" what the first one holds; here it never does.
TEST_P(AncestorCompliance, NegativeTimeoutIsRefusedWhileAnotherThreadHolds) {
  HolderThread holder(path(), options());
  LockFile lock(path(), options());
  EXPECT_TRUE(lock.is_locked());
  EXPECT_FALSE(lock.i_am_locking());
  EXPECT_THROW(lock.acquire(-1s), lockfile::AlreadyLocked);
  EXPECT_THROW(lock.acquire(0s), lockfile::AlreadyLocked);
  EXPECT_FALSE(lock.i_am_locking());
}

// test_acquire_timeout_(un)threaded
TEST_P(AncestorCompliance, PositiveTimeoutEndsWhileAnotherThreadHolds) {
  HolderThread holder(path(), options());
  LockFile lock(path(), options());
  EXPECT_TRUE(lock.is_locked());
  const auto start = steady_clock::now();
  EXPECT_THROW(lock.acquire(100ms), lockfile::LockTimeout);
  EXPECT_GE(steady_clock::now() - start, 100ms);
}

// test_context_timeout_unthreaded: the timeout given to the constructor
TEST_P(AncestorCompliance, TimeoutOfTheObjectIsTheDefaultOfAcquire) {
  HolderThread holder(path(), options());
  lockfile::Options with_timeout = options();
  with_timeout.timeout = 200ms;
  LockFile lock(path(), with_timeout);
  EXPECT_TRUE(lock.is_locked());
  const auto start = steady_clock::now();
  EXPECT_THROW(lock.acquire(), lockfile::LockTimeout);
  EXPECT_GE(steady_clock::now() - start, 200ms);
  with_timeout.timeout = 0ms;
  EXPECT_THROW(LockFile(path(), with_timeout).acquire(),
               lockfile::AlreadyLocked);
}

// test_release_basic_(un)threaded
TEST_P(AncestorCompliance, SecondReleaseIsNotLocked) {
  LockFile lock(path(), options());
  lock.acquire();
  EXPECT_TRUE(lock.is_locked());
  lock.release();
  EXPECT_FALSE(lock.is_locked());
  EXPECT_FALSE(lock.i_am_locking());
  EXPECT_THROW(lock.release(), lockfile::NotLocked);
}

// test_release_from_thread, test_release_threaded
TEST_P(AncestorCompliance, ReleaseOfAnotherThreadsLockIsRefused) {
  HolderThread holder(path(), options());
  LockFile lock(path(), options());
  EXPECT_TRUE(lock.is_locked());
  EXPECT_FALSE(lock.i_am_locking());
  EXPECT_THROW(lock.release(), lockfile::NotMyLock);
  EXPECT_TRUE(lock.is_locked());
}

// test_is_locked_(un)threaded
TEST_P(AncestorCompliance, IsLockedFollowsAcquireAndRelease) {
  LockFile lock(path(), options());
  EXPECT_FALSE(lock.is_locked());
  lock.acquire(2s);
  EXPECT_TRUE(lock.is_locked());
  lock.release();
  EXPECT_FALSE(lock.is_locked());
}

// test_i_am_locking_(un)threaded; the unthreaded one leaves open whether the
// second object holds: it does not.
TEST_P(AncestorCompliance, OnlyTheObjectThatAcquiredIsLocking) {
  LockFile first(path(), options());
  EXPECT_FALSE(first.is_locked());
  first.acquire();
  EXPECT_TRUE(first.i_am_locking());
  LockFile second(path(), options());
  EXPECT_TRUE(second.is_locked());
  EXPECT_FALSE(second.i_am_locking());
  first.release();
}

// The older test_i_am_locking: time out, break, acquire.
TEST_P(AncestorCompliance, TimeoutThenBreakThenAcquireChangesTheHolder) {
  LockFile first(path(), options());
  first.acquire();
  LockFile second(path(), options());
  EXPECT_THROW(second.acquire(20ms), lockfile::LockTimeout);
  if (!row().traits.breakable) {
    EXPECT_THROW(second.break_lock(), lockfile::Unsupported);
    EXPECT_TRUE(first.i_am_locking());
    return;
  }
  EXPECT_TRUE(second.break_lock());
  EXPECT_FALSE(second.is_locked());
  EXPECT_FALSE(first.is_locked());
  second.acquire();
  EXPECT_FALSE(first.i_am_locking());
  EXPECT_TRUE(second.i_am_locking());
  second.release();
}

// test_break_lock_(un)threaded. There the broken holder's release() is
// NotLocked; here it is told more: LockLost.
TEST_P(AncestorCompliance, BrokenHolderFindsOut) {
  LockFile lock(path(), options());
  lock.acquire();
  LockFile breaker(path(), options());
  EXPECT_TRUE(breaker.is_locked());
  if (!row().traits.breakable) {
    EXPECT_THROW(breaker.break_lock(), lockfile::Unsupported);
    EXPECT_NO_THROW(lock.release());
    return;
  }
  EXPECT_TRUE(breaker.break_lock());
  EXPECT_FALSE(breaker.is_locked());
  EXPECT_THROW(lock.release(), lockfile::LockLost);
  EXPECT_THROW(lock.release(), lockfile::NotLocked);
}

// test_enter
TEST_P(AncestorCompliance, ScopeHoldsAndFrees) {
  LockFile lock(path(), options());
  {
    std::scoped_lock guard(lock);
    EXPECT_TRUE(lock.is_locked());
  }
  EXPECT_FALSE(lock.is_locked());
}

// test_decorator
TEST_P(AncestorCompliance, WithLockRunsTheFunctionUnderTheLock) {
  LockFile other(path(), options());
  const int sum = lockfile::with_lock(
      path(),
      [&] {
        EXPECT_TRUE(other.is_locked());
        EXPECT_FALSE(other.i_am_locking());
        return 4 + 3;
      },
      options());
  EXPECT_EQ(sum, 7);
  EXPECT_FALSE(other.is_locked());
}

// test_lockfile.py: the classes by name, and the old factory names.
TEST(AncestorNames, EachClassIsItsBackend) {
  proc::TempDir dir;
  const std::string path = dir.path() + "/resource";
  EXPECT_EQ(lockfile::LinkLockFile(path).backend().name, "link");
  EXPECT_EQ(lockfile::MkdirLockFile(path).backend().name, "mkdir");
  EXPECT_EQ(lockfile::SymlinkLockFile(path).backend().name, "symlink");
  EXPECT_EQ(lockfile::PidLockFile(path).backend().name, "pid");
  EXPECT_EQ(lockfile::SqliteLockFile(path).backend().name, "sqlite");
}

TEST(AncestorNames, PlatformDefaultIsLink) {
  proc::TempDir dir;
  LockFile lock(dir.path() + "/resource");
  lock.acquire();
  EXPECT_EQ(lock.backend().name, "link");
  lock.release();
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

template <typename Lock>
class OldName : public testing::Test {};

using OldNames =
    testing::Types<lockfile::LinkFileLock, lockfile::MkdirFileLock,
                   lockfile::SQLiteFileLock, lockfile::SQLiteLockFile,
                   lockfile::PIDLockFile, lockfile::FileLock>;
TYPED_TEST_SUITE(OldName, OldNames);

TYPED_TEST(OldName, StillLocks) {
  proc::TempDir dir;
  TypeParam lock(dir.path() + "/resource");
  lock.acquire();
  EXPECT_TRUE(lock.i_am_locking());
  lock.release();
  EXPECT_FALSE(lock.is_locked());
}

#pragma GCC diagnostic pop

}  // namespace
}  // namespace locklab::compat
