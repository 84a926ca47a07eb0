// Every broken lock is caught, every time, and no sound one ever is.
#include "stress/run/detector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "conformance/canary/canary.h"
#include "conformance/claims/claim.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/subject/subject.h"
#include "stress/run/contention.h"

namespace locklab::run {
namespace {

using std::chrono_literals::operator""s;

constexpr uint64_t kRepetitions = 100;

TEST(Detector, CatchesTheStandardCanaryEachTime) {
  const proc::TempDir dir;
  for (uint64_t seed = 1; seed <= kRepetitions; ++seed) {
    const Detection detection = ProveDetector(dir.path(), seed);
    ASSERT_TRUE(detection.caught)
        << "seed " << seed << ": " << detection.reason;
    EXPECT_EQ(detection.canary, "check-then-create");
  }
}

TEST(Detector, IsNotProvenWhereNothingCanBeMade) {
  const Detection detection = ProveDetector("/nonexistent/dir", 1);
  EXPECT_FALSE(detection.caught);
  EXPECT_NE(detection.reason.find("/nonexistent/dir"), std::string::npos);
}

class Sound : public testing::TestWithParam<std::string> {};

TEST_P(Sound, LocksRaiseNoAlarm) {
  const proc::TempDir dir;
  const auto subject = BackendSubject(GetParam());
  // All backends together get as many repetitions as the canary.
  const uint64_t repetitions = kRepetitions / lockfile::Backends().size() + 1;
  for (uint64_t seed = 1; seed <= repetitions; ++seed) {
    const ContentionResult result =
        RunContention(*subject, DetectorPlan(dir.path(), seed));
    for (const Finding& finding :
         {result.exclusion, result.coherence, result.progress}) {
      ASSERT_EQ(finding.verdict, Verdict::kPass)
          << "seed " << seed << ": " << finding.reason;
    }
  }
}

std::vector<std::string> AllBackends() {
  std::vector<std::string> names;
  for (const lockfile::BackendRow& row : lockfile::Backends()) {
    names.emplace_back(row.name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, Sound, testing::ValuesIn(AllBackends()),
                         [](const auto& info) { return info.param; });

class CanaryTest : public testing::TestWithParam<const canary::Canary*> {};

TEST_P(CanaryTest, IsCaughtByItsClaim) {
  const canary::Canary& canary = *GetParam();
  const Claim* claim = FindClaim(canary.claim);
  ASSERT_NE(claim, nullptr) << canary.claim;
  const proc::TempDir dir;
  ContentionArena arena;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const auto factory = canary.make(seed);
    const Finding finding = RunClaim(
        *claim,
        {.subject = *factory, .arena = arena, .dir = dir.path(), .seed = seed},
        60s);
    EXPECT_EQ(finding.verdict, Verdict::kFail)
        << "seed " << seed << ": " << VerdictName(finding.verdict) << ", "
        << finding.reason;
  }
}

std::vector<const canary::Canary*> AllCanaries() {
  std::vector<const canary::Canary*> rows;
  for (const canary::Canary& row : canary::Canaries()) rows.push_back(&row);
  return rows;
}

INSTANTIATE_TEST_SUITE_P(All, CanaryTest, testing::ValuesIn(AllCanaries()),
                         [](const auto& info) {
                           std::string name(info.param->name);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace locklab::run
