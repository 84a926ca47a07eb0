// locklab stress as its users meet it.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "conformance/proc/temp_dir.h"
#include "conformance/verdict/exit.h"
#include "tools/locklab/program.h"

namespace locklab::cli {
namespace {

class StressTest : public testing::Test {
 protected:
  [[nodiscard]] Ended Stress(std::vector<std::string> args) const {
    args.insert(args.begin(), {"stress", "--dir=" + dir_.path()});
    return RunLocklab(args);
  }

  proc::TempDir dir_;
};

TEST_F(StressTest, MeasuresASoundLock) {
  const Ended ended = Stress(
      {"--backend=flock", "--processes=4", "--duration=300ms", "--hold=50us"});
  EXPECT_EQ(ended.code, kExitOk) << ended.out << ended.err;
  EXPECT_NE(ended.out.find("\nflock "), std::string::npos) << ended.out;
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
}

TEST_F(StressTest, RefusesWhatCannotBe) {
  const struct {
    std::vector<std::string> args;
    const char* says;
  } kCases[] = {
      {{"--duration=0"}, "nothing can be seen in no time"},
      {{"--duration=5"}, "a number and a unit"},
      {{"--hold=exp:0"}, "--hold=exp:0: an exponential distribution needs"},
      {{"--think=uniform:9us-1us"}, "write uniform:1us-9us"},
      {{"--processes=0"}, "not a whole number from 1"},
      {{"--backend=flok"}, "did you mean flock?"},
  };
  for (const auto& c : kCases) {
    const Ended ended = Stress(c.args);
    EXPECT_EQ(ended.code, kExitUsage) << c.args[0];
    EXPECT_NE(ended.err.find(c.says), std::string::npos) << ended.err;
  }
}

}  // namespace
}  // namespace locklab::cli
