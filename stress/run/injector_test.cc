// Runs with faults, on locks of the library and on such as do not bear them.
#include "stress/run/injector.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>

#include "conformance/canary/canary.h"
#include "conformance/proc/child.h"
#include "conformance/proc/latch.h"
#include "conformance/proc/temp_dir.h"
#include "stress/run/contention.h"

namespace locklab::run {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""us;

class InjectorTest : public testing::Test {
 protected:
  [[nodiscard]] ContentionPlan Plan(std::string_view mix) const {
    ContentionPlan plan;
    plan.dir = dir_.path();
    plan.processes = 4;
    plan.acquisitions = 3000;
    plan.hold = Delay::Exponential(100us);
    plan.think = Delay::Exponential(100us);
    plan.deadline = 60s;
    plan.seed = 1;
    plan.faults.every = 40;
    if (mix.find(':') != std::string_view::npos && mix[0] == 'g') {
      plan.faults.schedule = ParseFaultSchedule(mix);
    } else {
      plan.faults.weights = ParseFaultMix(mix);
    }
    return plan;
  }
  ContentionResult RunWith(std::string_view backend,
                           const ContentionPlan& plan) const {
    return RunContention(*BackendSubject(backend), plan);
  }
  void TearDown() override {
    EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
  }

  const proc::TempDir dir_;
};

void ExpectSound(const ContentionResult& result) {
  for (const Finding& finding :
       {result.exclusion, result.coherence, result.progress, result.survival}) {
    EXPECT_EQ(VerdictName(finding.verdict), "pass") << finding.reason << "\n"
                                                    << finding.evidence;
  }
  EXPECT_EQ(result.fairness.verdict, Verdict::kUnsupported);
}

TEST_F(InjectorTest, ALockThatBearsEverythingPasses) {
  const ContentionResult result =
      RunWith("link", Plan("kill:4,stop:2,delay:1,break:2,break-dead:2"));
  ExpectSound(result);
  for (const FaultCount& count : result.faults.kinds) {
    EXPECT_GT(count.done, 0) << RowOf(count.kind).name;
    EXPECT_LE(count.done, count.due) << RowOf(count.kind).name;
    EXPECT_EQ(count.excuse, "");
  }
  EXPECT_GT(result.faults.told, 0);
  EXPECT_EQ(result.faults.untold, 0);
  EXPECT_EQ(result.judgement.lost, result.faults.told);
  EXPECT_GT(result.judgement.crashes, 0);
  EXPECT_GT(result.judgement.recovery.count(), 0);
}

TEST_F(InjectorTest, WhatTheKernelHoldsIsSparedBreaksWithAReason) {
  const ContentionResult result =
      RunWith("flock", Plan("kill:2,stop:2,break:1,break-dead:1"));
  ExpectSound(result);
  EXPECT_NE(result.faults.kinds[2].excuse.find("cannot be taken"),
            std::string::npos);
  EXPECT_NE(result.faults.kinds[3].excuse.find("the kernel has freed"),
            std::string::npos);
  EXPECT_EQ(result.faults.kinds[2].done, 0);
}

TEST_F(InjectorTest, AScheduleIsFollowed) {
  const std::string schedule =
      "g5:kill:holding,g9:break:holding,g20:stop:holding:2ms,"
      "g33:break-dead:holding,g40:delay:holding:2ms";
  ContentionPlan plan = Plan(schedule);
  plan.acquisitions = 200;
  const ContentionResult result = RunWith("mkdir", plan);
  ExpectSound(result);
  EXPECT_EQ(FaultScheduleText(result.faults.done), schedule);
  EXPECT_EQ(result.judgement.crashes, 2);
}

TEST_F(InjectorTest, OthersThanHoldersAreMetAtTheirStages) {
  ContentionPlan plan =
      Plan("g20:kill:acquiring,g40:stop:acquiring:3ms,g60:kill:thinking");
  plan.think = Delay::Fixed(3ms);
  plan.acquisitions = 400;
  const ContentionResult result = RunWith("symlink", plan);
  ExpectSound(result);
  ASSERT_EQ(result.faults.done.size(), 3u);
  EXPECT_GE(result.faults.done[0].grant, 20u);
  EXPECT_EQ(result.faults.kinds[0].at[static_cast<size_t>(Stage::kThinking)],
            1);
}

TEST_F(InjectorTest, AMixThatCameToNothingProvesNothing) {
  ContentionPlan plan = Plan("g100000:kill:holding");
  plan.acquisitions = 50;
  const ContentionResult result = RunWith("link", plan);
  EXPECT_EQ(result.exclusion.verdict, Verdict::kPass);
  EXPECT_EQ(result.survival.verdict, Verdict::kInconclusive);
  EXPECT_NE(result.survival.reason.find("of 0 faults 'kill' none was proven"),
            std::string::npos)
      << result.survival.reason;
}

TEST_F(InjectorTest, WithoutFaultsNothingIsSaidOfThem) {
  ContentionPlan plan = Plan("none");
  plan.acquisitions = 50;
  const ContentionResult result = RunWith("link", plan);
  EXPECT_EQ(result.survival.verdict, Verdict::kUnsupported);
  EXPECT_NE(result.fairness.verdict, Verdict::kUnsupported);
}

struct Wound {
  const char* canary;
  const char* mix;
  Finding ContentionResult::*finding;
  const char* says;
};

// Each with a fault that a run without faults does not see.
TEST_F(InjectorTest, LocksThatDoNotBearThemAreCaught) {
  for (const Wound& wound : {
           Wound{"never-recovers", "g9:kill:holding",
                 &ContentionResult::progress, "workers hang"},
           Wound{"release-by-name", "break", &ContentionResult::survival,
                 "were not told"},
           Wound{"litters", "kill", &ContentionResult::survival, "left when"},
           Wound{"unlink-dead", "kill", &ContentionResult::exclusion,
                 "two held the lock at once"},
       }) {
    Finding finding;
    for (uint64_t seed = 1; seed < 9; ++seed) {
      ContentionPlan plan = Plan(wound.mix);
      plan.acquisitions = 600;
      // Some of them hang.
      plan.deadline = 2s;
      plan.seed = seed;
      const ContentionResult result =
          RunContention(*canary::FindCanary(wound.canary)->make(seed), plan);
      finding = result.*wound.finding;
      if (finding.verdict == Verdict::kFail) break;
    }
    EXPECT_EQ(VerdictName(finding.verdict), "fail")
        << wound.canary << ": " << finding.reason;
    EXPECT_NE(finding.reason.find(wound.says), std::string::npos)
        << wound.canary << ": " << finding.reason;
  }
}

// Also not one that is stopped at that moment: PR_SET_PDEATHSIG wakes it to
// die.
TEST_F(InjectorTest, NothingOutlivesASupervisorThatIsKilledAtAnyMoment) {
  const char* const kills = std::getenv("LOCKLAB_KILLS");
  ContentionPlan plan = Plan("kill:3,stop:6,delay:1,break:1,break-dead:1");
  plan.faults.every = 5;
  std::mt19937_64 random(1);
  for (int i = 0; i < (kills == nullptr ? 8 : std::atoi(kills)); ++i) {
    const std::chrono::microseconds moment(random() % 250'000);
    SCOPED_TRACE(moment.count());
    proc::Latch started;
    proc::Latch lifeline;
    proc::Child supervisor = proc::Child::Spawn([&] {
      started.Open();
      for (plan.seed = 1;; ++plan.seed) RunWith("link", plan);
      return 0;
    });
    ASSERT_EQ(started.Wait(proc::In(20s)), proc::Latch::kOpen);
    std::this_thread::sleep_for(moment);
    const std::string name = fmt::format("locklab-{}-", supervisor.pid());
    EXPECT_EQ(supervisor.Stop().signal, SIGKILL);
    EXPECT_EQ(lifeline.Wait(proc::In(20s)), proc::Latch::kBroken)
        << "a process is left";
    // As the next run does. All other memory is without a name.
    for (const std::string& place : {dir_.path(), std::string("/dev/shm")}) {
      proc::SweepDead(place);
      for (const auto& entry : std::filesystem::directory_iterator(place)) {
        EXPECT_FALSE(entry.path().filename().string().starts_with(name))
            << entry.path();
      }
    }
    EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
  }
}

}  // namespace
}  // namespace locklab::run
