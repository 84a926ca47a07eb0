// Latch, Barrier and Shared: what processes use to meet.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

#include "conformance/proc/barrier.h"
#include "conformance/proc/child.h"
#include "conformance/proc/latch.h"
#include "conformance/proc/patience.h"
#include "conformance/proc/shared.h"

namespace locklab::proc {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

TEST(Latch, IsClosedUntilOpened) {
  Latch latch;
  latch.Open();
  latch.Open();
  EXPECT_EQ(latch.Wait(In(10s)), Latch::kOpen);
  EXPECT_TRUE(latch.IsOpen());
}

TEST(Latch, LetsAllWaitersPass) {
  Latch latch;
  std::vector<Child> waiters;
  for (int i = 0; i < 3; ++i) {
    waiters.push_back(Child::Spawn(
        [&] { return latch.Wait(In(10s)) == Latch::kOpen ? 0 : 1; }));
  }
  latch.Open();
  for (Child& waiter : waiters) EXPECT_TRUE(waiter.Wait(In(10s))->ok());
}

TEST(Latch, BreaksWhenItsOpenerDies) {
  Latch latch;
  Child opener = Child::Spawn([] { return 1; });
  EXPECT_EQ(latch.Wait(In(10s)), Latch::kBroken);
}

TEST(Latch, KeepsItsDeadline) {
  Latch latch;
  Child opener = Child::Spawn([]() -> int {
    for (;;) pause();
  });
  EXPECT_EQ(latch.Wait(In(5ms)), Latch::kTimeout);
  EXPECT_FALSE(latch.IsOpen());
}

TEST(Shared, KeepsWhatAKilledChildWrote) {
  const Shared<std::atomic<int>> cells(3);
  ASSERT_EQ(cells.size(), 3u);
  EXPECT_EQ(cells[2].load(), 0);
  Child child = Child::Spawn([&] {
    cells[2].store(42);
    raise(SIGKILL);
    return 0;
  });
  EXPECT_EQ(child.Wait(In(10s))->signal, SIGKILL);
  EXPECT_EQ(cells[2].load(), 42);
}

TEST(Barrier, LetsNobodyPassBeforeAllHaveArrived) {
  constexpr uint32_t kParties = 4;
  constexpr int kRounds = 200;
  const Shared<Barrier> barrier;
  const Shared<std::atomic<int>> count;
  barrier->Init(kParties);
  std::vector<Child> children;
  for (uint32_t i = 0; i < kParties; ++i) {
    children.push_back(Child::Spawn([&] {
      for (int round = 1; round <= kRounds; ++round) {
        count->fetch_add(1);
        if (!barrier->ArriveAndWait(In(20s))) return 1;
        if (count->load() < round * static_cast<int>(kParties)) return 2;
        if (!barrier->ArriveAndWait(In(20s))) return 3;
      }
      return 0;
    }));
  }
  for (Child& child : children) EXPECT_EQ(child.Wait(In(30s))->code, 0);
}

TEST(Barrier, TimesOutWhenAPartyNeverComes) {
  const Shared<Barrier> barrier;
  barrier->Init(2);
  EXPECT_FALSE(barrier->ArriveAndWait(In(5ms)));
  EXPECT_EQ(barrier->arrived(), 1u);
}

TEST(Eventually, LooksOnceMoreAtTheDeadline) {
  EXPECT_TRUE(Eventually([] { return true; }, TimePoint::min()));
  EXPECT_FALSE(Eventually([] { return false; }, In(2ms)));
}

TEST(Patience, IsAWholeNumberThatMakesSense) {
  EXPECT_EQ(ParsePatience("4"), 4);
  EXPECT_EQ(ParsePatience("100"), 100);
  for (const char* text : {"", "0", "-1", "101", "4x", "4.5", " 4", "four"}) {
    EXPECT_EQ(ParsePatience(text), 1) << text;
  }
}

}  // namespace
}  // namespace locklab::proc
