#include "stress/run/facts.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

namespace locklab::run {
namespace {

// A run without fault: 100 acquisitions by 2 workers.
Facts Good() {
  Facts facts;
  facts.processes = 2;
  facts.contenders = 2;
  facts.floor = 100;
  facts.updates = 100;
  facts.counter = 100;
  facts.judgement.acquisitions = 100;
  facts.judgement.actors = {{.actor = 0, .acquisitions = 50},
                            {.actor = 1, .acquisitions = 50}};
  return facts;
}

void Overlap(Facts& facts) {
  facts.judgement.violations = 1;
  facts.judgement.evidence = {{.holder = 0, .intruder = 1}};
}

void Clash(Facts& facts) {
  facts.clashes = 1;
  facts.first_clashes = {{.intruder = 1, .holder = 0}};
}

struct Case {
  const char* name;
  void (*change)(Facts& facts);
  Verdict exclusion;
  Verdict coherence;
  Verdict progress;
  const char* says = "";  // one of the reasons
};

class ConcludeTest : public testing::TestWithParam<Case> {};

TEST_P(ConcludeTest, FindsWhatTheFactsSay) {
  Facts facts = Good();
  GetParam().change(facts);
  const ContentionResult result = Conclude(facts);
  EXPECT_EQ(result.exclusion.verdict, GetParam().exclusion);
  EXPECT_EQ(result.coherence.verdict, GetParam().coherence);
  EXPECT_EQ(result.progress.verdict, GetParam().progress);
  const std::string reasons = result.exclusion.reason + "|" +
                              result.coherence.reason + "|" +
                              result.progress.reason;
  EXPECT_NE(reasons.find(GetParam().says), std::string::npos) << reasons;
}

constexpr Verdict kPass = Verdict::kPass;
constexpr Verdict kFail = Verdict::kFail;
constexpr Verdict kOpen = Verdict::kInconclusive;

INSTANTIATE_TEST_SUITE_P(
    All, ConcludeTest,
    testing::Values(
        Case{"NothingWrong", [](Facts&) {}, kPass, kPass, kPass},
        Case{"BothWitnessesSawTwoHolders",
             [](Facts& facts) {
               Overlap(facts);
               Clash(facts);
             },
             kFail, kPass, kPass, "actor 1 acquired the lock at"},
        Case{"OnlyTheHistoryDid", Overlap, kOpen, kPass, kPass,
             "the owner word saw none"},
        Case{"OnlyTheOwnerWordDid", Clash, kOpen, kPass, kPass,
             "the history has no overlap"},
        Case{"TroubleMakesAPassInconclusive",
             [](Facts& facts) { facts.trouble = "worker 1 was killed"; }, kOpen,
             kOpen, kOpen, "worker 1 was killed"},
        Case{"TroubleDoesNotExcuseTwoHolders",
             [](Facts& facts) {
               facts.trouble = "worker 1 was killed";
               Overlap(facts);
               Clash(facts);
             },
             kFail, kOpen, kOpen},
        Case{"TooLittleWasDone",
             [](Facts& facts) { facts.judgement.acquisitions = 99; }, kOpen,
             kOpen, kOpen, "only 99 acquisitions were done, 100 are the least"},
        Case{"LostUpdates", [](Facts& facts) { facts.counter = 98; }, kPass,
             kFail, kPass, "2 of 100 updates of the counter file were lost"},
        Case{"StaleReads", [](Facts& facts) { facts.stale_reads = 3; }, kPass,
             kFail, kPass, "3 reads were stale"},
        Case{"CounterFileThatFails",
             [](Facts& facts) { facts.counter_errno = ENOSPC; }, kPass, kOpen,
             kPass, "No space left"},
        Case{"NoCounterFile",
             [](Facts& facts) {
               facts.counter_file = false;
               facts.counter = 0;
             },
             kPass, Verdict::kUnsupported, kPass},
        Case{"DeathWhileUpdatingThatCounts",
             [](Facts& facts) {
               facts.died_updating = 2;
               facts.counter = 102;
             },
             kPass, kPass, kPass},
        Case{"DeathWhileUpdatingThatDoesNot",
             [](Facts& facts) { facts.died_updating = 2; }, kPass, kPass,
             kPass},
        Case{"MoreUpdatesThanWereUnderWay",
             [](Facts& facts) {
               facts.died_updating = 2;
               facts.counter = 103;
             },
             kPass, kFail, kPass, "-1 of 100 updates"},
        Case{"DeathWhileUpdatingExcusesNoLoss",
             [](Facts& facts) {
               facts.died_updating = 2;
               facts.counter = 99;
             },
             kPass, kFail, kPass, "1 of 100 updates of the counter file"},
        Case{"Hung",
             [](Facts& facts) {
               facts.hung = {1};
               facts.judgement.acquisitions = 7;
               facts.judgement.end_ns = 3'000'000'000;
               facts.judgement.actors[1].last = {.time_ns = 1'000'000'000,
                                                 .op = history::Op::kAcquire};
             },
             kPass, kPass, kFail,
             "1 of 2 workers hang; worker 1: in acquire since 2.000 s"},
        Case{"CallsThatFail",
             [](Facts& facts) {
               facts.judgement.acquire_errors = 1;
               facts.first_error = "worker 0: acquire: no space";
             },
             kPass, kPass, kFail, "worker 0: acquire: no space"}),
    [](const auto& info) { return info.param.name; });

struct Shares {
  int64_t first;
  int64_t second;
  Verdict fairness;
  const char* says;
};

TEST(Conclude, FairIsWhoGetsHalfOfTheMean) {
  for (const Shares& shares :
       {Shares{50, 50, kPass, "got it 50 times, 100 % of the mean"},
        Shares{75, 25, kPass, "got it 25 times, 50 % of the mean"},
        Shares{76, 24, kFail, "got it 24 times, 48 % of the mean"},
        Shares{100, 0, kFail, "got it 0 times, 0 % of the mean"}}) {
    Facts facts = Good();
    facts.judgement.actors[0].acquisitions = shares.first;
    facts.judgement.actors[1].acquisitions = shares.second;
    facts.judgement.jain = 0.5;
    const Finding fairness = Conclude(facts).fairness;
    EXPECT_EQ(fairness.verdict, shares.fairness) << fairness.reason;
    EXPECT_NE(fairness.reason.find(shares.says), std::string::npos)
        << fairness.reason;
    EXPECT_NE(fairness.reason.find("Jain index 0.500"), std::string::npos);
  }
}

TEST(Conclude, NamesAFewOfManyThatHang) {
  Facts facts = Good();
  facts.contenders = 1000;
  facts.judgement.actors.resize(1000);
  for (history::Actor actor = 0; actor < 1000; ++actor) {
    facts.judgement.actors[actor].actor = actor;
    facts.hung.push_back(actor);
  }
  const std::string reason = Conclude(facts).progress.reason;
  EXPECT_TRUE(reason.starts_with("1000 of 1000 workers hang; ")) << reason;
  EXPECT_TRUE(reason.ends_with("; and 996 more")) << reason;
}

TEST(Conclude, WorkerThatNeverCameIsNotFair) {
  Facts facts = Good();
  facts.judgement.actors.pop_back();
  EXPECT_EQ(Conclude(facts).fairness.verdict, kFail);
  facts.trouble = "worker 1 was killed";
  facts.judgement.acquisitions = 0;
  EXPECT_EQ(Conclude(facts).fairness.verdict, kOpen);
}

TEST(Conclude, ShowsTheEventsAroundAViolation) {
  Facts facts = Good();
  Overlap(facts);
  Clash(facts);
  facts.judgement.evidence[0].around = {{.time_ns = 5, .actor = 1}};
  const ContentionResult result = Conclude(facts);
  ASSERT_EQ(result.evidence.size(), 3u);
  EXPECT_TRUE(result.evidence[0].starts_with("history: actor 1"));
  EXPECT_EQ(result.evidence[1], "  +0.000000005 s actor 1 acquire invoke");
  EXPECT_TRUE(result.evidence[2].starts_with("witness: worker 1"));
  EXPECT_EQ(result.violations, 1);
  EXPECT_EQ(result.witness_violations, 1);
}

}  // namespace
}  // namespace locklab::run
