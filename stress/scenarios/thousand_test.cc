// A thousand processes on one lock, every lock: none of them starves, no two
// hold it. Minutes; LOCKLAB_PROCESSES makes it another number.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "conformance/proc/temp_dir.h"
#include "lib/backends.h"
#include "stress/run/limits.h"
#include "stress/scenarios/campaign.h"

namespace locklab::scenario {
namespace {

using std::chrono_literals::operator""min;
using std::chrono_literals::operator""s;

int Processes() {
  const char* number = std::getenv("LOCKLAB_PROCESSES");
  return number == nullptr ? 1000 : std::atoi(number);
}

// In memory, if there is such a place.
std::string Parent() {
  return std::filesystem::exists("/dev/shm") ? "/dev/shm" : "";
}

class Thousand : public testing::TestWithParam<lockfile::BackendRow> {};

TEST_P(Thousand, GetTheLockEach) {
  const std::string shortage =
      run::WhyNotSoMany(Processes(), 1, run::TaskLimits());
  if (!shortage.empty()) GTEST_SKIP() << shortage;
  const proc::TempDir dir(Parent());
  const auto subject = BackendSubject(GetParam().name);
  CampaignPlan plan;
  plan.duration = plan.round = 10s;
  plan.seed = 7;
  plan.count_calls = false;
  Course& course = plan.courses.emplace_back();
  course = {.backend = std::string(GetParam().name),
            .subject = subject.get(),
            .scenario = FindScenario("contention"),
            .plan = PlanOf(*FindScenario("contention"))};
  course.plan.dir = dir.path();
  course.plan.processes = Processes();
  course.plan.hold = Delay();
  course.plan.floor = Processes();
  course.plan.duration = 10s;
  course.plan.deadline = 5min;
  const CourseResult done = RunCampaign(plan).courses.front();
  EXPECT_EQ(done.Worst().verdict, Verdict::kPass) << done.Worst().reason;
  const judge::Judgement& judgement = done.total.judgement;
  ASSERT_EQ(judgement.actors.size(), static_cast<size_t>(Processes()));
  for (const judge::ActorSummary& actor : judgement.actors) {
    EXPECT_GT(actor.acquisitions, 0) << "process " << actor.actor << " starved";
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, Thousand,
                         testing::ValuesIn(lockfile::Backends()),
                         [](const auto& info) {
                           return std::string(info.param.name);
                         });

}  // namespace
}  // namespace locklab::scenario
