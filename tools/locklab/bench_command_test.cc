// locklab bench, compare and gate as programs. What is measured is asserted
// nowhere: only that it is, and what follows from numbers made up here.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "conformance/store/run_writer.h"
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
       {"uncontended", "floor", "over-floor", "empty-loop", "try-held",
        "hand-off", "hand-off-inotify", "hand-off-pipe", "contended-wait-p50",
        "contended-wait-p99", "contended-each", "recovery"}) {
    int found = 0;
    for (const json& series : file["series"]) {
      if (series["measure"] != measure) continue;
      ++found;
      EXPECT_EQ(series["samples"].size(), 1) << series;
      EXPECT_GT(series["samples"][0].get<double>(), 0) << series;
      const std::string name = measure;
      EXPECT_EQ(series.contains("buckets"), name != "contended-each" &&
                                                name != "over-floor" &&
                                                !name.ends_with("-p99"))
          << "what a sample is the median of is kept whole: " << series;
    }
    EXPECT_EQ(found, 2) << measure << " of link and flock";
  }
  for (const json& lock : file["locks"]) EXPECT_EQ(lock["verdict"], "pass");
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path())) << "nothing is left";
}

// What each experiment that has to be asked for gives, of a lock of files, of
// one of the kernel's, and of SQLite's.
TEST_F(BenchTest, MeasuresScalesAndResources) {
  const Ended ended =
      RunLocklab({"bench", Dir(), "--backend=link,flock,sqlite", "--samples=1",
                  "--experiment=open-loop,break,processes,locks,resources",
                  "--format=json", "--seed=1"});
  // A busy machine may be too slow for SQLite to contend in so short a time.
  ASSERT_TRUE(ended.code == kExitOk || ended.code == kExitInconclusive)
      << ended.out << ended.err;
  std::map<std::string, std::map<std::string, double>> found;
  const json file = json::parse(ended.out);
  for (const json& series : file["series"]) {
    found[series["backend"]][series["measure"]] = series["samples"][0];
  }
  for (const char* measure :
       {"open-loop-wait-p50", "processes/1", "locks/1", "memory", "cpu"}) {
    for (const char* backend : {"link", "flock"}) {
      EXPECT_TRUE(found[backend].contains(measure))
          << backend << " " << measure;
    }
  }
  for (const char* measure : {"liveness", "break"}) {
    EXPECT_TRUE(found["link"].contains(measure)) << measure;
    EXPECT_TRUE(found["sqlite"].contains(measure)) << measure;
    EXPECT_FALSE(found["flock"].contains(measure))
        << "the kernel frees it: " << measure;
  }
  EXPECT_GT(found["sqlite"]["memory"], found["link"]["memory"]);
  EXPECT_FALSE(found["link"].contains("descriptors")) << "it keeps none open";
  EXPECT_EQ(found["flock"]["descriptors"], 1);
  // Where processes may be traced.
  if (found["flock"].contains("system-calls")) {
    EXPECT_GE(found["flock"]["system-calls"], 4) << "open, lock, unlock, close";
    EXPECT_LT(found["flock"]["system-calls"], 40);
    EXPECT_GT(found["sqlite"]["system-calls"], 0);
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path())) << "nothing is left";
}

TEST_F(BenchTest, KeepsRunsInAStore) {
  const std::string results = dir_ / "results";
  const auto bench = [&](const std::string& seed) {
    return RunLocklab({"bench", Dir(), "--backend=flock", "--samples=10",
                       "--experiment=uncontended", "--out=" + results,
                       "--seed=" + seed});
  };
  ASSERT_EQ(bench("1").code, kExitOk);
  ASSERT_EQ(bench("2").code, kExitOk);
  // The last run of the store beside itself: nothing changed.
  const Ended gate =
      RunLocklab({"gate", "--baseline=" + results,
                  "--candidate=" + results + ":latest", "--format=json"});
  EXPECT_EQ(gate.code, kExitOk) << gate.out << gate.err;
  EXPECT_EQ(json::parse(gate.out)["rows"].size(), 4)
      << "uncontended, its floor, both as a ratio, and empty-loop";
  const Ended none = RunLocklab(
      {"gate", "--baseline=" + results + ":nope", "--candidate=" + results});
  EXPECT_EQ(none.code, kExitUsage) << none.out << none.err;
  EXPECT_NE(none.err.find("no run \"nope\""), std::string::npos) << none.err;
  // Two runs are no history.
  const Ended series =
      RunLocklab({"gate", "--series=" + results, "--format=json"});
  EXPECT_EQ(series.code, kExitInconclusive) << series.out << series.err;
  EXPECT_EQ(json::parse(series.out)["runs"], 2);
}

// --- a history --------------------------------------------------------------

class SeriesTest : public BenchTest {
 protected:
  // `slower` than the first ones from run 25 on.
  void Fill(double slower, int runs = 40, const char* other_host = nullptr) {
    store::RunWriter writer(dir_.path());
    for (int i = 0; i < runs; ++i) {
      store::BenchRun run = {.context = {}, .series = {}, .locks = {}};
      run.context.run_id = fmt::format("{:08x}cafe", i);
      run.context.started = fmt::format("2026-01-02T03:{:02}:00Z", i);
      run.context.suite_version = "0.1.0";
      run.context.host = i >= 25 && other_host != nullptr ? other_host : "here";
      run.context.variant = "tmpfs";
      const double value = 1000 * (i < 25 ? 1 : slower) + i * 7 % 11;
      run.series = {{.backend = "link",
                     .measure = "uncontended",
                     .samples = {value, value + 2, value + 1}}};
      run.locks = {{"link", "pass", ""}};
      writer.BeginBench(run.context);
      writer.EndBench(run, "", kExitOk);
      ASSERT_EQ(writer.error(), "");
    }
  }
  [[nodiscard]] Ended Gate(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"gate", "--series=" + dir_.path()});
    return RunLocklab(more);
  }
};

TEST_F(SeriesTest, NamesTheRunWithWhichItGotSlower) {
  Fill(1.3);
  const Ended slower = Gate({"--markdown=" + dir_ / "series.md"});
  EXPECT_EQ(slower.code, kExitFailed) << slower.out << slower.err;
  EXPECT_NE(slower.out.find("00000019 2026-01-02T03:25:00Z 0.1.0  REGRESSED"),
            std::string::npos)
      << slower.out;
  EXPECT_NE(ReadWhole(dir_ / "series.md").find("**REGRESSED**"),
            std::string::npos);
  const json found = json::parse(Gate({"--format=json"}).out);
  EXPECT_EQ(found["series"][0]["changes"][0]["run_id"], "00000019cafe");
  EXPECT_EQ(Gate({"--since=0000001a"}).code, kExitOk) << "it was accepted";
  EXPECT_EQ(Gate({"--max-regression=40"}).code, kExitOk);
  EXPECT_EQ(Gate({"--last=10"}).code, kExitInconclusive);
  // The page marks it.
  const Ended page = RunLocklab(
      {"report", "--results=" + dir_.path(), "--html=" + dir_ / "page.html"});
  EXPECT_EQ(page.code, kExitOk) << page.err;
  EXPECT_NE(ReadWhole(dir_ / "page.html").find("\"standing\":\"REGRESSED\""),
            std::string::npos);
}

TEST_F(SeriesTest, RefusesMixedSurroundings) {
  Fill(1.3, 40, "there");
  const Ended mixed = Gate();
  EXPECT_EQ(mixed.code, kExitUsage) << mixed.out << mixed.err;
  EXPECT_NE(mixed.err.find("host here until run"), std::string::npos)
      << mixed.err;
  EXPECT_NE(mixed.err.find("--insist"), std::string::npos) << mixed.err;
  EXPECT_EQ(Gate({"--insist"}).code, kExitFailed);
  EXPECT_EQ(Gate({"--last=15"}).code, kExitOk) << "these are of one host";
}

TEST_F(SeriesTest, RefusesBadInputInOneLine) {
  EXPECT_EQ(Gate().code, kExitUsage) << "no store";
  { const store::RunWriter empty(dir_.path()); }
  const Ended empty = Gate();
  EXPECT_EQ(empty.code, kExitNothingRan) << empty.out << empty.err;
  EXPECT_NE(empty.err.find("no finished runs"), std::string::npos);
  Fill(1, 12);
  const struct {
    std::vector<std::string> args;
    const char* says;
  } kCases[] = {
      {{"--since=nope"}, "there is no run \"nope\""},
      {{"--since=0000"}, "several runs"},
      {{"--backend=flock"}, "no run of the series examined a lock \"flock\""},
      {{"--last=0"}, "--last"},
      {{"--alpha=nan"}, "--alpha"},
      {{"--max-regression=nan"}, "--max-regression"},
      {{"--vs=./x", Dir()}, "give either"},
  };
  for (const auto& [args, says] : kCases) {
    const Ended ended = Gate(args);
    EXPECT_EQ(ended.code, kExitUsage) << ended.out << ended.err;
    EXPECT_NE(ended.err.find(says), std::string::npos) << ended.err;
  }
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open((dir_ / "results.db").c_str(), &database), SQLITE_OK);
  sqlite3_exec(database, "PRAGMA user_version = 99", nullptr, nullptr, nullptr);
  sqlite3_close(database);
  const Ended newer = Gate();
  EXPECT_EQ(newer.code, kExitUsage) << newer.out << newer.err;
  EXPECT_NE(newer.err.find("99"), std::string::npos) << newer.err;
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
  EXPECT_EQ(compared["rows"].size(), 4) << compared;
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
      {{"compare", dir_.path(), dir_.path()}, "results"},
      {{"gate", "--since=x", "--baseline=a", "--candidate=b"}, "--since is"},
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
