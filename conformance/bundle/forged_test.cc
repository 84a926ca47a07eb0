// Bundles that somebody sealed again after changing what is in them: every
// digest is right, and the verdicts do not follow.
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "conformance/bundle/bundle.h"
#include "conformance/bundle/scenario.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace locklab::bundle {
namespace {

using ::testing::HasSubstr;

std::string DiscrepanciesOf(Scenario& scenario,
                            const report::RunReport& report) {
  std::string out;
  for (const std::string& line : scenario.Bundled(report).discrepancies) {
    out += line + "\n";
  }
  return out;
}

struct Forgery {
  const char* what;
  void (*forge)(report::RunReport* report);
  const char* found;
};

void CallSafe(report::BackendReport* backend) {
  backend->worth = report::Worth::kSafe;
  backend->reason = "";
}

// In all: verdict, claims, numbers.
void CallBrokenSound(report::RunReport* report) {
  report::BackendReport& broken = report->backends[1];
  broken.contention->violations = 0;
  broken.claims[0].finding = Finding::Pass();
  report::Judge(report);
}

const Forgery kForgeries[] = {
    {"a verdict",
     [](report::RunReport* report) { CallSafe(&report->backends[1]); },
     "broken: safe in the report, and unsafe follows from its claims: "
     "exclusion.two_processes: "},
    {"a verdict and its claims", CallBrokenSound,
     "broken exclusion.two_processes: pass in the report, and fail by its "
     "history: "},
    {"a verdict, its claims and its numbers", CallBrokenSound,
     "broken: violations is 0 in the report, and 1 by its history: actor 2 "
     "acquired the lock"},
    {"a claim that was left out",
     [](report::RunReport* report) {
       CallBrokenSound(report);
       report->backends[1].claims.erase(report->backends[1].claims.begin());
       report::Judge(report);
     },
     "broken: violations is 0 in the report, and 1 by its history"},
    {"a claim called unsupported",
     [](report::RunReport* report) {
       report->backends[1].claims[0].finding = Finding::Unsupported("no");
       report::Judge(report);
     },
     "broken exclusion.two_processes: unsupported in the report, and fail by"},
    {"a slander",
     [](report::RunReport* report) {
       report->backends[0].claims[0].finding = Finding::Fail("it is bad");
       report::Judge(report);
     },
     "link exclusion.two_processes: fail in the report, and pass by its"},
    {"a lock that nobody else gets any more",
     [](report::RunReport* report) {
       report->backends[0].claims.push_back({.id = "crash.every_point_recovers",
                                             .level = Level::kMust,
                                             .finding = Finding::Pass(),
                                             .replay = ""});
       report->backends[0].crash = {{.point = "acquire:3:after",
                                     .waiters = 1,
                                     .call = "Link job.lock",
                                     .verdict = Verdict::kFail,
                                     .reason = "not to be had",
                                     .recovery_ns = {}}};
       report::Judge(report);
     },
     "link crash.every_point_recovers: pass in the report, and fail at "
     "acquire:3:after"},
    {"a quicker lock",
     [](report::RunReport* report) {
       report->backends[0].contention->wait_ns.p99 = 1;
     },
     "link: wait_ns.p99 is 1 in the report, and 1000 by its history"},
    {"a fairer lock",
     [](report::RunReport* report) {
       report->backends[0].contention->jain = 0.5;
     },
     "link: jain is 0.5 in the report, and 1 by its history"},
    {"more work",
     [](report::RunReport* report) {
       report->backends[0].contention->acquisitions = 4000;
     },
     "link: acquisitions is 4000 in the report, and 200 by its history"},
    {"another seed",
     [](report::RunReport* report) { report->context.seed = 7; },
     "a log of its history is of a run with seed 42, and the report says 7"},
    {"another lock's history",
     [](report::RunReport* report) {
       std::swap(report->backends[0].name, report->backends[1].name);
       report::Judge(report);
     },
     "broken: violations is 0 in the report, and 1 by its history"},
    {"fewer processes",
     [](report::RunReport* report) {
       report->backends[0].contention->processes = 2;
     },
     "link: its history is of 4 processes, and the report says 2"},
    {"no contention",
     [](report::RunReport* report) {
       report->backends[0].contention.reset();
       report::Judge(report);
     },
     "link: there is a history, and the report has no contention"},
    {"a lock that vanished",
     [](report::RunReport* report) {
       report->backends.pop_back();
       report::Judge(report);
     },
     "history/broken/actor-00000.hist: does not belong to anything"},
    {"an expectation that nobody had",
     [](report::RunReport* report) {
       report->backends[1].claims[0].finding.verdict = Verdict::kXfail;
       report::Judge(report);
     },
     "broken exclusion.two_processes: is xfail in the report, and fail by the"},
    {"a recommendation",
     [](report::RunReport* report) {
       report->recommendation =
           report::Recommendation{.backend = "broken", .reason = "trust me"};
     },
     "the report recommends broken, and link follows from its claims"},
    {"a canary that was not caught so",
     [](report::RunReport* report) { report->canary->reason = "seen"; },
     "canary bird: what was seen of it is not what its history shows: 1 time"},
    {"another canary",
     [](report::RunReport* report) { report->canary->name = "cat"; },
     "canary cat: a log of its history is of the lock bird"},
    {"a canary that got away",
     [](report::RunReport* report) { report->canary->caught = false; },
     "link: safe in the report, and inconclusive follows from its claims"},
    {"a lock that was not examined to its end",
     [](report::RunReport* report) { report->backends[0].complete = false; },
     "link: safe in the report, and inconclusive follows from its claims"},
    {"a reason",
     [](report::RunReport* report) { report->backends[1].reason = "fine"; },
     "broken: its reason does not follow from its claims"},
};

TEST(ForgedTest, IsFoundByJudgingAgain) {
  for (const Forgery& forgery : kForgeries) {
    Scenario scenario;
    ASSERT_EQ(DiscrepanciesOf(scenario, scenario.report), "");
    report::RunReport forged = scenario.report;
    forgery.forge(&forged);
    const std::string found = DiscrepanciesOf(scenario, forged);
    EXPECT_NE(found.find(forgery.found), std::string::npos)
        << forgery.what << ":\n"
        << found;
  }
}

struct Edit {
  const char* member;
  const char* from;
  const char* to;
  const char* found;
};

TEST(ForgedTest, TextThatWasSealedAgainIsFound) {
  const Edit edits[] = {
      {"report.json", "\"exit_code\": 1", "\"exit_code\": 0",
       "the exit code is 0 in the report, and 1 follows from its claims"},
      {"report.json", "\"seed\": 42", "\"seed\": 42, \"seed\": 42",
       "report.json: is not as locklab writes it"},
      {"report.json", "\"verdict\": \"safe\"", "\"verdict\": \"save\"",
       "report.json: backends[0].verdict: must be one of"},
      {"manifest.json", "\"seed\": 42", "\"seed\": 43",
       "manifest.json: what it says of the run is not what report.json says"},
      {"manifest.json", "\"dir\": \"/d\"", "\"dir\": \"/e\"",
       "manifest.json: what it says of the run is not what report.json says"},
  };
  for (const Edit& edit : edits) {
    Scenario scenario;
    const std::string path = scenario.path("b.tar.gz");
    (void)scenario.Bundled(scenario.report);
    std::vector<Member> members = MembersOf(path);
    Replace(&Find(members, edit.member).text, edit.from, edit.to);
    Rewrite(path, members, /*sealed=*/true);
    std::string found;
    for (const std::string& line : Verify(path).discrepancies) found += line;
    EXPECT_NE(found.find(edit.found), std::string::npos) << edit.to << ":\n"
                                                         << found;
  }
}

TEST(ForgedTest, HistoriesThatWereLeftOutAreFound) {
  Scenario scenario;
  const std::string path = scenario.path("b.tar.gz");
  (void)scenario.Bundled(scenario.report);
  std::vector<Member> members = MembersOf(path);
  std::erase_if(members, [](const Member& member) {
    return member.name.starts_with("history/broken/");
  });
  Rewrite(path, members, /*sealed=*/true);
  const Verification verified = Verify(path);
  ASSERT_EQ(verified.discrepancies.size(), 1u);
  EXPECT_EQ(verified.discrepancies[0],
            "broken: there is no history of its 200 acquisitions, so they "
            "cannot be judged again");
}

TEST(ForgedTest, ExpectationsThatWereLeftOutAreFound) {
  Scenario scenario;
  scenario.report.context.expectations = {"ext4.expect"};
  EXPECT_EQ(DiscrepanciesOf(scenario, scenario.report), "");
  std::filesystem::remove_all(scenario.run_dir() + "/expectations");
  EXPECT_EQ(DiscrepanciesOf(scenario, scenario.report),
            "the report says that expectations were given, and there is no "
            "copy of them\n");
}

TEST(ForgedTest, WhatIsExpectedIsWhatTheExpectationsSay) {
  Scenario scenario;
  const std::string copy = scenario.run_dir() + "/expectations/ext4.expect";
  const auto say = [&copy](const char* text) { std::ofstream(copy) << text; };
  report::RunReport& report = scenario.report;
  report.context.expectations = {"ext4.expect"};
  report::ClaimResult& claim = report.backends[1].claims[0];
  claim.finding.verdict = Verdict::kXfail;
  claim.expected = report::Expectation{
      .reason = "known", .link = "", .where = "ext4.expect:1"};
  report::Judge(&report);
  say("* broken exclusion.two_processes fails known\n");
  EXPECT_EQ(DiscrepanciesOf(scenario, report), "");
  say("* broken load.* fails known\n");
  EXPECT_THAT(DiscrepanciesOf(scenario, report),
              HasSubstr("broken exclusion.two_processes: is xfail in the "
                        "report, and fail by the expectations"));
  EXPECT_THAT(DiscrepanciesOf(scenario, report),
              HasSubstr("broken load.progress: is pass in the report, and "
                        "xpass by the expectations"));
  say("* broken exclusion.two_processes fails otherwise\n");
  EXPECT_THAT(DiscrepanciesOf(scenario, report),
              HasSubstr("why it is expected is not what"));
  say("nonsense\n");
  EXPECT_THAT(DiscrepanciesOf(scenario, report),
              HasSubstr("the expectations cannot be read: ext4.expect:1"));
}

TEST(ForgedTest, ACanaryThatNobodyCaughtIsFound) {
  Scenario scenario;
  const std::string path = scenario.path("b.tar.gz");
  (void)scenario.Bundled(scenario.report);
  std::vector<Member> members = MembersOf(path);
  // One actor alone sees no other.
  std::erase_if(members, [](const Member& member) {
    return member.name.starts_with("history/canary/") &&
           member.name.find("00001") == std::string::npos;
  });
  Rewrite(path, members, /*sealed=*/true);
  Verification verified = Verify(path);
  ASSERT_EQ(verified.discrepancies.size(), 1u);
  EXPECT_EQ(verified.discrepancies[0],
            "canary bird: caught in the report, and pass by its history");
  std::erase_if(members, [](const Member& member) {
    return member.name.starts_with("history/canary/");
  });
  Rewrite(path, members, /*sealed=*/true);
  verified = Verify(path);
  ASSERT_EQ(verified.discrepancies.size(), 1u);
  EXPECT_NE(verified.discrepancies[0].find("there is no history of it"),
            std::string::npos);
}

TEST(ForgedTest, AnEventThatWasChangedIsFound) {
  Scenario scenario;
  const std::string path = scenario.path("b.tar.gz");
  (void)scenario.Bundled(scenario.report);
  std::vector<Member> members = MembersOf(path);
  std::string& log = Find(members, "history/link/actor-00001.hist").text;
  log[log.size() - 32] = static_cast<char>(log[log.size() - 32] ^ 4);
  Rewrite(path, members, /*sealed=*/true);
  const Verification verified = Verify(path);
  ASSERT_FALSE(verified.discrepancies.empty());
  EXPECT_NE(verified.discrepancies[0].find("link: its history cannot be read"),
            std::string::npos)
      << verified.discrepancies[0];
}

}  // namespace
}  // namespace locklab::bundle
