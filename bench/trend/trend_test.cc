#include "bench/trend/trend.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>

namespace locklab::bench {
namespace {

// Forty runs of link and flock; `factor` of what link takes in run i.
std::vector<TrendRun> Runs(const std::function<double(size_t)>& factor,
                           size_t count = 40, uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  const auto time = [&random](double ns) {
    const auto share = static_cast<double>(random() % 1001) / 1000 - 0.5;
    return ns * (1 + 0.04 * share);
  };
  std::vector<TrendRun> runs;
  for (size_t i = 0; i < count; ++i) {
    runs.push_back(
        {.run_id = fmt::format("{:08}aa", i),
         .started = fmt::format("2026-01-01T00:{:02}:00Z", i),
         .suite_version = "0.1.0",
         .kind = "bench",
         .profile = "",
         .place = "tmpfs",
         .host = "here",
         .surroundings = {{"host", "here"}, {"kernel", "Linux 6"}},
         .numbers = {{"link", "uncontended", "ns", time(20000 * factor(i))},
                     {"flock", "uncontended", "ns", time(9000)}},
         .locks = {{"link", "pass", ""}, {"flock", "pass", ""}}});
  }
  return runs;
}

double Steady(size_t) { return 1; }
double Slower(size_t run) { return run < 25 ? 1 : 1.2; }

TEST(Trend, NamesTheRunAndByHowMuch) {
  const Trend trend = TrendOf(Runs(Slower), {});
  ASSERT_EQ(trend.series.size(), 2);
  ASSERT_EQ(trend.series[0].changes.size(), 1);
  const ChangePoint& change = trend.series[0].changes[0];
  EXPECT_EQ(change.run, 25);
  EXPECT_EQ(change.last, 24);
  EXPECT_NEAR(change.ratio.ratio, 1.2, 0.03);
  EXPECT_LT(change.ratio.low, 1.2);
  EXPECT_GT(change.ratio.high, 1.2);
  EXPECT_EQ(change.standing, Standing::kRegressed);
  EXPECT_TRUE(trend.series[1].changes.empty()) << "flock did not change";
  EXPECT_EQ(Judge(trend), kExitFailed);
  const std::string text = ToText(trend, {});
  for (const char* says :
       {"00000025 2026-01-01T00:25:00Z 0.1.0  REGRESSED", "+19.",
        "40 runs, 2 series, 1 of them without a change", "gate: FAILED"}) {
    EXPECT_NE(text.find(says), std::string::npos) << says << "\n" << text;
  }
  const auto json = nlohmann::json::parse(ToJson(trend, {}));
  EXPECT_EQ(json["series"][0]["changes"][0]["run_id"], "00000025aa");
  EXPECT_EQ(json["series"][0]["changes"][0]["last_run_before"], "00000024aa");
  EXPECT_EQ(json["exit_code"], 1);
  EXPECT_NE(ToMarkdown(trend, {}).find("**REGRESSED**"), std::string::npos);
}

TEST(Trend, SaysWhetherAChangeStands) {
  const struct {
    const char* name;
    std::function<double(size_t)> factor;
    TrendLimits limits;
    std::vector<Standing> standings;
    Exit exit;
  } kCases[] = {
      {"steady", Steady, {}, {}, kExitOk},
      {"faster",
       [](size_t i) { return i < 25 ? 1 : 0.7; },
       {},
       {Standing::kBetter},
       kExitOk},
      {"a little slower",
       Slower,
       {.max_regression = 0.3},
       {Standing::kSmall},
       kExitOk},
      {"slower and mended",
       [](size_t i) { return i >= 12 && i < 25 ? 1.5 : 1; },
       {},
       {Standing::kTakenBack, Standing::kBetter},
       kExitOk},
      {"slower twice",
       [](size_t i) { return i < 12   ? 1
                             : i < 26 ? 1.3
                                      : 1.7; },
       {},
       {Standing::kRegressed, Standing::kRegressed},
       kExitFailed},
      {"slower, and half of it mended",
       [](size_t i) { return i < 12   ? 1
                             : i < 26 ? 1.5
                                      : 1.25; },
       {},
       {Standing::kRegressed, Standing::kBetter},
       kExitFailed},
      {"slower, long ago",
       Slower,
       {.since = "00000030"},
       {Standing::kAccepted},
       kExitOk},
      {"slower, since then",
       Slower,
       {.since = "00000025"},
       {Standing::kRegressed},
       kExitFailed},
  };
  for (const auto& [name, factor, limits, standings, exit] : kCases) {
    const Trend trend = TrendOf(Runs(factor), limits);
    std::vector<Standing> found;
    for (const ChangePoint& change : trend.series[0].changes) {
      found.push_back(change.standing);
    }
    EXPECT_EQ(found, standings) << name << "\n" << ToText(trend, limits);
    EXPECT_EQ(Judge(trend), exit) << name;
  }
}

TEST(Trend, IsSeldomWrongAboutNothing) {
  int alarms = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    if (Judge(TrendOf(Runs(Steady, 40, seed), {})) != kExitOk) ++alarms;
  }
  EXPECT_LT(alarms, 2) << "of 100";
}

TEST(Trend, SaysNothingOfTooFewRuns) {
  const Trend few =
      TrendOf(Runs([](size_t i) { return i < 6 ? 1 : 9; }, 9), {});
  EXPECT_TRUE(few.series[0].too_few);
  EXPECT_EQ(Judge(few), kExitInconclusive);
  EXPECT_NE(ToText(few, {}).find("too few"), std::string::npos);
  // One lock that is new does not keep the others from being judged.
  std::vector<TrendRun> runs = Runs(Steady);
  runs.back().numbers.push_back({"ofd", "uncontended", "ns", 8000});
  EXPECT_EQ(Judge(TrendOf(std::move(runs), {})), kExitOk);
  EXPECT_EQ(Judge(TrendOf({}, {})), kExitNothingRan);
  // As many as it says are enough, and less are not.
  const auto cut = [](size_t count) {
    return TrendOf(Runs([=](size_t i) { return i < count / 2 ? 1 : 3; }, count),
                   {});
  };
  const size_t needed = few.needed;
  EXPECT_EQ(cut(needed).series[0].changes.size(), 1) << needed;
  EXPECT_TRUE(cut(needed - 1).series[0].too_few);
}

TEST(Trend, TellsOfOtherSurroundings) {
  std::vector<TrendRun> runs = Runs(Slower);
  for (size_t i = 25; i < runs.size(); ++i) {
    runs[i].surroundings[1].second = "Linux 7";
    runs[i].suite_version = "0.2.0";
  }
  const Trend trend = TrendOf(runs, {});
  ASSERT_EQ(trend.mixed.size(), 1);
  EXPECT_EQ(trend.mixed[0],
            "tmpfs: kernel Linux 6 until run 00000024 of 2026-01-01T00:24:00Z, "
            "Linux 7 from run 00000025 of 2026-01-01T00:25:00Z");
  EXPECT_EQ(trend.suites, (std::vector<std::string>{"0.1.0", "0.2.0"}));
  // On the page each host has its own.
  EXPECT_EQ(TrendOf(runs, {.hosts_apart = true}).series.size(), 4);
  // Another place is no other surroundings, but a series of its own.
  for (size_t i = 25; i < runs.size(); ++i) runs[i].place = "ext4";
  EXPECT_TRUE(TrendOf(runs, {}).mixed.empty());
  EXPECT_EQ(TrendOf(runs, {}).series.size(), 4);
}

TEST(Trend, IsRedForALockThatIsNewlyWrong) {
  std::vector<TrendRun> runs = Runs(Steady);
  runs.back().locks[0] = {"link", "fail", "two held it"};
  const Trend trend = TrendOf(runs, {});
  EXPECT_EQ(Judge(trend), kExitFailed);
  ASSERT_EQ(trend.newly_wrong.size(), 1);
  EXPECT_NE(trend.newly_wrong[0].find("link on tmpfs"), std::string::npos);
  EXPECT_NE(trend.newly_wrong[0].find("two held it"), std::string::npos);
  for (TrendRun& run : runs) run.locks[0] = {"link", "fail", "as ever"};
  EXPECT_EQ(Judge(TrendOf(runs, {})), kExitOk) << "it always was";
}

TEST(Trend, RefusesARunThatIsNotThere) {
  EXPECT_THROW((void)TrendOf(Runs(Steady), {.since = "nope"}),
               std::invalid_argument);
  EXPECT_THROW((void)TrendOf(Runs(Steady), {.since = "0000"}),
               std::invalid_argument);
}

}  // namespace
}  // namespace locklab::bench
