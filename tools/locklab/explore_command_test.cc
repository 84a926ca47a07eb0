// locklab explore as its users meet it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "conformance/verdict/exit.h"
#include "tools/locklab/program.h"

namespace locklab::cli {
namespace {

using nlohmann::json;

Ended Explore(std::vector<std::string> args) {
  args.insert(args.begin(), "explore");
  return RunLocklab(args);
}

TEST(Explore, CallsSoundLocksRightAndExcusesOthers) {
  const Ended ended = Explore({"--backend=link,sqlite", "--model=posix,smb",
                               "--processes=2", "--format=json"});
  ASSERT_EQ(ended.code, kExitOk) << ended.out << ended.err;
  const json report = json::parse(ended.out);
  ASSERT_EQ(report["explorations"].size(), 4);
  const json& link = report["explorations"][0];
  EXPECT_EQ(link["verdict"], "pass");
  EXPECT_GT(link["states"], 100);
  EXPECT_FALSE(link["coverage"].empty());
  for (size_t i = 1; i < 4; ++i) {
    EXPECT_EQ(report["explorations"][i]["verdict"], "unsupported");
    EXPECT_NE(report["explorations"][i]["excuse"], "");
  }
}

TEST(Explore, ShowsAScheduleThatShowsItAgain) {
  const std::vector<std::string> flags = {"--backend=canary:unlink-on-release",
                                          "--model=posix", "--processes=3"};
  const Ended ended = Explore(flags);
  ASSERT_EQ(ended.code, kExitFailed) << ended.out << ended.err;
  const size_t at = ended.out.find("--replay=");
  ASSERT_NE(at, std::string::npos) << ended.out;
  std::vector<std::string> again = flags;
  again.push_back(ended.out.substr(at, ended.out.find('\n', at) - at));
  const Ended replayed = Explore(again);
  EXPECT_EQ(replayed.code, kExitFailed) << replayed.out << replayed.err;
  EXPECT_NE(replayed.out.find("two processes hold the lock at once"),
            std::string::npos)
      << replayed.out;
  const char* const tmp = std::getenv("TEST_TMPDIR");
  again.push_back(std::string("--dir=") + (tmp != nullptr ? tmp : "/tmp"));
  const Ended really = Explore(again);
  EXPECT_EQ(really.code, kExitFailed) << really.out << really.err;
  EXPECT_NE(really.out.find("a witness saw two holders at once"),
            std::string::npos)
      << really.out;
}

TEST(Explore, SaysWhereABoundKeptItFromTheEnd) {
  const Ended ended = Explore({"--backend=link", "--model=posix", "--depth=5"});
  EXPECT_EQ(ended.code, kExitInconclusive) << ended.out << ended.err;
  EXPECT_NE(ended.out.find("bound reached: depth 5"), std::string::npos);
  EXPECT_EQ(Explore({"--backend=sqlite"}).code, kExitNothingRan);
}

std::vector<std::string> KeysOf(const json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

using Words = std::vector<std::string>;

// What a program may count on.
void ExpectKeys(const json& report) {
  EXPECT_EQ(KeysOf(report), (Words{"exit_code", "explorations",
                                   "schema_version", "suite_version"}));
  const json& found = report["explorations"][0];
  EXPECT_EQ(KeysOf(found),
            (Words{"assumes",     "backend",      "bound_reached",
                   "bounds",      "complete",     "counterexample",
                   "coverage",    "depth",        "duration_s",
                   "excuse",      "memory_bytes", "model",
                   "never",       "positions",    "positions_merged",
                   "preemptions", "processes",    "processor_s",
                   "states",      "transitions",  "verdict",
                   "waits_cut",   "worlds"}));
  EXPECT_EQ(KeysOf(found["bounds"]),
            (Words{"crashes", "depth", "errors", "jobs", "lease_losses",
                   "lost_replies", "memory_bytes", "pid_reuse", "power_losses",
                   "preemptions", "processor_s", "reboots", "require_complete",
                   "restarts", "rounds", "stale_looks", "waits"}));
  EXPECT_EQ(KeysOf(found["counterexample"]),
            (Words{"reason", "replay", "schedule", "steps", "what", "wrong"}));
  EXPECT_FALSE(found["counterexample"]["steps"].empty());
  for (const json& step : found["counterexample"]["steps"]) {
    EXPECT_EQ(KeysOf(step), (Words{"call", "holds", "process", "result"}));
  }
}

TEST(Explore, SaysInJsonAllThatTheTableSays) {
  Words flags = {"--backend=canary:unlink-on-release", "--model=posix",
                 "--processes=3"};
  const Ended text = Explore(flags);
  flags.emplace_back("--format=json");
  const Ended ended = Explore(flags);
  ASSERT_EQ(ended.code, kExitFailed) << ended.out << ended.err;
  const json report = json::parse(ended.out);
  ExpectKeys(report);
  EXPECT_EQ(report["exit_code"], kExitFailed);
  const json& found = report["explorations"][0];
  EXPECT_EQ(found["complete"], false);
  Words said;
  for (const char* const key : {"states", "transitions", "depth", "worlds"}) {
    said.push_back(found[key].dump());
  }
  for (const char* const key : {"backend", "model", "verdict"}) {
    said.push_back(found[key]);
  }
  for (const char* const key : {"schedule", "what", "replay"}) {
    said.push_back(found["counterexample"][key]);
  }
  for (const json& step : found["counterexample"]["steps"]) {
    said.push_back(step["call"]);
  }
  for (const json& each : found["coverage"]) {
    said.push_back(each["outcome"].get<std::string>() + " " +
                   each["count"].dump());
  }
  for (const std::string& word : said) {
    EXPECT_NE(text.out.find(word), std::string::npos) << word << text.out;
  }
}

TEST(Explore, AnswersWithABoundOnPreemptionsWhereItIsAsked) {
  Words flags = {"--backend=link", "--model=posix", "--processes=2",
                 "--preemptions=1"};
  const Ended text = Explore(flags);
  EXPECT_EQ(text.code, kExitOk) << text.out << text.err;
  EXPECT_NE(text.out.find("bounded"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("<= 1"), std::string::npos) << text.out;
  flags.emplace_back("--format=json");
  const json found = json::parse(Explore(flags).out)["explorations"][0];
  EXPECT_EQ(found["verdict"], "bounded");
  EXPECT_EQ(found["complete"], false);
  EXPECT_EQ(found["preemptions"], 1);
  EXPECT_EQ(found["bound_reached"], "1 preemptions");
  EXPECT_EQ(found["bounds"]["preemptions"], 1);
  flags.back() = "--require-complete";
  const Ended refused = Explore(flags);
  EXPECT_EQ(refused.code, kExitInconclusive) << refused.out << refused.err;
  EXPECT_NE(refused.out.find("inconclusive"), std::string::npos);
}

TEST(Explore, SaysWhereItsMemoryEnds) {
  const Ended ended =
      Explore({"--backend=excl", "--model=posix", "--processes=3", "--memory=8",
               "--require-complete"});
  EXPECT_EQ(ended.code, kExitInconclusive) << ended.out << ended.err;
  EXPECT_NE(ended.out.find("bound reached: memory of 8 MiB"), std::string::npos)
      << ended.out;
}

TEST(Explore, RefusesWhatItCannotRead) {
  for (const std::string flag :
       {"--replay=x1", "--model=ext9", "--role=sleep", "--processes=9",
        "--dir=/tmp", "--preemptions=-1", "--preemptions=two",
        "--preemptions=", "--preemptions=1001", "--jobs=0", "--memory=0"}) {
    const Ended ended = Explore({"--backend=link", "--model=posix", flag});
    EXPECT_EQ(ended.code, kExitUsage) << flag << ended.out << ended.err;
  }
}

}  // namespace
}  // namespace locklab::cli
