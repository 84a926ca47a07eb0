// Every scenario, on a lock that is right; and locks that are not, caught.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "conformance/canary/canary.h"
#include "conformance/proc/child.h"
#include "conformance/proc/interrupts.h"
#include "conformance/proc/poll_until.h"
#include "conformance/proc/temp_dir.h"
#include "stress/run/arrivals.h"
#include "stress/run/contention.h"
#include "stress/scenarios/calls.h"
#include "stress/scenarios/campaign.h"
#include "stress/scenarios/scenario.h"

namespace locklab::scenario {
namespace {

namespace fs = std::filesystem;
using std::chrono_literals::operator""s;

class ScenarioTest : public testing::Test {
 protected:
  void TearDown() override {
    EXPECT_TRUE(fs::is_empty(dir_.path())) << "something was left behind";
  }

  [[nodiscard]] Course CourseOf(const char* scenario,
                                const SubjectFactory& subject) const {
    Course course{.backend = std::string(subject.name()),
                  .subject = &subject,
                  .scenario = FindScenario(scenario),
                  .plan = PlanOf(*FindScenario(scenario))};
    course.plan.dir = dir_.path();
    course.plan.duration = 200ms;
    course.plan.floor = 1;
    course.plan.seed = 7;
    return course;
  }

  [[nodiscard]] static CampaignPlan Once(const Course& course) {
    CampaignPlan plan;
    plan.courses = {course};
    plan.duration = plan.round = course.plan.duration;
    plan.seed = course.plan.seed;
    plan.count_calls = false;
    return plan;
  }

  proc::TempDir dir_;
  std::unique_ptr<SubjectFactory> flock_ = BackendSubject("flock");
  std::unique_ptr<SubjectFactory> link_ = BackendSubject("link");
};

class EachScenario : public ScenarioTest,
                     public testing::WithParamInterface<Scenario> {};

TEST_P(EachScenario, FindsNothingWrongWithALockThatIsRight) {
  for (const auto* subject : {flock_.get(), link_.get()}) {
    const Course course = CourseOf(GetParam().name.data(), *subject);
    const CampaignResult result = RunCampaign(Once(course));
    const CourseResult& done = result.courses.front();
    // Whether anybody had to give up in so short a time is up to the machine.
    EXPECT_NE(done.Worst().verdict, Verdict::kFail) << done.Worst().reason;
    EXPECT_EQ(done.total.exclusion.verdict, Verdict::kPass)
        << done.total.exclusion.reason;
    EXPECT_EQ(done.total.progress.verdict, Verdict::kPass)
        << done.total.progress.reason;
    EXPECT_EQ(done.rounds, 1);
    EXPECT_GT(done.total.acquisitions, 0);
    EXPECT_EQ(done.total.contenders, course.plan.contenders());
    EXPECT_GT(done.total.usage.cpu_ns, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(All, EachScenario, testing::ValuesIn(Scenarios()),
                         [](const auto& info) {
                           std::string name(info.param.name);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST_F(ScenarioTest, HaveNamesAndOneLineEach) {
  EXPECT_GE(Scenarios().size(), 10u);
  for (const Scenario& scenario : Scenarios()) {
    EXPECT_EQ(FindScenario(scenario.name), &scenario);
    EXPECT_FALSE(scenario.doc.empty()) << scenario.name;
    EXPECT_EQ(scenario.doc.find('\n'), std::string_view::npos);
  }
  EXPECT_EQ(FindScenario("nonsense"), nullptr);
}

// Locks that let two in now and then.
TEST_F(ScenarioTest, CatchCanaries) {
  const struct {
    const char* canary;
    const char* scenario;
  } kCases[] = {
      {"check-then-create", "contention"}, {"check-then-create", "herd"},
      {"unlink-on-release", "contention"}, {"check-then-create", "churn"},
      {"check-then-create", "threads"},    {"check-then-create", "many-locks"},
      {"check-then-create", "timeouts"},
  };
  for (const auto& c : kCases) {
    const auto subject = canary::FindCanary(c.canary)->make(7);
    Course course = CourseOf(c.scenario, *subject);
    // A race may be lost in one round on a machine that is busy elsewhere.
    CampaignPlan plan = Once(course);
    plan.duration = 100 * plan.round;
    plan.stop_at_failure = true;
    const CampaignResult result = RunCampaign(plan);
    const CourseResult& done = result.courses.front();
    EXPECT_EQ(done.failed, 1) << c.canary << " under " << c.scenario;
    EXPECT_EQ(done.total.exclusion.verdict, Verdict::kFail);
    ASSERT_EQ(done.failures.size(), 1u);
    EXPECT_EQ(done.failures[0].seed, RoundSeed(7, done.rounds - 1));
  }
}

TEST_F(ScenarioTest, ARoundHasItsOwnSeedAndTheFirstOneThatOfTheRun) {
  EXPECT_EQ(RoundSeed(7, 0), 7u);
  EXPECT_NE(RoundSeed(7, 1), RoundSeed(7, 2));
  EXPECT_NE(RoundSeed(7, 1), RoundSeed(8, 1));
}

TEST_F(ScenarioTest, TheTimeIsCutIntoRoundsAndTheLastMayBeShort) {
  Course course = CourseOf("contention", *flock_);
  CampaignPlan plan = Once(course);
  plan.round = 100ms;
  plan.duration = 250ms;
  std::vector<double> shares;
  plan.progress = [&](const std::string&, double share) {
    shares.push_back(share);
  };
  const CampaignResult result = RunCampaign(plan);
  const CourseResult& done = result.courses.front();
  EXPECT_EQ(done.rounds, 3);
  EXPECT_EQ(shares.size(), 3u);
  EXPECT_TRUE(std::is_sorted(shares.begin(), shares.end()));
  const judge::Judgement& judgement = done.total.judgement;
  EXPECT_GE(judgement.end_ns - judgement.start_ns, 240'000'000);
  EXPECT_EQ(judgement.wait.count(), done.total.acquisitions);
  EXPECT_EQ(judgement.actors.size(), 8u);
}

TEST_F(ScenarioTest, HistoriesOfFailedRoundsAreKeptAndNoOthers) {
  const proc::TempDir kept;
  const auto canary = canary::FindCanary("check-then-create")->make(7);
  for (const SubjectFactory* subject : {flock_.get(), canary.get()}) {
    CampaignPlan plan = Once(CourseOf("contention", *subject));
    plan.keep = kept.path();
    plan.duration = 100 * plan.round;
    plan.stop_at_failure = true;
    if (subject == flock_.get()) plan.duration = plan.round;
    const CourseResult done = RunCampaign(plan).courses.front();
    EXPECT_EQ(done.failed, subject == flock_.get() ? 0 : 1);
    if (done.failed == 0) {
      EXPECT_TRUE(fs::is_empty(kept.path()));
    } else {
      EXPECT_TRUE(fs::exists(done.failures.at(0).history + "/supervisor.hist"));
    }
  }
}

TEST_F(ScenarioTest, ALockThatExcludesNoThreadsIsNotPutToThem) {
  class Modest : public SubjectFactory {
   public:
    explicit Modest(const SubjectFactory& base) : base_(base) {}
    [[nodiscard]] std::string_view name() const override { return "modest"; }
    [[nodiscard]] std::unique_ptr<Subject> Make(
        const std::string& path) const override {
      return base_.Make(path);
    }
    [[nodiscard]] lockfile::Traits traits() const override {
      return {.excludes_threads = false};
    }

   private:
    const SubjectFactory& base_;
  };
  const Modest modest(*flock_);
  const CampaignResult result = RunCampaign(Once(CourseOf("threads", modest)));
  EXPECT_EQ(result.courses[0].Worst().verdict, Verdict::kUnsupported);
  EXPECT_EQ(result.courses[0].rounds, 0);
}

TEST_F(ScenarioTest, OpenLoopCountsFromTheIntendedStart) {
  Course course = CourseOf("open-loop", *flock_);
  course.plan.rate = 1000;
  course.plan.hold = Delay::Fixed(5ms);  // five times what there is time for
  course.plan.duration = 400ms;
  const CourseResult done = RunCampaign(Once(course)).courses.front();
  const ContentionResult& total = done.total;
  EXPECT_GT(total.backlog, 100) << "of about 400 arrivals 80 can be served";
  EXPECT_EQ(total.response.count(), total.acquisitions);
  // Who is served at the end was due long before; its own wait is shorter.
  EXPECT_GT(total.response.max(), 150'000'000);
  EXPECT_LT(total.judgement.wait.percentiles().p50,
            total.response.percentiles().p50);
  EXPECT_NE(course.scenario->metrics(course.plan, total).find("DID NOT KEEP"),
            std::string::npos);
}

TEST(Arrivals, AreEvenlyShared) {
  ContentionPlan plan;
  plan.processes = 4;
  plan.rate = 100;
  for (const bool poisson : {false, true}) {
    plan.poisson = poisson;
    int64_t count = 0;
    for (int index = 0; index < 4; ++index) {
      run::Arrivals arrivals(plan, index, static_cast<uint64_t>(index));
      count += arrivals.CountUntil(100s);
    }
    EXPECT_NEAR(static_cast<double>(count), 10'000, poisson ? 600 : 4);
  }
  plan.poisson = false;
  run::Arrivals third(plan, 2, 0);
  EXPECT_EQ(third.next(), std::chrono::milliseconds(20));
  third.Advance();
  EXPECT_EQ(third.next(), std::chrono::milliseconds(60));
}

TEST_F(ScenarioTest, CallsAreCountedWhereTheyGoThroughTheSeam) {
  const auto sqlite = BackendSubject("sqlite");
  const Course course = CourseOf("contention", *flock_);
  const auto calls = CallsPerAcquisition(*flock_, course.plan, 100ms);
  ASSERT_TRUE(calls.has_value());
  EXPECT_GT(*calls, 2);
  EXPECT_LT(*calls, 100);
  EXPECT_EQ(CallsPerAcquisition(*sqlite, course.plan, 100ms), std::nullopt);
}

TEST_F(ScenarioTest, AnInterruptEndsACampaignWithTheResultsSoFar) {
  proc::Child child = proc::Child::Spawn([this] {
    const proc::Interrupts interrupts;
    CampaignPlan plan = Once(CourseOf("contention", *flock_));
    plan.duration = 1000s;
    int rounds = 0;
    plan.progress = [&](const std::string&, double) {
      if (++rounds == 3) raise(SIGINT);
    };
    const CampaignResult result = RunCampaign(plan);
    proc::Interrupts::Take();
    const CourseResult& done = result.courses.front();
    return !result.complete && done.rounds == 2 &&
                   done.Worst().verdict == Verdict::kPass
               ? 0
               : 1;
  });
  const auto end = child.Wait(proc::In(60s));
  ASSERT_TRUE(end.has_value());
  EXPECT_TRUE(end->ok()) << end->Describe();
}

}  // namespace
}  // namespace locklab::scenario
