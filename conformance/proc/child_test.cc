#include "conformance/proc/child.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <stdexcept>
#include <thread>
#include <utility>

#include "conformance/proc/latch.h"

namespace locklab::proc {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

bool Exists(pid_t pid) { return kill(pid, 0) == 0; }

int SleepForever() {
  for (;;) pause();
}

TEST(Child, ReportsWhatItsBodyReturned) {
  Child child = Child::Spawn([] { return 7; });
  const auto end = child.Wait(In(10s));
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->code, 7);
  EXPECT_EQ(end->signal, 0);
  EXPECT_FALSE(end->ok());
  EXPECT_EQ(end->Describe(), "exited with 7");
}

TEST(Child, ReportsTheSignalThatKilledIt) {
  Child child = Child::Spawn(SleepForever);
  child.Kill(SIGTERM);
  const auto end = child.Wait(In(10s));
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->signal, SIGTERM);
  EXPECT_EQ(end->Describe(), "was killed by SIGTERM");
}

TEST(Child, TellsItsEndAgainAndAgain) {
  Child child = Child::Spawn([] { return 0; });
  EXPECT_TRUE(child.Wait(In(10s))->ok());
  EXPECT_TRUE(child.Poll()->ok());
  EXPECT_TRUE(child.Stop().ok());
}

TEST(Child, TurnsAnExceptionIntoAnExitCode) {
  Child child = Child::Spawn(
      []() -> int { throw std::runtime_error("thrown on purpose by a test"); });
  EXPECT_EQ(child.Wait(In(10s))->code, kExitThrew);
}

TEST(Child, WaitKeepsItsDeadline) {
  Child child = Child::Spawn(SleepForever);
  const TimePoint start = Clock::now();
  EXPECT_FALSE(child.Wait(In(20ms)).has_value());
  EXPECT_GE(Clock::now() - start, 20ms);
  EXPECT_FALSE(child.Poll().has_value());
  EXPECT_TRUE(child.running());
}

TEST(Child, IsKilledAndReapedByItsDestructor) {
  pid_t pid = -1;
  {
    const Child child = Child::Spawn(SleepForever);
    pid = child.pid();
    EXPECT_TRUE(Exists(pid));
  }
  EXPECT_FALSE(Exists(pid));
}

TEST(Child, MovesItsProcessAlong) {
  Child first = Child::Spawn([] { return 3; });
  Child second = std::move(first);
  EXPECT_FALSE(first.running());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(second.Wait(In(10s))->code, 3);
}

// A latch that nobody opens is a lifeline: it breaks once all processes that
// inherited it are dead.
TEST(Child, DiesWithItsParent) {
  Latch ready;
  Latch lifeline;
  Child child = Child::Spawn([&] {
    const Child inner = Child::Spawn([&] {
      ready.Open();
      return SleepForever();
    });
    return SleepForever();
  });
  ASSERT_EQ(ready.Wait(In(10s)), Latch::kOpen);
  EXPECT_EQ(lifeline.Wait(In(1ms)), Latch::kTimeout);
  kill(child.pid(), SIGKILL);
  EXPECT_EQ(lifeline.Wait(In(10s)), Latch::kBroken);
}

TEST(Child, WithItsOwnGroupTakesItsForksAlong) {
  Latch ready;
  Latch lifeline;
  Child child = Child::Spawn(
      [&] {
        if (fork() == 0) {
          ready.Open();
          SleepForever();
        }
        return SleepForever();
      },
      {.own_group = true});
  ASSERT_EQ(ready.Wait(In(10s)), Latch::kOpen);
  EXPECT_EQ(child.Stop().signal, SIGKILL);
  EXPECT_EQ(lifeline.Wait(In(10s)), Latch::kBroken);
}

TEST(Child, LeavesNothingOfItsGroupWhenItExits) {
  Latch lifeline;
  Child child = Child::Spawn(
      [] {
        if (fork() == 0) SleepForever();
        return 0;
      },
      {.own_group = true});
  EXPECT_TRUE(child.Wait(In(10s))->ok());
  EXPECT_EQ(lifeline.Wait(In(10s)), Latch::kBroken);
}

TEST(Child, IsNotKilledByTheCopyThatAForkInherits) {
  Child child = Child::Spawn(SleepForever);
  {
    Child other = Child::Spawn([&child] {
      const Child stolen = std::move(child);
      return 0;
    });
    EXPECT_TRUE(other.Wait(In(10s))->ok());
  }
  EXPECT_FALSE(child.Poll().has_value());
}

TEST(Child, StartsWithDefaultSignals) {
  const auto old = std::signal(SIGTERM, SIG_IGN);
  Child child = Child::Spawn(SleepForever);
  std::signal(SIGTERM, old);
  child.Kill(SIGTERM);
  EXPECT_EQ(child.Wait(In(10s))->signal, SIGTERM);
}

TEST(Child, IsSeenToBeStopped) {
  Child child = Child::Spawn(SleepForever);
  EXPECT_FALSE(child.WaitStopped(In(5ms)));
  child.Kill(SIGSTOP);
  EXPECT_TRUE(child.WaitStopped(In(10s)));
  EXPECT_FALSE(child.WaitContinued(In(5ms)));
  child.Kill(SIGCONT);
  EXPECT_TRUE(child.WaitContinued(In(10s)));
  EXPECT_FALSE(child.WaitContinued(In(5ms))) << "it was told already";
  EXPECT_FALSE(child.WaitStopped(In(5ms)));
  EXPECT_EQ(child.Stop().signal, SIGKILL);
  EXPECT_FALSE(child.WaitStopped(In(5ms)));
}

TEST(Child, IsAsleepOnlyWhereNothingWakesIt) {
  Child sleeper = Child::Spawn(SleepForever);
  EXPECT_TRUE(Eventually([&] { return sleeper.Asleep(); }, In(10s)));
  sleeper.Stop();
  EXPECT_FALSE(sleeper.Asleep());
  Child busy = Child::Spawn([] {
    for (std::atomic<bool> on = true; on;) continue;
    return 0;
  });
  // However seldom it gets a processor.
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(busy.Asleep());
    std::this_thread::sleep_for(1ms);
  }
}

TEST(SignalName, KnowsNamesAndNumbers) {
  EXPECT_EQ(SignalName(SIGSEGV), "SIGSEGV");
  EXPECT_EQ(SignalName(4711), "signal 4711");
}

}  // namespace
}  // namespace locklab::proc
