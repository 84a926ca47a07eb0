#include "stress/run/shrink.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string_view>
#include <vector>

#include "conformance/canary/canary.h"
#include "conformance/proc/poll_until.h"
#include "conformance/proc/temp_dir.h"
#include "stress/run/contention.h"

namespace locklab::run {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""us;

Shrinkable Big() {
  Shrinkable run{.schedule = {}, .processes = 16, .acquisitions = 1000};
  for (uint64_t grant = 1; grant <= 100; ++grant) {
    run.schedule.push_back({.grant = grant});
  }
  return run;
}

bool Has(const Shrinkable& run, uint64_t grant) {
  return std::any_of(run.schedule.begin(), run.schedule.end(),
                     [&](const Fault& fault) { return fault.grant == grant; });
}

TEST(Shrink, LeavesWhatIsNeededAndNothingElse) {
  const Shrunk shrunk = Shrink(Big(),
                               [](const Shrinkable& run) {
                                 return Has(run, 17) && Has(run, 18) &&
                                        Has(run, 90) && run.processes >= 3 &&
                                        run.acquisitions >= 100;
                               },
                               {.tries = 1});
  EXPECT_TRUE(shrunk.reproduced);
  EXPECT_TRUE(shrunk.complete);
  EXPECT_EQ(FaultScheduleText(shrunk.run.schedule),
            "g17:kill:holding,g18:kill:holding,g90:kill:holding");
  EXPECT_EQ(shrunk.run.processes, 3);
  EXPECT_LT(shrunk.run.acquisitions, 200);
  EXPECT_EQ(shrunk.failed, shrunk.repeats);
  EXPECT_LT(shrunk.runs, 300);
}

TEST(Shrink, FindsThatNoFaultIsNeeded) {
  const Shrunk shrunk =
      Shrink(Big(), [](const Shrinkable& run) { return run.processes >= 2; },
             {.tries = 1});
  EXPECT_TRUE(shrunk.run.schedule.empty());
  EXPECT_EQ(shrunk.run.processes, 2);
}

TEST(Shrink, LetsFaultsComeEarlier) {
  const Shrunk shrunk =
      Shrink(Big(), [](const Shrinkable& run) { return !run.schedule.empty(); },
             {.tries = 1});
  EXPECT_EQ(FaultScheduleText(shrunk.run.schedule), "g1:kill:holding");
  EXPECT_EQ(shrunk.run.acquisitions, 1);
}

TEST(Shrink, TriesAgainWhereARunFailsSometimes) {
  int runs = 0;
  const Shrunk shrunk = Shrink(
      Big(),
      [&](const Shrinkable& run) { return ++runs % 3 == 0 && Has(run, 40); },
      {.tries = 3, .repeats = 9});
  EXPECT_EQ(shrunk.run.schedule.size(), 1u);
  EXPECT_EQ(shrunk.failed, 3);
  EXPECT_EQ(shrunk.repeats, 9);
}

TEST(Shrink, KeepsWhatDoesNotFailAgain) {
  const Shrunk shrunk =
      Shrink(Big(), [](const Shrinkable&) { return false; }, {.tries = 4});
  EXPECT_FALSE(shrunk.reproduced);
  EXPECT_EQ(shrunk.run, Big());
  EXPECT_EQ(shrunk.runs, 4);
}

TEST(Shrink, EndsWhenItsTimeIsUp) {
  int runs = 0;
  const Shrunk shrunk =
      Shrink(Big(),
             [&](const Shrinkable&) {
               return proc::Eventually([] { return false; }, proc::In(2ms)) ||
                      ++runs > 0;
             },
             {.tries = 1, .time = 1ms, .repeats = 0});
  EXPECT_TRUE(shrunk.reproduced);
  EXPECT_FALSE(shrunk.complete);
  EXPECT_EQ(runs, 1);
}

// From a lock whose release takes whatever is there, to the one break that
// shows it.
TEST(ShrinkRun, FindsTheBreakThatACanaryDoesNotBear) {
  const proc::TempDir dir;
  ContentionPlan plan;
  plan.dir = dir.path();
  plan.processes = 4;
  plan.acquisitions = 150;
  plan.hold = Delay::Fixed(50us);
  plan.deadline = 20s;
  plan.seed = 3;
  plan.faults.weights = ParseFaultMix("kill:1,delay:1,break:2");
  plan.faults.every = 20;
  const auto subject = canary::FindCanary("release-by-name")->make(3);
  const ShrunkRun small =
      ShrinkRun(*subject, plan, {.tries = 2, .time = 20s, .repeats = 3});
  EXPECT_TRUE(small.shrunk.reproduced);
  EXPECT_LE(small.plan.faults.schedule.size(), 2u)
      << FaultScheduleText(small.plan.faults.schedule);
  EXPECT_TRUE(small.plan.faults.Asks(FaultKind::kBreak));
  EXPECT_LE(small.plan.processes, 2);
  EXPECT_LT(small.plan.acquisitions, 50);
  EXPECT_NE(small.reason, "");
  EXPECT_GT(small.shrunk.failed, 0);
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

}  // namespace
}  // namespace locklab::run
