// The locks as the C++ standard library uses them: BasicLockable, Lockable and
// TimedLockable, with every backend.

#include <chrono>
#include <concepts>
#include <condition_variable>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <vector>

#include "conformance/compat/lock_fixture.h"
#include "gtest/gtest.h"
#include "lib/lock_file.h"

namespace locklab::compat {
namespace {

using lockfile::LockFile;
using std::chrono::steady_clock;
using std::chrono::system_clock;
using namespace std::chrono_literals;  // NOLINT

// [thread.req.lockable]
template <typename L>
concept BasicLockable = requires(L lock) {
  { lock.lock() } -> std::same_as<void>;
  { lock.unlock() }
  noexcept->std::same_as<void>;
};
template <typename L>
concept Lockable = BasicLockable<L> && requires(L lock) {
  { lock.try_lock() } -> std::same_as<bool>;
};
template <typename L>
concept TimedLockable = Lockable<L> &&
    requires(L lock, std::chrono::milliseconds duration,
             steady_clock::time_point steady, system_clock::time_point wall) {
  { lock.try_lock_for(duration) } -> std::same_as<bool>;
  { lock.try_lock_until(steady) } -> std::same_as<bool>;
  { lock.try_lock_until(wall) } -> std::same_as<bool>;
};

template <typename... Lock>
constexpr bool AllMeetTheRequirements() {
  return (TimedLockable<Lock> && ...) &&
         (!std::is_copy_constructible_v<Lock> && ...) &&
         (!std::is_copy_assignable_v<Lock> && ...) &&
         (!std::is_move_constructible_v<Lock> && ...) &&
         (!std::is_move_assignable_v<Lock> && ...) &&
         (std::is_nothrow_destructible_v<Lock> && ...) &&
         (std::derived_from<Lock, LockFile> && ...);
}
static_assert(TimedLockable<LockFile>);
static_assert(
    AllMeetTheRequirements<lockfile::LinkLockFile, lockfile::MkdirLockFile,
                           lockfile::SymlinkLockFile, lockfile::PidLockFile,
                           lockfile::ExclLockFile, lockfile::SqliteLockFile,
                           lockfile::FlockLockFile, lockfile::FcntlLockFile,
                           lockfile::OfdLockFile>());

class CppRequirements : public EveryBackend {
 protected:
  [[nodiscard]] std::string other_path() const { return dir() + "/other"; }
};

INSTANTIATE_TEST_SUITE_P(Backends, CppRequirements,
                         testing::ValuesIn(AllBackends()), NameOfBackend);

class CppBreakable : public EveryBackend {};

INSTANTIATE_TEST_SUITE_P(Backends, CppBreakable,
                         testing::ValuesIn(BreakableBackends()), NameOfBackend);

TEST_P(CppRequirements, UniqueLockHoldsAndFrees) {
  LockFile lock(path(), options());
  {
    std::unique_lock<LockFile> guard(lock);
    EXPECT_TRUE(lock.i_am_locking());
    guard.unlock();
    EXPECT_FALSE(lock.is_locked());
    guard.lock();
    EXPECT_TRUE(lock.i_am_locking());
  }
  EXPECT_FALSE(lock.is_locked());
}

TEST_P(CppRequirements, UniqueLockTriesWithoutWaiting) {
  HolderThread holder(path(), options());
  LockFile lock(path(), options());
  std::unique_lock<LockFile> guard(lock, std::try_to_lock);
  EXPECT_FALSE(guard.owns_lock());
  holder.Leave();
  EXPECT_TRUE(guard.try_lock());
  EXPECT_TRUE(lock.i_am_locking());
}

TEST_P(CppRequirements, UniqueLockWaitsForADurationAndUntilATime) {
  HolderThread holder(path(), options());
  LockFile lock(path(), options());
  EXPECT_FALSE(std::unique_lock(lock, 20ms).owns_lock());
  EXPECT_FALSE(std::unique_lock(lock, steady_clock::now() + 20ms).owns_lock());
  EXPECT_FALSE(std::unique_lock(lock, system_clock::now() + 20ms).owns_lock());
  holder.Leave();
  EXPECT_TRUE(
      std::unique_lock(lock, steady_clock::now() + kPatience).owns_lock());
  EXPECT_FALSE(lock.is_locked());
}

TEST_P(CppRequirements, UniqueLockAdoptsWhatWasAcquired) {
  LockFile lock(path(), options());
  lock.acquire();
  { std::unique_lock<LockFile> guard(lock, std::adopt_lock); }
  EXPECT_FALSE(lock.is_locked());
}

TEST_P(CppRequirements, TryLockForReturnsFalseForATimeoutOnly) {
  HolderThread holder(path(), options());
  LockFile lock(path(), options());
  const auto start = steady_clock::now();
  EXPECT_FALSE(lock.try_lock_for(50ms));
  EXPECT_GE(steady_clock::now() - start, 50ms);
  EXPECT_FALSE(lock.try_lock_for(-1s));
  EXPECT_FALSE(lock.try_lock_until(steady_clock::time_point()));

  LockFile nowhere(dir() + "/missing/resource", options());
  EXPECT_THROW((void)nowhere.try_lock_for(kPatience), lockfile::LockFailed);
  EXPECT_THROW((void)nowhere.try_lock(), lockfile::LockFailed);
}

TEST_P(CppRequirements, TryLockForTakesExtremeDurations) {
  LockFile lock(path(), options());
  EXPECT_TRUE(lock.try_lock_for(std::chrono::hours::max()));
  lock.unlock();
  EXPECT_TRUE(lock.try_lock_for(std::chrono::nanoseconds::min()));
  lock.unlock();
  EXPECT_TRUE(lock.try_lock_for(std::chrono::duration<double>(1e300)));
  lock.unlock();
}

TEST_P(CppRequirements, LockByItsHolderIsADeadlockThatIsReported) {
  LockFile lock(path(), options());
  lock.lock();
  EXPECT_FALSE(lock.try_lock());
  try {
    lock.lock();
    FAIL() << "a second lock() came back";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), lockfile::Errc::kDeadlock);
    EXPECT_EQ(error.code(), std::errc::resource_deadlock_would_occur);
  }
  EXPECT_TRUE(lock.i_am_locking());
  lock.unlock();
  EXPECT_FALSE(lock.is_locked());
}

TEST_P(CppRequirements, ScopedLockTakesTwo) {
  LockFile first(path(), options());
  LockFile second(other_path(), options());
  {
    std::scoped_lock guard(first, second);
    EXPECT_TRUE(first.i_am_locking());
    EXPECT_TRUE(second.i_am_locking());
  }
  EXPECT_FALSE(first.is_locked());
  EXPECT_FALSE(second.is_locked());
}

// std::lock backs off when the second one is taken; two threads that name the
// locks in opposite orders would deadlock otherwise.
TEST_P(CppRequirements, StdLockDoesNotDeadlockInOppositeOrders) {
  constexpr int kRounds = 25;
  int inside = 0;
  auto run = [&](bool reverse) {
    LockFile first(path(), options());
    LockFile second(other_path(), options());
    for (int i = 0; i < kRounds; ++i) {
      reverse ? std::lock(second, first) : std::lock(first, second);
      std::lock_guard one(first, std::adopt_lock);
      std::lock_guard two(second, std::adopt_lock);
      ++inside;
    }
  };
  std::thread forward(run, false);
  std::thread backward(run, true);
  forward.join();
  backward.join();
  EXPECT_EQ(inside, 2 * kRounds);
}

TEST_P(CppRequirements, StdTryLockNamesTheOneThatIsHeld) {
  HolderThread holder(other_path(), options());
  LockFile first(path(), options());
  LockFile second(other_path(), options());
  EXPECT_EQ(std::try_lock(first, second), 1);
  EXPECT_FALSE(first.is_locked());
}

// condition_variable_any gives the lock back while it waits and has it again
// when it returns.
TEST_P(CppRequirements, ConditionVariableAnyWaitsWithIt) {
  std::condition_variable_any changed;
  bool ready = false;
  std::thread waker([&] {
    LockFile mine(path(), options());
    std::scoped_lock guard(mine);
    ready = true;
    changed.notify_all();
  });
  LockFile lock(path(), options());
  {
    std::unique_lock<LockFile> guard(lock);
    EXPECT_TRUE(changed.wait_for(guard, kPatience, [&] { return ready; }));
    EXPECT_TRUE(lock.i_am_locking());
  }
  waker.join();
  EXPECT_FALSE(lock.is_locked());
}

// One object, many threads, as with std::mutex.
TEST_P(CppRequirements, OneObjectExcludesTheThreadsThatShareIt) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 50;
  LockFile lock(path(), options());
  int inside = 0;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        std::scoped_lock guard(lock);
        ++inside;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(inside, kThreads * kRounds);
}

// --- threads and processes as owners ---------------------------------------

TEST_P(CppRequirements, AnotherThreadMayNotReleaseAThreadedLock) {
  LockFile lock(path(), options());
  lock.acquire();
  std::thread([&] {
    EXPECT_FALSE(lock.i_am_locking());
    EXPECT_THROW(lock.release(), lockfile::NotMyLock);
    EXPECT_THROW(lock.acquire(0s), lockfile::AlreadyLocked);
  }).join();
  EXPECT_TRUE(lock.i_am_locking());
  lock.release();
}

TEST_P(CppRequirements, AnyThreadMayReleaseALockOfTheProcess) {
  lockfile::Options process = options();
  process.threaded = false;
  LockFile lock(path(), process);
  lock.acquire();
  std::thread([&] {
    EXPECT_TRUE(lock.i_am_locking());
    EXPECT_NO_THROW(lock.release());
  }).join();
  EXPECT_FALSE(lock.is_locked());
}

TEST_P(CppRequirements, DestructorReleases) {
  LockFile observer(path(), options());
  {
    LockFile lock(path(), options());
    lock.acquire();
    EXPECT_TRUE(observer.is_locked());
  }
  EXPECT_FALSE(observer.is_locked());
}

TEST_P(CppBreakable, UnlockTellsTheHookAndTheNextCall) {
  lockfile::Options with_hook = options();
  std::vector<lockfile::Errc> told;
  with_hook.on_error = [&](const lockfile::Status& status) {
    told.push_back(status.code);
  };
  LockFile lock(path(), with_hook);
  lock.acquire();
  ASSERT_TRUE(LockFile(path(), options()).break_lock());
  lock.unlock();
  EXPECT_EQ(told, std::vector{lockfile::Errc::kLockLost});
  EXPECT_THROW(lock.acquire(kPatience), lockfile::LockLost);
  EXPECT_NO_THROW(lock.acquire(kPatience)) << "told once, not for ever";
}

// --- with_lock --------------------------------------------------------------

TEST_P(CppRequirements, WithLockReleasesWhenTheFunctionThrows) {
  EXPECT_THROW(lockfile::with_lock(
                   path(), []() -> int { throw std::runtime_error("inside"); },
                   options()),
               std::runtime_error);
  EXPECT_FALSE(LockFile(path(), options()).is_locked());
}

TEST_P(CppRequirements, WithLockKeepsReferencesAndVoid) {
  int value = 1;
  int& same = lockfile::with_lock(
      path(), [&]() -> int& { return value; }, options());
  EXPECT_EQ(&same, &value);
  lockfile::with_lock(
      path(), [&] { ++value; }, options());
  EXPECT_EQ(value, 2);
}

TEST_P(CppRequirements, WithLockHasItsTimeout) {
  HolderThread holder(path(), options());
  lockfile::Options impatient = options();
  impatient.timeout = 20ms;
  EXPECT_THROW(lockfile::with_lock(
                   path(), [] {}, impatient),
               lockfile::LockTimeout);
}

}  // namespace
}  // namespace locklab::compat
