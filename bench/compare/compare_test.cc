#include "bench/compare/compare.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>

namespace locklab::bench {
namespace {

std::vector<double> Times(double median, uint64_t seed, size_t count = 12) {
  std::mt19937_64 random(seed);
  std::vector<double> times(count);
  for (double& time : times) {
    const auto share = static_cast<double>(random() % 1001) / 1000 - 0.5;
    time = median * (1 + 0.04 * share);
  }
  return times;
}

SeriesFile FileOf(uint64_t seed, double link = 1000, double flock = 500) {
  SeriesFile file{.suite_version = "0.1.0",
                  .command_line = "locklab bench",
                  .started = "2026-01-02T03:04:05Z",
                  .seed = seed,
                  .environment = {{"host", "here"}, {"filesystem", "tmpfs"}}};
  file.At("link", "uncontended") = Times(link, 2 * seed);
  file.At("flock", "uncontended") = Times(flock, 2 * seed + 1);
  file.locks = {{"link", "pass", ""}, {"flock", "pass", ""}};
  return file;
}

TEST(SeriesFile, ComesBackAsItWas) {
  const SeriesFile file = FileOf(1);
  EXPECT_EQ(FromJson(ToJson(file), "x"), file);
}

TEST(SeriesFile, RefusesWhatIsNone) {
  const std::string good = ToJson(FileOf(1));
  const auto with = [&good](const std::string& from, const std::string& to) {
    std::string text = good;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  const struct {
    std::string text;
    const char* says;
  } kCases[] = {
      {"", "not readable"},
      {"[]", "not what locklab bench leaves"},
      {"{}", "not what locklab bench leaves"},
      {good.substr(0, good.size() / 2), "not readable"},
      {with("\"schema_version\": 1", "\"schema_version\": 2"),
       "its schema is 2"},
      {with("\"samples\": [", "\"samples\": [null,"), "null, which is no time"},
      {with("\"samples\": [", "\"samples\": [-1,"), "-1, which is no time"},
      {with("\"samples\": [", "\"samples\": [0,"), "0, which is no time"},
      {with("\"backend\": \"flock\"", "\"backend\": \"link\""), "twice"},
  };
  for (const auto& [text, says] : kCases) {
    try {
      (void)FromJson(text, "the file");
      ADD_FAILURE() << "accepted; expected: " << says;
    } catch (const SeriesError& error) {
      EXPECT_NE(std::string(error.what()).find(says), std::string::npos)
          << error.what();
      EXPECT_TRUE(std::string(error.what()).starts_with("the file: "));
    }
  }
  EXPECT_THROW((void)ReadSeries("/nonexistent/file"), SeriesError);
}

TEST(Gate, IsGreenForTheSameAndRedForSlower) {
  const Compared same = CompareFiles(FileOf(1), FileOf(2), {});
  EXPECT_EQ(Judge(same), kExitOk) << ToText(same, true);
  const Compared slower = CompareFiles(FileOf(1), FileOf(2, 1200), {});
  EXPECT_EQ(Judge(slower), kExitFailed) << ToText(slower, true);
  EXPECT_TRUE(slower.rows[0].regressed);
  EXPECT_FALSE(slower.rows[1].regressed);
  const Compared faster = CompareFiles(FileOf(1), FileOf(2, 800), {});
  EXPECT_EQ(Judge(faster), kExitOk) << ToText(faster, true);
}

TEST(Gate, ToleratesWhatIsShownAndSmall) {
  const Compared little =
      CompareFiles(FileOf(1), FileOf(2, 1060), {.max_regression = 0.1});
  EXPECT_EQ(little.rows[0].comparison.change, stats::Change::kGreater);
  EXPECT_EQ(Judge(little), kExitOk) << ToText(little, true);
  EXPECT_EQ(
      Judge(CompareFiles(FileOf(1), FileOf(2, 1060), {.max_regression = 0.02})),
      kExitFailed);
}

TEST(Gate, ToleratesWhatTheNoiseCouldBe) {
  SeriesFile noisy = FileOf(1);
  auto& samples = noisy.At("link", "uncontended");
  for (size_t i = 0; i < samples.size(); i += 2) samples[i] *= 0.8;
  EXPECT_EQ(Judge(CompareFiles(noisy, FileOf(2, 1200), {})), kExitOk);
}

TEST(Gate, IsRedForALockThatIsNewlyWrong) {
  SeriesFile wrong = FileOf(2);
  wrong.locks[1] = {"flock", "fail", "two held it"};
  const Compared compared = CompareFiles(FileOf(1), wrong, {});
  EXPECT_EQ(Judge(compared), kExitFailed);
  EXPECT_EQ(compared.newly_wrong,
            std::vector<std::string>{"flock: two held it"});
  EXPECT_EQ(Judge(CompareFiles(wrong, wrong, {})), kExitOk);
}

TEST(Gate, DoesNotPassWhatItCannotTell) {
  SeriesFile few = FileOf(2);
  few.At("link", "uncontended").resize(9);
  EXPECT_EQ(Judge(CompareFiles(FileOf(1), few, {})), kExitInconclusive);
  SeriesFile less = FileOf(2);
  less.series.pop_back();
  const Compared lost = CompareFiles(FileOf(1), less, {});
  EXPECT_EQ(Judge(lost), kExitInconclusive);
  EXPECT_EQ(lost.apart,
            std::vector<std::string>{"flock uncontended: in the base"});
  EXPECT_EQ(Judge(CompareFiles(less, FileOf(2), {})), kExitOk);
  EXPECT_EQ(Judge(CompareFiles({}, FileOf(2), {})), kExitNothingRan);
}

TEST(Compare, SaysWhereSurroundingsDiffer) {
  SeriesFile there = FileOf(2);
  there.environment[0].second = "there";
  EXPECT_EQ(CompareFiles(FileOf(1), there, {}).differ,
            std::vector<std::string>{
                "host: here in the base, there in the candidate"});
}

// The alarms about nothing, over all rows together, are as few as alpha says.
TEST(Gate, IsSeldomWrongAboutNothing) {
  int alarms = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const Compared same =
        CompareFiles(FileOf(2 * seed + 10), FileOf(2 * seed + 11),
                     {.max_regression = 0, .seed = seed});
    if (Judge(same) != kExitOk) ++alarms;
  }
  EXPECT_LT(alarms, 2);
}

}  // namespace
}  // namespace locklab::bench
