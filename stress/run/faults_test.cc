#include "stress/run/faults.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace locklab::run {
namespace {

using std::chrono_literals::operator""ms;

std::string WhatOf(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no error";
}

TEST(FaultRows, AreInTheOrderOfTheKinds) {
  ASSERT_EQ(FaultRows().size(), kFaultKinds);
  for (size_t i = 0; i < kFaultKinds; ++i) {
    const FaultRow& row = FaultRows()[i];
    EXPECT_EQ(static_cast<size_t>(row.kind), i) << row.name;
    for (const auto& text : {row.name, row.doc, row.guard, row.proof}) {
      EXPECT_NE(text, "") << row.name;
    }
  }
}

TEST(FaultMix, IsKindsWithWeights) {
  const auto mix = ParseFaultMix("kill:5,stop:3,break-dead");
  EXPECT_EQ(mix, (std::array<int, kFaultKinds>{5, 3, 0, 0, 0, 1}));
  EXPECT_EQ(ParseFaultMix("none"), (std::array<int, kFaultKinds>{}));
  EXPECT_FALSE(FaultPlan{}.any());
  EXPECT_TRUE(FaultPlan{.weights = mix}.any());
}

TEST(FaultMix, RefusesWhatIsNoneAndNamesTheKinds) {
  const struct {
    const char* text;
    const char* says;
  } cases[] = {
      {"", "there is no fault ''"},
      {"kil:5", "there is no fault 'kil'"},
      {"kill:", "a weight is a number"},
      {"kill:0", "a weight is a number"},
      {"kill:-1", "a weight is a number"},
      {"kill:5x", "a weight is a number"},
      {"kill:99999999999999", "a weight is a number"},
      {"kill:1:2", "a fault is KIND or KIND:WEIGHT"},
      {"kill:5,", "there is no fault ''"},
      {"kill:5,kill:2", "named already"},
      {"continue:1", "follows each stop"},
      {"none,kill", "there is no fault 'none'"},
  };
  for (const auto& test : cases) {
    const std::string what =
        WhatOf([&] { static_cast<void>(ParseFaultMix(test.text)); });
    EXPECT_NE(what.find(test.says), std::string::npos)
        << test.text << ": " << what;
    EXPECT_NE(what.find("kinds are kill, stop, delay, break, break-dead"),
              std::string::npos)
        << what;
  }
}

TEST(FaultSchedule, IsReadAsItIsWritten) {
  const std::string text =
      "g1:break:holding,g120:kill:releasing,g133:stop:acquiring:5ms,"
      "g140:delay:holding:1500us";
  const std::vector<Fault> schedule = ParseFaultSchedule(text);
  ASSERT_EQ(schedule.size(), 4u);
  EXPECT_EQ(schedule[2], (Fault{.grant = 133,
                                .kind = FaultKind::kStop,
                                .stage = Stage::kAcquiring,
                                .lasts = 5ms}));
  EXPECT_EQ(FaultScheduleText(schedule), text);
  EXPECT_EQ(
      FaultScheduleText(ParseFaultSchedule("g9:kill:holding,g2:break:holding")),
      "g2:break:holding,g9:kill:holding")
      << "by their grants";
}

TEST(FaultSchedule, RefusesWhatIsNone) {
  const struct {
    const char* text;
    const char* says;
  } cases[] = {
      {"", "a fault is gGRANT:KIND:STAGE"},
      {"120:kill:holding", "a fault is gGRANT:KIND:STAGE"},
      {"g120:kill", "a fault is gGRANT:KIND:STAGE"},
      {"g0:kill:holding", "counted from 1"},
      {"g:kill:holding", "counted from 1"},
      {"g1:shoot:holding", "there is no fault 'shoot'"},
      {"g1:kill:dreaming", "'dreaming' is no stage that kill is for"},
      {"g1:break:acquiring", "no stage that break is for"},
      {"g1:stop:holding", "needs a duration"},
      {"g1:kill:holding:5ms", "has no duration"},
      {"g1:stop:holding:5", "not a duration"},
      {"g1:stop:holding:1h", "not a duration of at most 1m"},
      {"g1:continue:holding", "follows each stop"},
  };
  for (const auto& test : cases) {
    const std::string what =
        WhatOf([&] { static_cast<void>(ParseFaultSchedule(test.text)); });
    EXPECT_NE(what.find(test.says), std::string::npos)
        << test.text << ": " << what;
  }
}

std::vector<Fault> Take(size_t count, const FaultPlan& plan, uint64_t seed) {
  FaultSource source(plan, seed);
  std::vector<Fault> faults;
  while (faults.size() < count) {
    const auto fault = source.Next();
    if (!fault) break;
    faults.push_back(*fault);
  }
  return faults;
}

TEST(FaultSource, GivesTheSameForTheSameSeed) {
  const FaultPlan plan{.weights = ParseFaultMix("kill:5,stop:3,break:2")};
  EXPECT_EQ(Take(100, plan, 1), Take(100, plan, 1));
  EXPECT_NE(Take(100, plan, 1), Take(100, plan, 2));
}

TEST(FaultSource, KeepsWeightsRateAndStages) {
  const FaultPlan plan{.weights = ParseFaultMix("kill:6,stop:3,delay:1"),
                       .every = 50};
  constexpr size_t kMany = 20'000;
  std::map<FaultKind, size_t> kinds;
  std::set<std::pair<FaultKind, Stage>> pairs;
  uint64_t last = 0;
  for (const Fault& fault : Take(kMany, plan, 1)) {
    ++kinds[fault.kind];
    pairs.insert({fault.kind, fault.stage});
    EXPECT_GT(fault.grant, last) << "one after the other";
    last = fault.grant;
    EXPECT_EQ(fault.lasts > 0ms, RowOf(fault.kind).lasts);
    EXPECT_LE(fault.lasts, 51ms);
  }
  EXPECT_NEAR(static_cast<double>(kinds[FaultKind::kKill]), 0.6 * kMany, 500);
  EXPECT_NEAR(static_cast<double>(kinds[FaultKind::kStop]), 0.3 * kMany, 500);
  EXPECT_NEAR(static_cast<double>(kinds[FaultKind::kDelay]), 0.1 * kMany, 500);
  EXPECT_EQ(kinds.size(), 3u);
  EXPECT_NEAR(static_cast<double>(last) / kMany, 50.5, 2);
  size_t wanted = 0;
  for (const auto& [kind, count] : kinds) {
    for (const int weight : RowOf(kind).stages) wanted += weight > 0 ? 1 : 0;
  }
  EXPECT_EQ(pairs.size(), wanted);
}

TEST(FaultSource, GivesAScheduleAsItIs) {
  FaultPlan plan;
  plan.schedule = ParseFaultSchedule("g2:break:holding,g9:kill:holding");
  EXPECT_EQ(Take(10, plan, 1), plan.schedule);
  EXPECT_TRUE(plan.Asks(FaultKind::kBreak));
  EXPECT_FALSE(plan.Asks(FaultKind::kStop));
  EXPECT_TRUE(Take(10, FaultPlan{}, 1).empty());
}

}  // namespace
}  // namespace locklab::run
