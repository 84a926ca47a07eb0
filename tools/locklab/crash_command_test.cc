// locklab crash as its users meet it.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "conformance/proc/temp_dir.h"
#include "conformance/verdict/exit.h"
#include "tools/locklab/program.h"

namespace locklab::cli {
namespace {

using nlohmann::json;

class CrashTest : public testing::Test {
 protected:
  [[nodiscard]] Ended Crash(std::vector<std::string> args) const {
    args.insert(args.begin(), {"crash", "--dir=" + dir_.path()});
    return RunLocklab(args);
  }

  proc::TempDir dir_;
};

TEST_F(CrashTest, SeesASoundLockSurviveEveryDeath) {
  const Ended ended =
      Crash({"--backend=flock,pid", "--waiters=0,1", "--format=json"});
  ASSERT_EQ(ended.code, kExitOk) << ended.out << ended.err;
  const json report = json::parse(ended.out);
  ASSERT_EQ(report["backends"].size(), 2);
  for (const json& backend : report["backends"]) {
    EXPECT_EQ(backend["complete"], true);
    for (const json& point : backend["points"]) {
      EXPECT_EQ(point["verdict"], "pass") << point;
    }
  }
  const json& pid = report["backends"][1];
  EXPECT_GT(pid["points"].size(), 50) << "pid makes a call or two";
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
}

TEST_F(CrashTest, TellsHowToSeeAFailureAgain) {
  const Ended ended =
      Crash({"--backend=canary:empty-is-held", "--operation=acquire",
             "--waiters=0", "--bound=1", "--format=json"});
  ASSERT_EQ(ended.code, kExitFailed) << ended.out << ended.err;
  std::string name;
  const json report = json::parse(ended.out);
  for (const json& point : report["backends"][0]["points"]) {
    if (point["verdict"] != "fail") continue;
    EXPECT_NE(point["replay"].get<std::string>().find(
                  "--point=" + point["point"].get<std::string>()),
              std::string::npos);
    if (name.empty()) name = point["point"];
  }
  ASSERT_NE(name, "");
  const Ended again = Crash({"--backend=canary:empty-is-held",
                             "--point=" + name, "--waiters=0", "--bound=1"});
  EXPECT_EQ(again.code, kExitFailed) << again.out << again.err;
  EXPECT_NE(again.out.find("fail canary:empty-is-held " + name),
            std::string::npos)
      << again.out;
}

TEST_F(CrashTest, KillsByTheKernelsCallsAndFailsByTheSeams) {
  const Ended ended =
      Crash({"--backend=sqlite", "--waiters=0", "--format=json", "--sample=6",
             "--operation=release,acquire", "--fault=death,error,lost-reply"});
  ASSERT_EQ(ended.code, kExitOk) << ended.out << ended.err;
  int kernel = 0;
  int errors = 0;
  const json report = json::parse(ended.out);
  for (const json& point : report["backends"][0]["points"]) {
    EXPECT_EQ(point["verdict"], "pass") << point;
    const std::string name = point["point"];
    // As the kernel names them: "pwrite64", where the seam has "WriteStart".
    const std::string call = point["call"];
    if (call[0] >= 'a' && call[0] <= 'z') ++kernel;
    if (name.find("error=") != std::string::npos) ++errors;
  }
  EXPECT_GT(kernel, 0) << "SQLite makes calls past the seam";
  EXPECT_GT(errors, 0);
}

TEST_F(CrashTest, IsRedIfNoPointIsReached) {
  const Ended ended =
      Crash({"--backend=link", "--point=acquire:400:before", "--waiters=0"});
  EXPECT_EQ(ended.code, kExitNothingRan) << ended.out << ended.err;
}

// LOCKLAB_KILLS makes it a shorter or longer test.
TEST_F(CrashTest, LeavesNothingBehindWhereItIsKilled) {
  const char* kills = std::getenv("LOCKLAB_KILLS");  // NOLINT: one thread
  const int wanted = kills == nullptr ? 4 : std::atoi(kills);
  ASSERT_GT(wanted, 0) << "LOCKLAB_KILLS has to be a number of kills";
  const unsigned seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  for (int i = 0; i < wanted; ++i) {
    const bool traced = i % 2 == 0;
    Program crash(LocklabArgv({"crash", "--dir=" + dir_.path(),
                               traced ? "--backend=sqlite" : "--backend=link",
                               traced ? "--engine=ptrace" : "--engine=seam",
                               "--fault=death,error,lost-reply"}));
    // From its first process on, the moment is a matter of chance.
    ASSERT_TRUE(crash.Says("death"));
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 300));
    crash.Kill(SIGKILL);
    EXPECT_EQ(crash.Wait().code, 1000 + SIGKILL) << "it ended before";
    EXPECT_TRUE(NobodyIsOn(dir_.path())) << "processes outlive it";
  }
  EXPECT_FALSE(std::filesystem::is_empty(dir_.path()))
      << "nothing was there to be swept";
  EXPECT_EQ(Crash({"--backend=flock", "--operation=hold", "--waiters=0"}).code,
            kExitOk);
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
}

TEST_F(CrashTest, RefusesWhatItDoesNotUnderstand) {
  for (const char* wrong :
       {"--point=acquire:0:before", "--point=steal:1:after",
        "--operation=steal", "--fault=fire", "--waiters=8", "--waiters=-1",
        "--backend=lynk", "--backend=adapter:flock", "--engine=diesel",
        "--bound=0"}) {
    const Ended ended = Crash({wrong});
    EXPECT_EQ(ended.code, kExitUsage) << wrong << ended.out;
    EXPECT_NE(ended.err.find("locklab crash --help"), std::string::npos)
        << ended.err;
  }
  EXPECT_EQ(RunLocklab({"crash", "--dir=/nonexistent"}).code, kExitUsage);
}

}  // namespace
}  // namespace locklab::cli
