#include "conformance/proc/starved.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "conformance/proc/child.h"
#include "conformance/proc/poll_until.h"

namespace locklab::proc {
namespace {

using namespace std::chrono_literals;

void Spin() {
  std::atomic<int> turns{0};
  while (turns.fetch_add(1) < 1'000'000) {
  }
}

// Both on one processor: at most one of them runs.
TEST(Starved, AProcessThatMustShareItsProcessorIsSeenToWaitForIt) {
  if (!std::filesystem::exists("/proc/self/schedstat")) {
    GTEST_SKIP() << "this kernel keeps no scheduler statistics";
  }
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  const Child hog = Child::Spawn([]() -> int {
    for (;;) Spin();
  });
  const auto before = StarvedSoFar();
  EXPECT_TRUE(Eventually(
      [before] {
        Spin();
        return StarvedSoFar() - before > 20ms;
      },
      In(30s)));
}

TEST(Starved, SleepIsNoStarvation) {
  const auto before = StarvedSoFar();
  const auto start = Clock::now();
  std::this_thread::sleep_for(50ms);
  EXPECT_LT(StarvedSoFar() - before, Clock::now() - start - 40ms);
}

}  // namespace
}  // namespace locklab::proc
