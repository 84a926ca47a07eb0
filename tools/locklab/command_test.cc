#include "tools/locklab/command.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/locklab/flags.h"

namespace locklab::cli {
namespace {

using std::chrono::nanoseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Flags {
  uint64_t seed = 7;
  std::optional<nanoseconds> wait;
  std::string profile = "quick";
  std::string dir;
};

Run SetUpProbe(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  AddNumber(app, "--seed", &flags->seed, "A seed.");
  AddSeconds(app, "--wait", &flags->wait, "A time.");
  AddChoice(app, "--profile", &flags->profile, {"quick", "full"}, "Depth.");
  app.add_option("--dir", flags->dir, "Where.")->required();
  return [flags, &context] {
    context.out.stream << flags->seed << " " << flags->profile << " "
                       << flags->dir;
    return static_cast<int>(kExitInconclusive);
  };
}

Run SetUpThrow(CLI::App&, Context&) {
  return []() -> int { throw std::runtime_error("the roof is on fire"); };
}

Run SetUpRest(CLI::App&, Context& context) {
  return [&context] {
    for (const std::string& arg : context.rest) {
      context.out.stream << "[" << arg << "]";
    }
    return 0;
  };
}

constexpr CommandRow kTable[] = {
    {"probe", "Looks.", SetUpProbe},
    {"throw", "Throws.", SetUpThrow},
    {"wrap", "Wraps.", SetUpRest, "COMMAND"},
};

struct Ended {
  int code;
  std::string out;
  std::string err;
};

Ended Locklab(const std::vector<std::string>& args) {
  std::ostringstream out;
  std::ostringstream err;
  Console out_console{out};
  Console err_console{err};
  const int code = Main(kTable, args, out_console, err_console);
  return {code, out.str(), err.str()};
}

TEST(Dispatch, NoArgumentsIsAUsageErrorWithHelp) {
  const Ended ended = Locklab({});
  EXPECT_EQ(ended.code, kExitUsage);
  EXPECT_EQ(ended.out, "");
  EXPECT_THAT(ended.err, HasSubstr("probe"));
}

TEST(Dispatch, HelpListsTheTable) {
  const Ended ended = Locklab({"--help"});
  EXPECT_EQ(ended.code, kExitOk);
  for (const CommandRow& row : kTable) {
    EXPECT_THAT(ended.out, HasSubstr(std::string(row.name)));
    EXPECT_THAT(ended.out, HasSubstr(std::string(row.doc)));
  }
}

TEST(Dispatch, VersionIsTheSuites) {
  const Ended ended = Locklab({"--version"});
  EXPECT_EQ(ended.code, kExitOk);
  EXPECT_EQ(ended.out, "locklab " + std::string(kSuiteVersion) + "\n");
}

TEST(Dispatch, FlagsReachTheCommandAndItsCodeComesBack) {
  const Ended ended =
      Locklab({"probe", "--seed=42", "--profile=full", "--dir=/x"});
  EXPECT_EQ(ended.code, kExitInconclusive);
  EXPECT_EQ(ended.out, "42 full /x");
  EXPECT_EQ(ended.err, "");
}

TEST(Dispatch, CommandHelpShowsKeyEqualsValueAndDefaults) {
  const Ended ended = Locklab({"probe", "--help"});
  EXPECT_EQ(ended.code, kExitOk);
  EXPECT_THAT(ended.out, HasSubstr("--seed=N"));
  EXPECT_THAT(ended.out, HasSubstr("--profile=quick|full [quick]"));
  EXPECT_THAT(ended.out, HasSubstr("--dir=TEXT (required)"));
}

TEST(Dispatch, WhatFollowsTheDashesIsHandedThrough) {
  EXPECT_EQ(Locklab({"wrap", "--", "ls", "--help", "--", ""}).out,
            "[ls][--help][--][]");
}

TEST(Dispatch, AnExceptionIsOneLineAndAFailure) {
  const Ended ended = Locklab({"throw"});
  EXPECT_EQ(ended.code, kExitFailed);
  EXPECT_EQ(ended.err, "locklab: the roof is on fire\n");
}

TEST(Dispatch, OutputThatCannotBeWrittenIsAFailure) {
  std::ostringstream out;
  std::ostringstream err;
  out.setstate(std::ios::badbit);
  Console out_console{out};
  Console err_console{err};
  EXPECT_EQ(Main(kTable, {"--version"}, out_console, err_console), kExitFailed);
  EXPECT_THAT(err.str(), HasSubstr("cannot write the output"));
}

struct UsageCase {
  std::vector<std::string> args;
  std::string says;
};

class UsageErrors : public testing::TestWithParam<UsageCase> {};

TEST_P(UsageErrors, AreOneClearLineAndExitTwo) {
  const Ended ended = Locklab(GetParam().args);
  EXPECT_EQ(ended.code, kExitUsage);
  EXPECT_EQ(ended.out, "");
  EXPECT_EQ(ended.err, "locklab: " + GetParam().says + "\n");
}

const UsageCase kUsageCases[] = {
    {{"prob"},
     "unknown command prob; did you mean probe? "
     "(see locklab --help)"},
    {{"zzzzzz"}, "unknown command zzzzzz (see locklab --help)"},
    {{"--frob"}, "unknown flag --frob (see locklab --help)"},
    {{"probe", "--dri=/x"},
     "unknown flag --dri; did you mean --dir? "
     "(see locklab probe --help)"},
    {{"probe", "--dir=/x", "--profle", "full"},
     "unknown flag --profle; did you mean --profile? "
     "(see locklab probe --help)"},
    {{"probe", "--dir=/x", "-z"},
     "unknown flag -z "
     "(see locklab probe --help)"},
    {{"probe"}, "--dir is required (see locklab probe --help)"},
    {{"probe", "--dir="}, "--dir= has no value (see locklab probe --help)"},
    {{"probe", "--dir=/x", "more stuff"},
     "unexpected argument 'more stuff' (see locklab probe --help)"},
    {{"probe", "--dir=/x", "--", "ls"},
     "unexpected argument -- (see locklab probe --help)"},
    {{"probe", "--dir=/x", "--profile=ful"},
     "--profile=ful: it must be one of quick, full; did you mean full? "
     "(see locklab probe --help)"},
    {{"probe", "--dir=/x", "--seed=12x"},
     "--seed=12x: not a whole number from 0 to 18446744073709551615 "
     "(see locklab probe --help)"},
};

INSTANTIATE_TEST_SUITE_P(All, UsageErrors, testing::ValuesIn(kUsageCases));

TEST(ParseNumber, TakesDigitsOnly) {
  EXPECT_EQ(ParseNumber("--n", "0"), 0U);
  EXPECT_EQ(ParseNumber("--n", "18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(ParseNumber("--n", "5", 5, 5), 5U);
  for (const char* bad : {"", " 1", "1 ", "+1", "-1", "0x10", "1e3", "1.0",
                          "18446744073709551616", "seed"}) {
    EXPECT_THROW((void)ParseNumber("--n", bad), UsageError) << bad;
  }
  EXPECT_THROW((void)ParseNumber("--n", "4", 5, 9), UsageError);
  EXPECT_THROW((void)ParseNumber("--n", "10", 5, 9), UsageError);
}

TEST(ParseSeconds, TakesDecimalSeconds) {
  EXPECT_EQ(ParseSeconds("--t", "0"), nanoseconds(0));
  EXPECT_EQ(ParseSeconds("--t", "1.5"), nanoseconds(1'500'000'000));
  EXPECT_EQ(ParseSeconds("--t", ".25"), nanoseconds(250'000'000));
  EXPECT_EQ(ParseSeconds("--t", "99999999999999"), nanoseconds::max());
  for (const char* bad : {"", "-1", "-0", "inf", "nan", "1s", "1e3", " 1"}) {
    EXPECT_THROW((void)ParseSeconds("--t", bad), UsageError) << bad;
  }
}

TEST(ParseList, SplitsAtCommas) {
  EXPECT_THAT(ParseList("--l", "a"), ElementsAre("a"));
  EXPECT_THAT(ParseList("--l", "a,b,c"), ElementsAre("a", "b", "c"));
  for (const char* bad : {"", ",", "a,", ",a", "a,,b"}) {
    EXPECT_THROW((void)ParseList("--l", bad), UsageError) << bad;
  }
}

TEST(Nearest, FindsWhatWasMeantAndNothingElse) {
  constexpr std::string_view kNames[] = {"link", "mkdir", "symlink", "flock"};
  EXPECT_EQ(Nearest("lnik", kNames), "link");
  EXPECT_EQ(Nearest("mkdri", kNames), "mkdir");
  EXPECT_EQ(Nearest("symlnk", kNames), "symlink");
  EXPECT_EQ(Nearest("sym", kNames), "symlink");
  EXPECT_EQ(Nearest("etcd", kNames), "");
  EXPECT_EQ(Nearest("", kNames), "");
}

}  // namespace
}  // namespace locklab::cli
