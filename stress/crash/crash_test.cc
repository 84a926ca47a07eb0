// Deaths happen where they should, and those that a broken lock cannot stand
// are found.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <ostream>
#include <set>
#include <string>

#include "conformance/canary/canary.h"
#include "conformance/proc/temp_dir.h"
#include "lib/backends.h"
#include "stress/crash/enumerate.h"

namespace locklab::crash {
namespace {

constexpr auto kNothing = [](const Result&) {};
constexpr auto kAlways = [] { return true; };

// Calls of each operation under ptrace; 0: all.
int PointsWanted() {
  const char* points = std::getenv("LOCKLAB_CRASH_POINTS");  // NOLINT
  return points == nullptr ? 4 : std::atoi(points);
}

std::vector<Operation> AllOperations() {
  std::vector<Operation> all;
  for (const OperationRow& row : Operations()) all.push_back(row.operation);
  return all;
}

TEST(Point, HasANameThatIsReadBack) {
  for (const Point& point :
       {Point{Operation::kAcquire, 7, Fate::kDieBefore},
        Point{Operation::kHold, 1, Fate::kDieAfter},
        Point{Operation::kRefresh, 2, Fate::kError, EDQUOT},
        Point{Operation::kRelease, 3, Fate::kError, EIO},
        Point{Operation::kBreak, 12, Fate::kLostReply, EEXIST}}) {
    const auto read = ParsePoint(PointName(point));
    ASSERT_TRUE(read.has_value()) << PointName(point);
    EXPECT_EQ(*read, point) << PointName(point);
  }
  for (const char* wrong :
       {"", "acquire", "acquire:1", "acquire:0:before", "acquire:x:before",
        "steal:1:before", "acquire:1:never", "acquire:1:error",
        "acquire:1:error=EWHAT", "acquire:1:lost=", "acquire:99999999999:after",
        "acquire:1:before:"}) {
    EXPECT_FALSE(ParsePoint(wrong).has_value()) << wrong;
  }
}

class Backend : public testing::TestWithParam<const lockfile::BackendRow*> {
 protected:
  proc::TempDir dir_;
  std::unique_ptr<SubjectFactory> subject_ = BackendSubject(GetParam()->name);
};

TEST_P(Backend, SurvivesEveryDeath) {
  Laboratory laboratory(*subject_, dir_.path(), EngineFor(*subject_));
  Plan plan{.operations = AllOperations(), .waiters = {0, 1, 3}};
  // A step by ptrace is slow where many processes want the processor.
  if (EngineFor(*subject_) == Engine::kPtrace) plan.sample = PointsWanted();
  const Enumeration done = Enumerate(laboratory, plan, kNothing, kAlways);
  for (const Result& result : done.results) {
    EXPECT_EQ(VerdictName(result.finding.verdict), "pass")
        << PointName(result.point) << " with " << result.point.waiters
        << " waiters: " << result.finding.reason;
    EXPECT_TRUE(result.reached);
  }
  for (const Chapter& chapter : done.chapters) {
    if (!chapter.excuse.empty()) continue;
    EXPECT_GT(chapter.reached, 0) << OperationName(chapter.operation);
    EXPECT_GT(chapter.recovery.count(), 0) << OperationName(chapter.operation);
  }
}

TEST_P(Backend, SurvivesEveryErrorAndLostReply) {
  Laboratory laboratory(*subject_, dir_.path(), Engine::kSeam);
  const Plan plan{.operations = AllOperations(),
                  .waiters = {0},
                  .deaths = false,
                  .errors = true,
                  .lost_replies = true};
  const Enumeration done = Enumerate(laboratory, plan, kNothing, kAlways);
  for (const Result& result : done.results) {
    EXPECT_EQ(VerdictName(result.finding.verdict), "pass")
        << PointName(result.point) << " with " << result.point.waiters
        << " waiters: " << result.finding.reason;
  }
}

// --- what a broken lock cannot stand ----------------------------------------

struct Broken {
  const char* canary;
  Operation operation;
  const char* says;  // part of the reason of some point
};

void PrintTo(const Broken& broken, std::ostream* out) { *out << broken.canary; }

class Canary : public testing::TestWithParam<Broken> {};

TEST_P(Canary, IsFound) {
  const Broken& broken = GetParam();
  const proc::TempDir dir;
  const canary::Canary* bird = canary::FindCanary(broken.canary);
  ASSERT_NE(bird, nullptr);
  const auto subject = bird->make(1);
  Laboratory laboratory(*subject, dir.path(), Engine::kSeam,
                        std::chrono::milliseconds(500));
  ASSERT_EQ(laboratory.Excuse(broken.operation), "");
  bool found = false;
  const Plan plan{.operations = {broken.operation}, .waiters = {0, 2}};
  (void)Enumerate(
      laboratory, plan,
      [&](const Result& result) {
        found |= result.finding.verdict == Verdict::kFail &&
                 result.finding.reason.find(broken.says) != std::string::npos;
      },
      [&] { return !found; });
  EXPECT_TRUE(found) << "no point says: " << broken.says;
}

INSTANTIATE_TEST_SUITE_P(
    Broken, Canary,
    testing::Values(
        Broken{"private-database", Operation::kHold, "got the lock while"},
        Broken{"no-lock", Operation::kRelease, "got the lock while"},
        Broken{"empty-is-held", Operation::kAcquire, "not to be had"},
        Broken{"everybody-is-dead", Operation::kRelease, "got the lock while"}),
    [](const auto& info) {
      std::string name = info.param.canary;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

TEST(Laboratory, ProvesThatADeathHappenedWhereItShould) {
  const proc::TempDir dir;
  const auto subject = BackendSubject("link");
  Laboratory laboratory(*subject, dir.path(), Engine::kSeam);
  const Result before = laboratory.Try({Operation::kAcquire, 2});
  EXPECT_TRUE(before.reached);
  EXPECT_EQ(before.calls, 2);
  EXPECT_NE(before.call, "");
  EXPECT_GE(before.recovery_ns, 0);
  const Result never = laboratory.Try({Operation::kAcquire, 400});
  EXPECT_FALSE(never.reached);
  EXPECT_GT(never.calls, 2) << "an acquire makes more than two";
  EXPECT_EQ(never.recovery_ns, -1) << "nobody died";
  EXPECT_EQ(VerdictName(never.finding.verdict), "pass");
}

// Both ways to a point agree on what follows, for a lock whose every call
// passes the seam.
TEST(Laboratory, IsOfOneMindWithTheKernel) {
  const proc::TempDir dir;
  const auto subject = BackendSubject("link");
  Laboratory laboratory(*subject, dir.path(), Engine::kPtrace);
  if (!laboratory.Excuse(Operation::kHold).empty()) {
    GTEST_SKIP() << laboratory.Excuse(Operation::kHold);
  }
  const Plan plan{.operations = {Operation::kAcquire, Operation::kRelease,
                                 Operation::kBreak},
                  .waiters = {0, 1}};
  const Enumeration done = Enumerate(laboratory, plan, kNothing, kAlways);
  std::set<std::string> calls;
  for (const Result& result : done.results) {
    EXPECT_EQ(VerdictName(result.finding.verdict), "pass")
        << PointName(result.point) << ": " << result.finding.reason;
    calls.insert(result.call);
  }
  EXPECT_TRUE(calls.contains("link") || calls.contains("linkat"));
  EXPECT_TRUE(calls.contains("unlink") || calls.contains("unlinkat"));
}

// A sample covers all of an operation, and is the same for the same seed.
TEST(Enumerate, TriesAFewCallsOfEachOperation) {
  const proc::TempDir dir;
  const auto subject = BackendSubject("link");
  Laboratory laboratory(*subject, dir.path(), Engine::kSeam);
  Plan plan{.operations = {Operation::kAcquire, Operation::kRelease},
            .waiters = {0},
            .sample = 3,
            .seed = 7};
  const auto names = [&] {
    std::vector<std::string> all;
    for (const Result& result :
         Enumerate(laboratory, plan, kNothing, kAlways).results) {
      EXPECT_TRUE(result.reached) << PointName(result.point);
      all.push_back(PointName(result.point));
    }
    return all;
  };
  const std::vector<std::string> first = names();
  EXPECT_EQ(first.size(), 2U * 2 * 3) << "before and after";
  EXPECT_EQ(std::set<std::string>(first.begin(), first.end()).size(),
            first.size());
  EXPECT_EQ(names(), first);
  bool differs = false;
  for (plan.seed = 8; plan.seed < 20 && !differs; ++plan.seed) {
    differs = names() != first;
  }
  EXPECT_TRUE(differs);
}

TEST(Laboratory, LeavesNothingBehind) {
  const proc::TempDir dir;
  const auto subject = BackendSubject("flock");
  {
    Laboratory laboratory(*subject, dir.path(), Engine::kSeam);
    for (int call = 1; call < 5; ++call) {
      (void)laboratory.Try({Operation::kAcquire, call});
    }
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(Laboratory, TellsADirectoryThatIsGoneFromALockThatFails) {
  const auto subject = BackendSubject("link");
  Laboratory laboratory(*subject, "/nonexistent/dir", Engine::kSeam);
  const Result result = laboratory.Try({Operation::kAcquire, 1});
  EXPECT_EQ(VerdictName(result.finding.verdict), "inconclusive");
  EXPECT_NE(result.finding.reason.find("/nonexistent/dir"), std::string::npos);
}

std::vector<const lockfile::BackendRow*> AllBackends() {
  std::vector<const lockfile::BackendRow*> all;
  for (const auto& row : lockfile::Backends()) all.push_back(&row);
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, Backend, testing::ValuesIn(AllBackends()),
                         [](const auto& info) {
                           return std::string(info.param->name);
                         });

}  // namespace
}  // namespace locklab::crash
