// Faults of Python's lockfile 0.12.2 that one process (and a child or two) can
// show. Each test would fail in the ancestor, for the backends that it has;
// the comment says what the ancestor does instead. Races of many processes
// are in ancestor_races_test.cc.

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "conformance/compat/lock_fixture.h"
#include "conformance/proc/child.h"
#include "conformance/proc/latch.h"
#include "conformance/proc/poll_until.h"
#include "conformance/seam/intercepting_os.h"
#include "gtest/gtest.h"
#include "lib/lock_file.h"

namespace locklab::compat {
namespace {

using lockfile::LockFile;
using proc::Child;
using proc::In;
using proc::Latch;
using seam::Call;
using seam::Fault;
using seam::InterceptingOs;
using namespace std::chrono_literals;  // NOLINT

// What the child ended with, as a test failure if it did not do well. The
// children say on stderr what was wrong.
void ExpectGood(Child& child) {
  const auto end = child.Wait(In(kPatience));
  ASSERT_TRUE(end.has_value()) << "child hangs";
  EXPECT_TRUE(end->ok()) << "child " << end->Describe();
}

// --- identity ---------------------------------------------------------------

class AncestorIdentity : public EveryMode {};
INSTANTIATE_TEST_SUITE_P(Backends, AncestorIdentity,
                         testing::Combine(testing::ValuesIn(AllBackends()),
                                          testing::Bool()),
                         NameOfMode);

// There: host, thread and pid are the identity, so both "hold".
TEST_P(AncestorIdentity, TwoObjectsInOneThreadExclude) {
  LockFile first(path(), options());
  LockFile second(path(), options());
  first.acquire();
  EXPECT_THROW(second.acquire(0s), lockfile::AlreadyLocked);
  EXPECT_THROW(second.acquire(20ms), lockfile::LockTimeout);
  EXPECT_FALSE(second.i_am_locking());
  EXPECT_THROW(second.release(), lockfile::NotMyLock);
  EXPECT_TRUE(first.i_am_locking());
}

// There: with threaded=False two threads hold it together, and SQLite lets in
// several with threaded=True as well.
TEST_P(AncestorIdentity, ThreadsWithAnObjectEachExclude) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 40;
  std::atomic<int> inside{0};
  std::atomic<int> violations{0};
  auto run = [&] {
    LockFile lock(path(), options());
    for (int i = 0; i < kRounds; ++i) {
      lock.acquire(kPatience);
      if (inside.fetch_add(1) != 0) violations.fetch_add(1);
      std::this_thread::yield();
      inside.fetch_sub(1);
      lock.release();
    }
  };
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) threads.emplace_back(run);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(violations.load(), 0);
}

// There: acquire() by a holder is idempotent, and so it is here; one release
// frees.
TEST_P(AncestorIdentity, AcquireByTheHolderChangesNothing) {
  LockFile lock(path(), options());
  lock.acquire();
  EXPECT_NO_THROW(lock.acquire());
  EXPECT_NO_THROW(lock.acquire(0s));
  lock.release();
  EXPECT_FALSE(lock.is_locked());
}

// --- fork -------------------------------------------------------------------

class AncestorFork : public EveryMode {};
INSTANTIATE_TEST_SUITE_P(Backends, AncestorFork,
                         testing::Combine(testing::ValuesIn(AllBackends()),
                                          testing::Bool()),
                         NameOfMode);

// There: the child's release() drops its parent's lock.
TEST_P(AncestorFork, ChildDoesNotOwnItsParentsLock) {
  LockFile lock(path(), options());
  lock.acquire();
  Child child = Child::Spawn([&] {
    EXPECT_TRUE(lock.is_locked());
    EXPECT_FALSE(lock.i_am_locking());
    EXPECT_THROW(lock.release(), lockfile::NotMyLock);
    EXPECT_THROW(lock.acquire(0s), lockfile::AlreadyLocked);
    lock.unlock();
    return testing::Test::HasFailure() ? 1 : 0;
  });
  ExpectGood(child);
  EXPECT_TRUE(lock.i_am_locking()) << "the child or its end freed it";
  EXPECT_THROW(LockFile(path(), options()).acquire(0s),
               lockfile::AlreadyLocked);
  EXPECT_NO_THROW(lock.release());
}

// The destructor of the copy in the child is a release, too.
TEST_P(AncestorFork, DestructorInTheChildFreesNothing) {
  auto lock = std::make_unique<LockFile>(path(), options());
  lock->acquire();
  Child child = Child::Spawn([&] {
    lock.reset();
    return 0;
  });
  ExpectGood(child);
  EXPECT_TRUE(lock->i_am_locking());
}

// There: the private name holds the pid of the process that made the object,
// so that parent and child hold it together.
TEST_P(AncestorFork, ObjectMadeBeforeForkExcludesAfterIt) {
  LockFile lock(path(), options());
  Latch held;
  Latch done;
  Child child = Child::Spawn([&] {
    lock.acquire(kPatience);
    held.Open();
    return done.Wait(In(kPatience)) == Latch::kOpen ? (lock.release(), 0) : 1;
  });
  ASSERT_EQ(held.Wait(In(kPatience)), Latch::kOpen);
  EXPECT_FALSE(lock.i_am_locking());
  EXPECT_THROW(lock.acquire(0s), lockfile::AlreadyLocked);
  done.Open();
  ExpectGood(child);
  EXPECT_NO_THROW(lock.acquire(0s));
}

// --- release after a break --------------------------------------------------

class AncestorBreak : public EveryBackend {};
INSTANTIATE_TEST_SUITE_P(Backends, AncestorBreak,
                         testing::ValuesIn(BreakableBackends()), NameOfBackend);

// There: link asks only whether its private file exists, and deletes the
// successor's lock.
TEST_P(AncestorBreak, ReleaseAfterBreakLeavesTheSuccessorsLock) {
  LockFile broken(path(), options());
  LockFile successor(path(), options());
  broken.acquire();
  ASSERT_TRUE(successor.break_lock());
  successor.acquire(0s);
  EXPECT_FALSE(broken.i_am_locking());
  EXPECT_THROW(broken.release(), lockfile::LockLost);
  EXPECT_TRUE(successor.i_am_locking());
  EXPECT_THROW(broken.acquire(0s), lockfile::AlreadyLocked);
  EXPECT_NO_THROW(successor.release());
  EXPECT_NO_THROW(broken.acquire(0s));
}

// The same when the break is noticed by nothing but the destructor.
TEST_P(AncestorBreak, DestructorAfterBreakLeavesTheSuccessorsLock) {
  LockFile successor(path(), options());
  {
    LockFile broken(path(), options());
    broken.acquire();
    ASSERT_TRUE(successor.break_lock());
    successor.acquire(0s);
  }
  EXPECT_TRUE(successor.i_am_locking());
}

// There: break_lock() breaks whatever is there, also the next holder's.
TEST_P(AncestorBreak, BreakOfAnExpectedOwnerLeavesAnotherOwnersLock) {
  LockFile first(path(), options());
  LockFile second(path(), options());
  LockFile breaker(path(), options());
  first.acquire();
  const auto seen = breaker.owner();
  ASSERT_TRUE(seen.has_value());
  first.release();
  second.acquire(0s);
  EXPECT_FALSE(breaker.break_lock(*seen));
  EXPECT_TRUE(second.i_am_locking());
  EXPECT_TRUE(breaker.break_lock(*breaker.owner()));
  EXPECT_FALSE(second.i_am_locking());
}

// --- crashes ----------------------------------------------------------------

class AncestorCrash : public EveryBackend {
 protected:
  // A process dies before its `step`-th system call. False: it made fewer.
  bool DieBeforeCall(int step) {
    Child child = Child::Spawn([&] {
      int calls = 0;
      InterceptingOs os([&](const Call&) {
        if (++calls == step) raise(SIGKILL);
        return Fault{};
      });
      lockfile::Options dying = options();
      dying.os = &os;
      LockFile lock(path(), dying);
      lock.acquire(kPatience);
      lock.release();
      return 0;
    });
    const auto end = child.Wait(In(kPatience));
    EXPECT_TRUE(end.has_value()) << "child hangs at call " << step;
    return end.has_value() && end->signal == SIGKILL;
  }
};
INSTANTIATE_TEST_SUITE_P(Backends, AncestorCrash,
                         testing::ValuesIn(AllBackends()), NameOfBackend);

// There: nothing is ever found stale; a crash between mkdir and the owner
// file, or between the two unlinks of release, leaves a lock nobody owns.
TEST_P(AncestorCrash, LockIsHadAgainWhereverItsHolderDied) {
  lockfile::Options patient = options();
  patient.ownerless_grace = 30ms;
  int step = 1;
  for (; DieBeforeCall(step); ++step) {
    LockFile lock(path(), patient);
    ASSERT_NO_THROW(lock.acquire(kPatience)) << "died before call " << step;
    ASSERT_NO_THROW(lock.release()) << "died before call " << step;
  }
  RecordProperty("calls", step - 1);
}

// A holder that dies while it holds.
TEST_P(AncestorCrash, LockOfADeadHolderIsHadAtOnce) {
  Child child = Child::Spawn([&] {
    auto* lock = new LockFile(path(), options());  // no destructor
    lock->acquire(kPatience);
    raise(SIGKILL);
    return 0;
  });
  ASSERT_TRUE(child.Wait(In(kPatience)).has_value());
  LockFile lock(path(), options());
  EXPECT_NO_THROW(lock.acquire(kPatience));
}

class AncestorMkdir : public LockTest {
 protected:
  [[nodiscard]] std::string backend() const override { return "mkdir"; }
  [[nodiscard]] std::string lock_dir() const { return path() + ".lock"; }
};

// What a crash of the ancestor, or of any such program, leaves.
TEST_F(AncestorMkdir, DirectoryWithoutOwnerIsRecoveredAfterItsGrace) {
  ASSERT_EQ(mkdir(lock_dir().c_str(), 0777), 0);
  lockfile::Options quick = options();
  quick.ownerless_grace = 50ms;
  LockFile lock(path(), quick);
  EXPECT_TRUE(lock.is_locked());
  EXPECT_THROW(lock.acquire(0s), lockfile::AlreadyLocked);
  EXPECT_NO_THROW(lock.acquire(kPatience));
}

// There: one extra entry wedges release half way.
TEST_F(AncestorMkdir, ForeignEntryDoesNotWedgeRelease) {
  LockFile lock(path(), options());
  lock.acquire();
  WriteFile(lock_dir() + "/.nfs000000000001", "");
  EXPECT_NO_THROW(lock.release());
  EXPECT_FALSE(lock.is_locked());
  EXPECT_NO_THROW(LockFile(path(), options()).acquire(kPatience));
}

TEST_F(AncestorMkdir, ForeignEntryDoesNotWedgeBreak) {
  LockFile lock(path(), options());
  lock.acquire();
  WriteFile(lock_dir() + "/.nfs000000000001", "");
  LockFile other(path(), options());
  EXPECT_TRUE(other.break_lock());
  EXPECT_NO_THROW(other.acquire(kPatience));
}

// --- waiting and clocks -----------------------------------------------------

bool IsWait(const Call& call) {
  return call.name == "WaitEvent" || call.name == "WaitLock";
}

class AncestorWaiting : public EveryBackend {};
INSTANTIATE_TEST_SUITE_P(Backends, AncestorWaiting,
                         testing::ValuesIn(AllBackends()), NameOfBackend);

// There: an hour's timeout looks every six minutes.
TEST_P(AncestorWaiting, LongTimeoutDoesNotMeanSeldomLooks) {
  HolderThread holder(path(), options());
  std::atomic<bool> waits{false};
  InterceptingOs os([&](const Call& call) {
    if (IsWait(call)) waits = true;
    return Fault{};
  });
  lockfile::Options watched = options();
  watched.os = &os;
  std::atomic<bool> got{false};
  std::thread waiter([&] {
    LockFile lock(path(), watched);
    lock.acquire(1h);
    got = true;
  });
  EXPECT_TRUE(proc::Eventually([&] { return waits.load(); }, In(kPatience)));
  EXPECT_FALSE(got);
  holder.Leave();
  EXPECT_TRUE(proc::Eventually([&] { return got.load(); }, In(kPatience)))
      << "still waiting " << kPatience.count() << " s after the release";
  waiter.join();
}

// There, the pid lock: no timeout means "fail at once".
TEST_P(AncestorWaiting, NoTimeoutWaits) {
  HolderThread holder(path(), options());
  std::atomic<bool> got{false};
  std::thread waiter([&] {
    LockFile lock(path(), options());
    lock.acquire();
    got = true;
  });
  std::this_thread::sleep_for(50ms);
  EXPECT_FALSE(got);
  holder.Leave();
  waiter.join();
  EXPECT_TRUE(got);
}

// Time that passes only by waiting, and a wall clock that jumps about.
class VirtualTime : public lockfile::os::ForwardingOs {
 public:
  using SysResult = lockfile::os::SysResult;
  using TimePoint = lockfile::os::TimePoint;

  TimePoint Now() override { return start_ + passed; }
  int64_t WallSeconds() override {
    return (++jumps % 2 != 0) ? 0 : 4'000'000'000;
  }
  SysResult WaitEvent(int, int, TimePoint deadline) override {
    return Pass(deadline), SysResult::Ok(0);
  }
  SysResult WaitLock(int, lockfile::os::KernelLock,
                     TimePoint deadline) override {
    return Pass(deadline), SysResult::Fail(ETIMEDOUT);
  }
  void WaitWhile(std::atomic<uint32_t>*, uint32_t,
                 TimePoint deadline) override {
    Pass(deadline);
  }

  lockfile::os::Clock::duration passed{0};
  int64_t jumps = 0;

 private:
  void Pass(TimePoint deadline) {
    if (deadline > Now()) passed += deadline - Now();
  }

  const TimePoint start_ = lockfile::os::Clock::now();
};

// There: deadlines are wall clock. Here an hour is an hour of the monotonic
// clock, whatever the wall clock does; and this hour takes no time.
TEST_P(AncestorWaiting, DeadlineIsOfTheMonotonicClock) {
  HolderThread holder(path(), options());
  VirtualTime os;
  lockfile::Options virtual_time = options();
  virtual_time.os = &os;
  LockFile lock(path(), virtual_time);
  EXPECT_THROW(lock.acquire(1h), lockfile::LockTimeout);
  EXPECT_GE(os.passed, 1h);
  EXPECT_LT(os.passed, 1h + 1s);
}

}  // namespace
}  // namespace locklab::compat
