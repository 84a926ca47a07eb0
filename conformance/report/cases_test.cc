#include "conformance/report/cases.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "conformance/report/sample.h"

namespace locklab::report {
namespace {

TEST(CasesTest, AreRedIfAndOnlyIfTheExitCodeIsNotZero) {
  std::set<int> codes;
  for (const Sample& sample : Samples()) {
    bool red = false;
    for (const Suite& suite : SuitesOf(sample.report)) {
      EXPECT_FALSE(suite.cases.empty()) << sample.name << " " << suite.name;
      red |= std::any_of(suite.cases.begin(), suite.cases.end(), IsRed);
    }
    const Exit code = ExitCodeOf(sample.report);
    EXPECT_EQ(red, code != kExitOk) << sample.name << ", exit code " << code;
    codes.insert(code);
  }
  EXPECT_EQ(codes, (std::set<int>{0, 1, 3, 4, 5})) << "the samples lack some";
}

TEST(CasesTest, HoldEveryClaimOfEveryBackend) {
  const RunReport report = FullReport();
  const std::vector<Suite> suites = SuitesOf(report);
  ASSERT_EQ(suites.size(), 2 + report.backends.size());
  EXPECT_EQ(suites[0].name, "run");
  EXPECT_EQ(suites[1].name, "primitives");
  EXPECT_EQ(suites[1].cases.size(), report.primitives.size());
  for (size_t i = 0; i < report.backends.size(); ++i) {
    EXPECT_EQ(suites[i + 2].name, report.backends[i].name);
    EXPECT_GE(suites[i + 2].cases.size(), report.backends[i].claims.size());
  }
}

TEST(CasesTest, SayWhyAFailureWasExpected) {
  const std::vector<Suite> suites = SuitesOf(FullReport());
  const auto expected = std::find_if(
      suites[2].cases.begin(), suites[2].cases.end(),
      [](const Case& item) { return item.outcome == Outcome::kExpected; });
  ASSERT_NE(expected, suites[2].cases.end());
  EXPECT_EQ(expected->message,
            "what was seen; as expected: the server does not do this, "
            "https://example.org/bug/1?a=b&c=d (nfs.expect:12)");
}

}  // namespace
}  // namespace locklab::report
