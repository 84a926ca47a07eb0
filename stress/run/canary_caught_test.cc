// Every canary is caught by the claim that is about its fault, and by what
// follows from it: the proof that the suite finds what it claims to find.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conformance/canary/canary.h"
#include "conformance/claims/claim.h"
#include "conformance/claims/network.h"
#include "conformance/proc/temp_dir.h"
#include "stress/run/contention.h"
#include "stress/scenarios/trial.h"

namespace locklab::run {
namespace {

using namespace std::chrono_literals;
using canary::Canary;

struct Case {
  const Canary* canary;
  std::string_view claim;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.canary->name << " / " << c.claim;
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const Canary& row : canary::Canaries()) {
    for (const std::string_view claim : row.claims()) {
      cases.push_back({&row, claim});
    }
  }
  return cases;
}

std::string NameOf(const testing::TestParamInfo<Case>& info) {
  std::string name(info.param.canary->name);
  name.append("_by_").append(info.param.claim);
  const auto bad = [](char c) { return c == '.' || c == '-'; };
  std::replace_if(name.begin(), name.end(), bad, '_');
  return name;
}

class WholeArena final : public ContentionArena {
 public:
  WholeArena(std::string dir, uint64_t seed)
      : dir_(std::move(dir)), seed_(seed) {}
  std::optional<Finding> Tried(Trial trial,
                               const SubjectFactory& subject) override {
    if (trial != Trial::kScenarios) return std::nullopt;
    return scenario::TryScenarios(subject,
                                  {.dir = dir_, .replay = "", .seed = seed_},
                                  [] { return true; });
  }

 private:
  const std::string dir_;
  const uint64_t seed_;
};

class CanaryTest : public testing::TestWithParam<Case> {};

// As often as a check tries its canary: a contest on a machine that is busy
// with other things may let two pass each other.
constexpr int kContests = 4;

TEST_P(CanaryTest, IsCaught) {
  const auto& [canary, id] = GetParam();
  const Claim* claim = FindClaim(id);
  ASSERT_NE(claim, nullptr);
  const proc::TempDir dir;
  chmod(dir.path().c_str(), 0755);  // Other users take part.
  // Who does not keep a lock is caught before anything has to fail.
  setenv(claims::kFaultsVariable, "/bin/true", 1);
  Finding finding;
  // Another each time: what a canary needs luck for is found to be so.
  static uint64_t seed = 0;
  for (int i = 0; i < (claim->contest ? kContests : 1); ++i) {
    const auto factory = canary->make(++seed);
    WholeArena arena(dir.path(), seed);
    finding = RunClaim(*claim,
                       {.subject = *factory,
                        .arena = arena,
                        .dir = dir.path(),
                        .seed = seed,
                        .other_dir = dir.path() + "/."},
                       canary->says == "hung" ? 500ms : 60000ms);
    if (finding.verdict == Verdict::kFail) break;
  }
  if (finding.verdict == Verdict::kUnsupported) {
    GTEST_SKIP() << finding.reason;
  }
  EXPECT_EQ(VerdictName(finding.verdict), "fail")
      << "seed " << seed << ": " << finding.reason;
  EXPECT_NE(finding.reason.find(canary->says), std::string::npos)
      << finding.reason;
  RecordProperty("reason", finding.reason);
}

// The suite must be shown to find whatever it claims to find.
TEST(Canaries, EveryClaimAboutLocksHasOne) {
  std::set<std::string_view> caught;
  for (const Case& row : Cases()) caught.insert(row.claim);
  for (const Claim& claim : Claims()) {
    // What the directory does is bent by the tests of the primitives.
    if (claim.primitive) continue;
    EXPECT_TRUE(caught.contains(claim.id))
        << claim.id << ": no lock in conformance/canary/ is broken so that "
        << "this claim fails: add one, or name the claim in `also` of one";
  }
}

INSTANTIATE_TEST_SUITE_P(All, CanaryTest, testing::ValuesIn(Cases()), NameOf);

}  // namespace
}  // namespace locklab::run
