#include "stress/run/delay.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <random>
#include <stdexcept>
#include <string>

#include "conformance/proc/duration.h"

namespace locklab::run {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""ns;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""us;

TEST(Duration, IsReadWithItsUnitAndWrittenAsShortAsPossible) {
  const struct {
    const char* text;
    std::chrono::nanoseconds value;
    const char* shortest;
  } kCases[] = {
      {"0", 0ns, "0"},           {"0s", 0ns, "0"},
      {"17ns", 17ns, "17ns"},    {"500us", 500us, "500us"},
      {"0.5ms", 500us, "500us"}, {"1.5s", 1500ms, "1500ms"},
      {"60s", 60s, "1m"},        {"90m", 90min, "90m"},
      {"8h", 8h, "8h"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(proc::ParseDuration(c.text), c.value) << c.text;
    EXPECT_EQ(proc::DurationText(c.value), c.shortest);
    EXPECT_EQ(proc::ParseDuration(c.shortest), c.value);
  }
}

TEST(Duration, IsNothingElse) {
  for (const char* text :
       {"", "5", "s", "-1s", "1 s", "1S", "5x", "inf", "infs", "nans", "1e3s",
        "0x1s", "1s ", "-0s", "9999999999h", "1h30m"}) {
    EXPECT_EQ(proc::ParseDuration(text), std::nullopt) << text;
  }
}

TEST(Delay, IsReadAndDescribed) {
  const struct {
    const char* text;
    Delay delay;
    const char* described;
  } kCases[] = {
      {"0", Delay(), "0"},
      {"500us", Delay::Fixed(500us), "500us"},
      {"fixed:2ms", Delay::Fixed(2ms), "2ms"},
      {"exp:500us", Delay::Exponential(500us), "exp:500us"},
      {"uniform:100us-900us", Delay::Uniform(100us, 900us),
       "uniform:100us-900us"},
      {"uniform:0-1s", Delay::Uniform(0ns, 1s), "uniform:0-1s"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(Delay::Parse(c.text), c.delay) << c.text;
    EXPECT_EQ(c.delay.Describe(), c.described);
    EXPECT_EQ(Delay::Parse(c.described), c.delay);
  }
}

TEST(Delay, SaysWhatIsWrongAndWhatToWrite) {
  const struct {
    const char* text;
    const char* says;
  } kCases[] = {
      {"", "is not a duration"},
      {"-5us", "is not a duration"},
      {"exp:0", "needs a mean above 0"},
      {"exp:", "is not a duration"},
      {"uniform:5us", "uniform:100us-900us"},
      {"uniform:9us-1us", "write uniform:1us-9us"},
      {"uniform:-9us-1us", "is not a duration"},
      {"normal:5us", "no distribution normal"},
  };
  for (const auto& c : kCases) {
    try {
      const Delay delay = Delay::Parse(c.text);
      ADD_FAILURE() << c.text << " was read as " << delay.Describe();
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find(c.says), std::string::npos)
          << c.text << ": " << error.what();
    }
  }
}

TEST(Delay, IsDistributedAsItSays) {
  constexpr int kSamples = 20000;
  for (const Delay& delay : {Delay::Fixed(500us), Delay::Exponential(500us),
                             Delay::Uniform(100us, 900us)}) {
    std::mt19937_64 random(7);
    double sum = 0;
    for (int i = 0; i < kSamples; ++i) {
      const Delay::Ns sample = delay.Sample(random);
      EXPECT_GE(sample, 0ns);
      EXPECT_LE(sample, delay.longest());
      sum += static_cast<double>(sample.count());
    }
    EXPECT_NEAR(sum / kSamples, static_cast<double>(delay.mean().count()),
                20'000)
        << delay.Describe();
  }
}

}  // namespace
}  // namespace locklab::run
