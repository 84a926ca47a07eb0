// The standard canary is caught, every time, and no sound lock ever is.
#include "stress/run/detector.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "conformance/proc/temp_dir.h"
#include "conformance/subject/subject.h"
#include "stress/run/contention.h"

namespace locklab::run {
namespace {

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

}  // namespace
}  // namespace locklab::run
