// locklab stress as its users meet it.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "conformance/proc/temp_dir.h"
#include "conformance/verdict/exit.h"
#include "tools/locklab/program.h"

namespace locklab::cli {
namespace {

using nlohmann::json;

class StressTest : public testing::Test {
 protected:
  [[nodiscard]] std::vector<std::string> With(
      std::vector<std::string> args) const {
    args.insert(args.begin(), {"stress", "--dir=" + dir_.path()});
    return args;
  }
  [[nodiscard]] Ended Stress(const std::vector<std::string>& args) const {
    return RunLocklab(With(args));
  }
  void TearDown() override {
    EXPECT_TRUE(std::filesystem::is_empty(dir_.path()))
        << "something was left behind";
  }

  proc::TempDir dir_;
};

TEST_F(StressTest, MeasuresASoundLock) {
  const Ended ended = Stress(
      {"--backend=flock", "--processes=4", "--duration=300ms", "--hold=50us"});
  EXPECT_EQ(ended.code, kExitOk) << ended.out << ended.err;
  EXPECT_NE(ended.out.find("\nflock "), std::string::npos) << ended.out;
  EXPECT_NE(ended.out.find("canary check-then-create: caught"),
            std::string::npos);
}

TEST_F(StressTest, TellsAllInOneDocument) {
  const Ended ended = Stress({"--backend=flock", "--scenario=open-loop,herd",
                              "--duration=300ms", "--format=json"});
  ASSERT_EQ(ended.code, kExitOk) << ended.out << ended.err;
  const json report = json::parse(ended.out);
  EXPECT_EQ(report["schema_version"], 1);
  EXPECT_EQ(report["canary"]["caught"], true);
  EXPECT_EQ(report["complete"], true);
  ASSERT_EQ(report["courses"].size(), 2);
  for (const json& course : report["courses"]) {
    EXPECT_EQ(course["verdict"], "pass") << course;
    EXPECT_EQ(course["findings"]["exclusion"]["verdict"], "pass");
    const json& metrics = course["metrics"];
    EXPECT_GT(metrics["acquisitions"], 0);
    EXPECT_EQ(metrics["violations"], 0);
    EXPECT_GT(metrics["wait_ns"]["p99_99"], 0);
    EXPECT_GT(metrics["cpu_ns_per_acquisition"], 0);
    EXPECT_GT(metrics["syscalls_per_acquisition"], 0);
  }
  const json& open = report["courses"][0];
  EXPECT_EQ(open["scenario"], "open-loop");
  EXPECT_EQ(open["metrics"]["response_ns"]["count"],
            open["metrics"]["acquisitions"]);
}

TEST_F(StressTest, AFailureEndsWithWhatReplaysIt) {
  const Ended ended = Stress(
      {"--backend=canary:check-then-create", "--duration=20s", "--round=200ms",
       "--hold=exp:100us", "--on-failure=stop", "--seed=7", "--format=json"});
  ASSERT_EQ(ended.code, kExitFailed) << ended.out << ended.err;
  const json course = json::parse(ended.out)["courses"][0];
  EXPECT_EQ(course["failed_rounds"], 1);
  const json& failure = course["failures"][0];
  EXPECT_EQ(failure["what"], "exclusion");
  EXPECT_NE(failure["finding"]["evidence"], "");
  EXPECT_EQ(failure["replay"],
            "locklab stress --dir=" + dir_.path() +
                " --backend=canary:check-then-create --scenario=contention "
                "--hold=exp:100us --duration=200ms --seed=" +
                std::to_string(failure["seed"].get<uint64_t>()));
}

TEST_F(StressTest, AnInterruptEndsItWithTheResultsSoFar) {
  Program program(
      LocklabArgv(With({"--backend=flock", "--duration=8h", "--round=100ms",
                        "--processes=2", "--format=json"})));
  ASSERT_TRUE(program.Says("round 4 of 288000")) << program.err();
  program.Kill(SIGINT);
  const Ended ended = program.Wait();
  EXPECT_EQ(ended.code, kExitInconclusive) << ended.err;
  const json report = json::parse(ended.out);
  EXPECT_EQ(report["complete"], false);
  EXPECT_GE(report["courses"][0]["rounds"], 3);
  EXPECT_EQ(report["courses"][0]["verdict"], "pass");
}

TEST_F(StressTest, DoesFaultsAndTellsOfThem) {
  const Ended ended =
      Stress({"--backend=link,flock", "--processes=4", "--acquisitions=200",
              "--hold=50us", "--repeat=2",
              "--fault-schedule=g9:kill:holding,g30:stop:holding:2ms,"
              "g50:break:holding"});
  EXPECT_EQ(ended.code, kExitOk) << ended.out << ended.err;
  for (const char* text :
       {"\non link ", "\non flock ", "\nkill ", "\nstop ", "\ncontinue ",
        "\nbreak      not done: this lock cannot be taken",
        "from the kill of a holder to the next grant: p50 ", "4 rounds in "}) {
    EXPECT_NE(ended.out.find(text), std::string::npos) << text << "\n"
                                                       << ended.out;
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
}

TEST_F(StressTest, ShrinksWhatFailsUnderFaults) {
  const Ended ended =
      Stress({"--backend=canary:release-by-name", "--processes=4",
              "--acquisitions=150", "--hold=50us", "--faults=delay,break",
              "--fault-every=20", "--seed=1", "--shrink"});
  EXPECT_EQ(ended.code, kExitFailed) << ended.out << ended.err;
  EXPECT_NE(ended.out.find("\nshrink canary:release-by-name: 1 fault and "),
            std::string::npos)
      << ended.out;
  const size_t at = ended.out.rfind("\n  replay: locklab stress --dir=");
  ASSERT_NE(at, std::string::npos) << ended.out;
  const std::string replay = ended.out.substr(at);
  for (const char* text : {" --backend=canary:release-by-name ",
                           " --fault-schedule=g", ":break:holding "}) {
    EXPECT_NE(replay.find(text), std::string::npos) << replay;
  }
}

TEST_F(StressTest, RefusesFaultsThatCannotBe) {
  const struct {
    std::vector<std::string> args;
    const char* says;
  } kCases[] = {
      {{"--faults=kil"}, "there is no fault 'kil'; kinds are kill, stop,"},
      {{"--fault-schedule=g0:kill:holding"}, "grants are counted from 1"},
      {{"--faults=kill", "--fault-schedule=g1:kill:holding"}, "not both"},
      {{"--fault-every=0"}, "not a whole number from 1"},
      {{"--faults=kill", "--scenario=herd"}, "in which nobody waits"},
      {{"--faults=kill", "--threads=2"}, "of one thread"},
  };
  for (const auto& c : kCases) {
    const Ended ended = Stress(c.args);
    EXPECT_EQ(ended.code, kExitUsage) << c.args[0];
    EXPECT_NE(ended.err.find(c.says), std::string::npos) << ended.err;
  }
}

// An executable of the test's own.
std::string WriteProgram(const std::string& path, const std::string& text) {
  std::ofstream(path) << "#!/bin/sh\n" << text;
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path;
}

TEST_F(StressTest, PutsTheLocksOfOthersBesideOurs) {
  const proc::TempDir programs;
  const std::string mute = WriteProgram(programs / "mute", "exit 1\n");
  const std::string open = WriteProgram(
      programs / "open",
      "read -r hello; echo ok 1; while read -r any; do echo ok; done\n");
  const Ended ended =
      Stress({"--compare-peers", "--processes=2", "--duration=300ms",
              "--backend=flock,adapter:flock,adapter:" + mute});
  EXPECT_EQ(ended.code, kExitOk) << ended.out << ended.err;
  for (const char* text : {"\nflock   ", "\nadapter:flock ", "\nnot there:"}) {
    EXPECT_NE(ended.out.find(text), std::string::npos) << ended.out;
  }
  EXPECT_EQ(ended.out.find("never"), std::string::npos) << ended.out;
  const Ended broken =
      Stress({"--compare-peers", "--processes=2", "--duration=300ms",
              "--backend=adapter:" + open});
  EXPECT_EQ(broken.code, kExitFailed) << broken.out << broken.err;
}

TEST_F(StressTest, ComparesPeersInJsonAndExcusesWhatIsNotThere) {
  const proc::TempDir programs;
  const std::string mute = WriteProgram(programs / "mute", "exit 1\n");
  const Ended ended =
      Stress({"--compare-peers", "--processes=2", "--duration=300ms",
              "--format=json", "--backend=flock,adapter:" + mute});
  EXPECT_EQ(ended.code, kExitOk) << ended.out << ended.err;
  const auto report = nlohmann::json::parse(ended.out);
  EXPECT_EQ(report["courses"].size(), 1);
  EXPECT_EQ(report["recoveries"][0]["backend"], "flock");
  EXPECT_EQ(report["recoveries"][0]["recovered"], 10);
  EXPECT_GT(report["recoveries"][0]["next_ns"]["p50"], 0);
  EXPECT_EQ(report["missing"].size(), 1);
  const Ended alone = Stress({"--backend=adapter:" + mute, "--duration=300ms"});
  EXPECT_EQ(alone.code, kExitNothingRan) << alone.out << alone.err;
  EXPECT_NE(alone.out.find(" unsupported: "), std::string::npos) << alone.out;
}

TEST_F(StressTest, RefusesWhatCannotBe) {
  const struct {
    std::vector<std::string> args;
    const char* says;
  } kCases[] = {
      {{"--backend=canary:no-lok"},
       "canary:NAME (see locklab list canaries), adapter:NAME (see locklab "
       "list "
       "adapters) or adapter:./PROGRAM; did you mean canary:no-lock?"},
      {{"--duration=0"}, "nothing can be seen in no time"},
      {{"--round=0s"}, "nothing can be seen in no time"},
      {{"--duration=5"}, "a number and a unit"},
      {{"--hold=exp:0"}, "--hold=exp:0: an exponential distribution needs"},
      {{"--hold=1h"}, "a round of 5s is over before that"},
      {{"--think=uniform:9us-1us"}, "write uniform:1us-9us"},
      {{"--processes=0"}, "not a whole number from 1"},
      {{"--processes=65536", "--threads=100"}, "contenders are more than"},
      {{"--processes=4", "--locks=5"}, "there are 4 contenders"},
      {{"--rate=5"}, "use --scenario=open-loop"},
      {{"--scenario=hurd"}, "did you mean herd?"},
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
