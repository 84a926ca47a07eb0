// locklab bench, compare and gate as programs. What is measured is asserted
// nowhere: only that it is, and what follows from numbers made up here.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "conformance/verdict/exit.h"
#include "tools/locklab/program.h"

namespace locklab::cli {
namespace {

using nlohmann::json;

class BenchTest : public testing::Test {
 protected:
  [[nodiscard]] std::string Dir() const { return "--dir=" + dir_.path(); }
  void Put(const std::string& name, const json& content) const {
    std::ofstream(dir_ / name) << content;
  }
  [[nodiscard]] json Get(const std::string& name) const {
    return json::parse(ReadWhole(dir_ / name));
  }

  const proc::TempDir dir_;
};

TEST_F(BenchTest, MeasuresEveryExperiment) {
  const Ended ended = RunLocklab({"bench", Dir(), "--backend=link,flock",
                                  "--samples=1", "--format=json", "--seed=1"});
  ASSERT_EQ(ended.code, kExitOk) << ended.out << ended.err;
  const json file = json::parse(ended.out);
  for (const char* measure :
       {"uncontended", "floor", "try-held", "hand-off", "contended-wait-p50",
        "contended-wait-p99", "contended-each", "recovery"}) {
    int found = 0;
    for (const json& series : file["series"]) {
      if (series["measure"] != measure) continue;
      ++found;
      EXPECT_EQ(series["samples"].size(), 1) << series;
      EXPECT_GT(series["samples"][0].get<double>(), 0) << series;
    }
    EXPECT_EQ(found, 2) << measure << " of link and flock";
  }
  for (const json& lock : file["locks"]) EXPECT_EQ(lock["verdict"], "pass");
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path())) << "nothing is left";
}

TEST_F(BenchTest, CountsNoNumberOfABrokenLock) {
  const Ended ended = RunLocklab({"bench", Dir(), "--backend=canary:no-lock",
                                  "--experiment=contended,try-held",
                                  "--samples=1", "--format=json"});
  EXPECT_EQ(ended.code, kExitFailed) << ended.out << ended.err;
  const json file = json::parse(ended.out);
  EXPECT_TRUE(file["series"].empty()) << file;
  EXPECT_EQ(file["locks"][0]["verdict"], "fail") << file;
}

TEST_F(BenchTest, ComparesTwoBuildsByTurns) {
  const std::string other = std::filesystem::absolute(LocklabArgv({})[0]);
  const Ended ended = RunLocklab(
      {"bench", Dir(), "--backend=flock", "--experiment=uncontended",
       "--samples=10", "--vs=" + other, "--format=json",
       "--out=" + dir_ / "candidate.json", "--out-base=" + dir_ / "base.json"});
  ASSERT_EQ(ended.code, kExitOk) << ended.out << ended.err;
  const json compared = json::parse(ended.out);
  EXPECT_EQ(compared["rows"].size(), 2) << compared;
  EXPECT_EQ(compared["rows"][0]["base_samples"], 10);
  EXPECT_TRUE(compared["environments_differ"].empty()) << compared;
  const Ended again = RunLocklab({"compare", dir_ / "base.json",
                                  dir_ / "candidate.json", "--format=json"});
  EXPECT_EQ(again.code, kExitOk) << again.out << again.err;
  EXPECT_EQ(json::parse(again.out)["rows"], compared["rows"])
      << "the same files give the same answer";
}

json Made(double factor) {
  json samples = json::array();
  for (int i = 0; i < 12; ++i) samples.push_back(factor * (1000 + i));
  return {{"kind", "locklab bench"},
          {"schema_version", 1},
          {"suite_version", "0.1.0"},
          {"command_line", "made up"},
          {"started", "2026-01-02T03:04:05Z"},
          {"seed", 1},
          {"environment", {{"host", "here"}}},
          {"series",
           {{{"backend", "link"},
             {"measure", "uncontended"},
             {"samples", samples}}}},
          {"locks", json::array()}};
}

TEST_F(BenchTest, GatesByExitCode) {
  Put("base.json", Made(1));
  Put("slow.json", Made(1.3));
  json there = Made(1);
  there["environment"]["host"] = "there";
  Put("there.json", there);
  const auto gate = [this](const std::string& candidate,
                           const std::string& more = "--alpha=0.01") {
    return RunLocklab({"gate", "--baseline=" + dir_ / "base.json",
                       "--candidate=" + dir_ / candidate,
                       "--markdown=" + dir_ / "gate.md", more});
  };
  EXPECT_EQ(gate("base.json").code, kExitOk);
  const Ended slow = gate("slow.json");
  EXPECT_EQ(slow.code, kExitFailed) << slow.out << slow.err;
  EXPECT_NE(slow.out.find("REGRESSED"), std::string::npos) << slow.out;
  EXPECT_NE(ReadWhole(dir_ / "gate.md").find("| **REGRESSED** |"),
            std::string::npos);
  EXPECT_EQ(gate("slow.json", "--max-regression=50").code, kExitOk);
  const Ended apart = gate("there.json");
  EXPECT_EQ(apart.code, kExitUsage) << apart.out << apart.err;
  EXPECT_NE(apart.err.find("--insist"), std::string::npos) << apart.err;
  EXPECT_EQ(gate("there.json", "--insist").code, kExitOk);
}

TEST_F(BenchTest, RefusesBadInputInOneLine) {
  Put("base.json", Made(1));
  const struct {
    std::vector<std::string> args;
    const char* says;
  } kCases[] = {
      {{"gate"}, "give either --baseline"},
      {{"gate", "--vs=./x", Dir(), "--baseline=a", "--candidate=b"},
       "give either"},
      {{"gate", "--baseline=" + dir_ / "none", "--candidate=b"},
       "cannot be read"},
      {{"gate", "--baseline=" + dir_ / "base.json",
        "--candidate=" + dir_ / "base.json", "--alpha=2"},
       "--alpha: it must be"},
      {{"compare", "/dev/null", "/dev/null"}, "not readable"},
      {{"bench", Dir(), "--vs=/nonexistent"}, "there is no such program"},
      {{"bench", Dir(), "--vs=/bin/true", "--samples=1"},
       "cannot take a sample"},
      {{"bench", Dir(), "--vs=/bin/false", "--samples=1"}, "cannot take"},
      {{"bench", Dir(), "--experiment=uncontendet"},
       "did you mean uncontended?"},
      {{"bench", Dir(), "--samples=0"}, "--samples"},
  };
  for (const auto& [args, says] : kCases) {
    const Ended ended = RunLocklab(args);
    EXPECT_EQ(ended.code, kExitUsage) << ended.out << ended.err;
    EXPECT_NE(ended.err.find(says), std::string::npos) << ended.err;
    // Progress stands before it where samples were to be taken.
    const std::string last = ended.err.substr(ended.err.find("locklab: "));
    EXPECT_LE(std::count(last.begin(), last.end(), '\n'), 2) << ended.err;
  }
}

}  // namespace
}  // namespace locklab::cli
