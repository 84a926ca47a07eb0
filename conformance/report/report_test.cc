#include "conformance/report/report.h"

#include <gtest/gtest.h>

namespace locklab::report {
namespace {

ClaimResult Must(Verdict verdict, std::string reason = "seen") {
  return {.id = "a.claim",
          .level = Level::kMust,
          .finding = {verdict, std::move(reason)},
          .replay = ""};
}

ClaimResult Should(Verdict verdict) {
  ClaimResult claim = Must(verdict);
  claim.level = Level::kShould;
  return claim;
}

ClaimResult Fact(Verdict verdict) {
  ClaimResult claim = Must(verdict);
  claim.level = Level::kReport;
  return claim;
}

BackendReport Backend(std::vector<ClaimResult> claims) {
  BackendReport backend;
  backend.name = "link";
  backend.complete = true;
  backend.claims = std::move(claims);
  return backend;
}

BackendReport Unsupported() {
  BackendReport backend = Backend({});
  backend.supported = false;
  backend.reason = "no hard links";
  return backend;
}

RunReport Judged(std::vector<BackendReport> backends, bool caught = true) {
  RunReport report;
  report.backends = std::move(backends);
  report.canary = Canary{.name = "naive", .caught = caught, .reason = ""};
  Judge(&report);
  return report;
}

struct WorthCase {
  const char* name;
  std::vector<ClaimResult> claims;
  Worth worth;
  const char* reason;
};

void PrintTo(const WorthCase& c, std::ostream* out) { *out << c.name; }

class WorthTest : public testing::TestWithParam<WorthCase> {};

TEST_P(WorthTest, FollowsFromTheClaims) {
  const RunReport report = Judged({Backend(GetParam().claims)});
  EXPECT_EQ(WorthName(report.backends[0].worth), WorthName(GetParam().worth));
  EXPECT_EQ(report.backends[0].reason, GetParam().reason);
}

INSTANTIATE_TEST_SUITE_P(
    Verdicts, WorthTest,
    testing::Values(
        WorthCase{"all passed", {Must(Verdict::kPass)}, Worth::kSafe, ""},
        WorthCase{"nothing examined",
                  {Must(Verdict::kUnsupported)},
                  Worth::kInconclusive,
                  "no claim was examined"},
        WorthCase{"one failed",
                  {Must(Verdict::kPass), Must(Verdict::kFail, "two holders")},
                  Worth::kUnsafe,
                  "a.claim: two holders"},
        WorthCase{"several failed",
                  {Must(Verdict::kFail, "one"), Must(Verdict::kFail, "two")},
                  Worth::kUnsafe,
                  "a.claim: one (and 1 more)"},
        WorthCase{"an expected failure is a failure of the lock",
                  {Must(Verdict::kXfail, "known")},
                  Worth::kUnsafe,
                  "a.claim: known"},
        WorthCase{"a failure outweighs doubt",
                  {Must(Verdict::kInconclusive), Must(Verdict::kFail, "two")},
                  Worth::kUnsafe,
                  "a.claim: two"},
        WorthCase{"doubt",
                  {Must(Verdict::kPass), Must(Verdict::kInconclusive, "slow")},
                  Worth::kInconclusive,
                  "a.claim: slow"},
        WorthCase{"doubt about a SHOULD",
                  {Must(Verdict::kPass), Should(Verdict::kInconclusive)},
                  Worth::kSafe,
                  ""},
        WorthCase{"a SHOULD failed",
                  {Must(Verdict::kPass), Should(Verdict::kFail)},
                  Worth::kSafe,
                  "1 SHOULD claim failed"},
        WorthCase{"a REPORT failed, which is a fact and no fault",
                  {Must(Verdict::kPass), Fact(Verdict::kFail)},
                  Worth::kSafe,
                  ""}));

TEST(JudgeTest, ViolationsUnderContentionAreUnsafe) {
  BackendReport backend = Backend({Must(Verdict::kPass)});
  backend.contention = Contention{.processes = 8, .violations = 3};
  const RunReport report = Judged({backend});
  EXPECT_EQ(report.backends[0].worth, Worth::kUnsafe);
  EXPECT_EQ(ExitCodeOf(report), kExitFailed);
}

TEST(JudgeTest, KeepsTheReasonOfTheProbe) {
  const RunReport report = Judged({Unsupported()});
  EXPECT_EQ(report.backends[0].worth, Worth::kUnsupported);
  EXPECT_EQ(report.backends[0].reason, "no hard links");
}

TEST(JudgeTest, BelievesNoPassThatTheCanarySurvived) {
  const RunReport report = Judged({Backend({Must(Verdict::kPass)})}, false);
  EXPECT_EQ(report.backends[0].worth, Worth::kInconclusive);
}

TEST(JudgeTest, BelievesAFailureThatTheCanarySurvived) {
  const RunReport report = Judged({Backend({Must(Verdict::kFail)})}, false);
  EXPECT_EQ(report.backends[0].worth, Worth::kUnsafe);
}

TEST(JudgeTest, ABackendThatWasCutShortIsInconclusive) {
  RunReport report = Judged({Backend({Must(Verdict::kPass)})});
  report.backends[0].complete = false;
  report.cut_short = "SIGINT";
  Judge(&report);
  EXPECT_EQ(report.backends[0].worth, Worth::kInconclusive);
  EXPECT_EQ(report.backends[0].reason, "SIGINT");
}

struct ExitCase {
  const char* name;
  std::vector<BackendReport> backends;
  bool caught;
  const char* cut_short;
  std::vector<std::string> missing;
  Exit code;
};

void PrintTo(const ExitCase& c, std::ostream* out) { *out << c.name; }

class ExitCodeTest : public testing::TestWithParam<ExitCase> {};

TEST_P(ExitCodeTest, FollowsFromTheReport) {
  RunReport report = Judged(GetParam().backends, GetParam().caught);
  report.cut_short = GetParam().cut_short;
  report.missing = GetParam().missing;
  EXPECT_EQ(ExitCodeOf(report), GetParam().code);
}

const BackendReport kGood = Backend({Must(Verdict::kPass)});
const BackendReport kBad = Backend({Must(Verdict::kFail)});
const BackendReport kKnownBad = Backend({Must(Verdict::kXfail)});
// As where two holders are what is expected of a filesystem.
BackendReport TwoHolders(Verdict exclusion) {
  BackendReport backend = Backend({Must(exclusion)});
  backend.claims[0].id = "exclusion.two_processes";
  backend.contention = Contention{.processes = 8, .violations = 3};
  return backend;
}
const BackendReport kSurprise = Backend({Must(Verdict::kXpass)});
const BackendReport kDoubtful = Backend({Must(Verdict::kInconclusive)});

INSTANTIATE_TEST_SUITE_P(
    ExitCodes, ExitCodeTest,
    testing::Values(
        ExitCase{"good", {kGood}, true, "", {}, kExitOk},
        ExitCase{
            "one unsupported", {kGood, Unsupported()}, true, "", {}, kExitOk},
        ExitCase{"one failed", {kGood, kBad}, true, "", {}, kExitFailed},
        ExitCase{"expected failure", {kGood, kKnownBad}, true, "", {}, kExitOk},
        ExitCase{"two holders",
                 {TwoHolders(Verdict::kPass)},
                 true,
                 "",
                 {},
                 kExitFailed},
        ExitCase{"two holders as expected",
                 {TwoHolders(Verdict::kXfail)},
                 true,
                 "",
                 {},
                 kExitOk},
        ExitCase{"unexpected pass", {kSurprise}, true, "", {}, kExitFailed},
        ExitCase{"a SHOULD failed",
                 {Backend({Must(Verdict::kPass), Should(Verdict::kFail)})},
                 true,
                 "",
                 {},
                 kExitOk},
        ExitCase{"no backend", {}, true, "", {}, kExitNothingRan},
        ExitCase{
            "none supported", {Unsupported()}, true, "", {}, kExitNothingRan},
        ExitCase{"doubt", {kGood, kDoubtful}, true, "", {}, kExitInconclusive},
        ExitCase{"canary got away", {kGood}, false, "", {}, kExitInconclusive},
        ExitCase{"failure outweighs", {kBad}, false, "SIGINT", {}, kExitFailed},
        ExitCase{"cut short", {kGood}, true, "SIGINT", {}, kExitInconclusive},
        ExitCase{"cut short early", {}, false, "SIGINT", {}, kExitInconclusive},
        ExitCase{
            "required", {kGood}, true, "", {"sqlite"}, kExitMissingFeature},
        ExitCase{
            "required, failed", {kBad}, true, "", {"sqlite"}, kExitFailed}));

}  // namespace
}  // namespace locklab::report
