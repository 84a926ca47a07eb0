// From the run to the bundle that a stranger verifies, through the program
// alone: what was found is kept, reported and packed, and what was changed on
// the way does not pass.
#include <sqlite3.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "conformance/bundle/archive.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/verdict/exit.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/locklab/program.h"

namespace locklab::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

class EndToEndTest : public testing::Test {
 protected:
  void SetUp() override { fs::create_directory(dir_ / "examined"); }

  [[nodiscard]] std::vector<std::string> CheckArgs(
      const std::vector<std::string>& more) const {
    std::vector<std::string> args = {"check", "--dir=" + dir_ / "examined",
                                     "--out=" + results_};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
  // A sound lock and none at all, by what histories decide on.
  [[nodiscard]] Ended CheckTwo(std::vector<std::string> more = {}) const {
    more.insert(more.end(),
                {"--backend=link,canary:no-lock", "--format=json",
                 "--filter=^(exclusion.two_processes|load.progress)$"});
    return RunLocklab(CheckArgs(more));
  }
  [[nodiscard]] Ended Report(std::vector<std::string> args) const {
    args.insert(args.begin(), {"report", "--results=" + results_});
    return RunLocklab(args);
  }
  [[nodiscard]] Ended Verify() const {
    return RunLocklab({"report", "--verify=" + bundle_});
  }
  void Pack() const {
    const Ended ended = Report({"--bundle=" + bundle_});
    ASSERT_EQ(ended.code, kExitOk) << ended.out << ended.err;
  }
  [[nodiscard]] std::vector<std::string> Unpack(const std::string& to) const {
    fs::create_directory(to);
    return bundle::ReadArchive(bundle_, to);
  }

  proc::TempDir dir_;
  const std::string results_ = dir_ / "results";
  const std::string bundle_ = dir_ / "b.tar.gz";
};

// Changes the store as its owner can.
void Forge(const std::string& results, const char* sql) {
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open((results + "/results.db").c_str(), &raw), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(raw, sql, nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(raw);
  sqlite3_close(raw);
}

std::string FirstUnder(const std::vector<std::string>& names,
                       const std::string& folder) {
  for (const std::string& name : names) {
    if (name.starts_with(folder)) return name;
  }
  ADD_FAILURE() << "nothing in " << folder;
  return "";
}

// --- bundles ---------------------------------------------------------------

TEST_F(EndToEndTest, ARunThatIsPackedFollows) {
  ASSERT_EQ(CheckTwo().code, kExitFailed);
  Pack();
  const Ended verified = Verify();
  EXPECT_EQ(verified.code, kExitOk) << verified.out << verified.err;
  EXPECT_THAT(verified.out,
              AllOf(HasSubstr("verdicts link safe, canary:no-lock unsafe"),
                    HasSubstr("judged again: 3 histories"),
                    HasSubstr("the verdicts follow")));
}

TEST_F(EndToEndTest, AVerdictThatIsForgedInTheStoreDoesNotFollow) {
  ASSERT_EQ(CheckTwo().code, kExitFailed);
  Forge(results_,
        "UPDATE claims SET verdict = 'pass', reason = '', evidence = '', "
        "replay = ''; UPDATE contention SET violations = 0; "
        "UPDATE backends SET verdict = 'safe', reason = ''; "
        "UPDATE runs SET exit_code = 0");
  EXPECT_THAT(Report({}).out, HasSubstr("canary:no-lock safe, partly"));
  Pack();
  const Ended verified = Verify();
  EXPECT_EQ(verified.code, kExitFailed) << verified.out << verified.err;
  EXPECT_THAT(
      verified.out,
      AllOf(HasSubstr("does not follow: canary:no-lock: violations is 0 in"),
            HasSubstr("canary:no-lock exclusion.two_processes: pass in"),
            HasSubstr("the verdicts do NOT follow")));
}

TEST_F(EndToEndTest, AHistoryThatIsSwappedDoesNotFollow) {
  ASSERT_EQ(CheckTwo().code, kExitFailed);
  Pack();
  const std::string inside = dir_ / "inside";
  std::vector<bundle::Member> members;
  const std::vector<std::string> names = Unpack(inside);
  const std::string sound = FirstUnder(names, "history/link/");
  const std::string broken = FirstUnder(names, "history/canary:no-lock/");
  for (const std::string& name : names) {
    members.push_back(
        {.name = name, .path = inside + "/" + (name == broken ? sound : name)});
  }
  bundle::WriteArchive(bundle_, members);
  const Ended verified = Verify();
  EXPECT_EQ(verified.code, kExitFailed) << verified.out << verified.err;
  EXPECT_THAT(verified.out, HasSubstr("does not follow: " + broken));
}

TEST_F(EndToEndTest, ExpectationsGoIntoTheBundleAsTheyWere) {
  const std::string line = "* canary:no-lock * may-fail why\n";
  std::vector<std::string> args = {"--expect=@library"};
  for (const char* folder : {"a", "b"}) {
    fs::create_directory(dir_ / folder);
    const std::string file = dir_ / folder + "/known.expect";
    std::ofstream(file) << "# " << folder << "\n" << line;
    args.push_back("--expect=" + file);
  }
  const Ended ended = CheckTwo(args);
  ASSERT_EQ(ended.code, kExitOk) << ended.out << ended.err;
  const json report = json::parse(ended.out);
  EXPECT_EQ(report["backends"][1]["claims"][0]["verdict"], "xfail");
  fs::remove_all(dir_ / "a");
  Pack();
  const std::string inside = dir_ / "inside";
  EXPECT_THAT(Unpack(inside), Contains("expectations/1-library.expect"));
  EXPECT_EQ(ReadWhole(inside + "/expectations/2-known.expect"), "# a\n" + line);
  EXPECT_EQ(ReadWhole(inside + "/expectations/3-known.expect"), "# b\n" + line);
  const Ended verified = Verify();
  EXPECT_EQ(verified.code, kExitOk) << verified.out << verified.err;
}

// --- timelines -------------------------------------------------------------

// The most that held the lock at once, of the process with that name.
int MostHolders(const json& document, const std::string& name) {
  std::map<int, std::string> names;
  std::map<std::string, int> holders;
  std::map<std::string, int> most;
  for (const json& event : document.at("traceEvents")) {
    const int pid = event.at("pid").get<int>();
    if (event["name"] == "process_name") names[pid] = event["args"]["name"];
    if (event["name"] != "holds") continue;
    int& now = holders[names[pid]];
    now += event["ph"] == "B" ? 1 : -1;
    most[names[pid]] = std::max(most[names[pid]], now);
  }
  return most[name];
}

TEST_F(EndToEndTest, ATimelineShowsTheOverlap) {
  const std::string live = dir_ / "live.json";
  ASSERT_EQ(CheckTwo({"--trace=" + live}).code, kExitFailed);
  const std::string kept = dir_ / "kept.json";
  const Ended ended = Report({"--trace=" + kept});
  ASSERT_EQ(ended.code, kExitOk) << ended.err;
  EXPECT_EQ(ReadWhole(kept), ReadWhole(live));
  const json document = json::parse(ReadWhole(kept));
  EXPECT_EQ(MostHolders(document, "link"), 1);
  EXPECT_GT(MostHolders(document, "canary:no-lock"), 1);
  EXPECT_GT(MostHolders(document, "canary"), 1);

  fs::remove_all(results_ + "/runs");
  const Ended none = Report({"--trace=" + dir_ / "none.json"});
  EXPECT_EQ(none.code, kExitFailed);
  EXPECT_THAT(none.err, HasSubstr("the run left no histories"));
  EXPECT_FALSE(fs::exists(dir_ / "none.json"));
  const Ended same = Report({"--json=" + kept, "--trace=" + kept});
  EXPECT_EQ(same.code, kExitUsage);
}

// --- runs that were killed -------------------------------------------------

TEST_F(EndToEndTest, ARunThatIsKilledLeavesWhatItFoundAndTheOthers) {
  const Ended first = CheckTwo();
  ASSERT_EQ(first.code, kExitFailed);
  Program program(LocklabArgv(CheckArgs({"--backend=flock,ofd"})));
  // By then both have contended, which comes after what waits.
  ASSERT_TRUE(program.Says("flock: latency")) << program.err();
  program.Kill(SIGKILL);
  ASSERT_EQ(program.Wait().code, 1000 + SIGKILL);

  const Ended list = Report({"--list", "--format=json"});
  EXPECT_EQ(list.code, kExitOk) << list.err;
  const json runs = json::parse(list.out).at("runs");
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0]["state"], "finished");
  EXPECT_EQ(runs[1]["state"], "killed");
  EXPECT_THAT(Report({"--list"}).out, HasSubstr("  killed  "));
  EXPECT_EQ(
      Report({"--run=" + runs[0]["run_id"].get<std::string>(), "--format=json"})
          .out,
      first.out);

  const std::string killed = "--run=" + runs[1]["run_id"].get<std::string>();
  const Ended text = Report({killed});
  EXPECT_EQ(text.code, kExitOk) << text.err;
  EXPECT_THAT(text.out, HasSubstr("the run was killed: it never reached its"));
  const json found = json::parse(Report({killed, "--format=json"}).out);
  EXPECT_EQ(found["exit_code"], kExitInconclusive);
  EXPECT_EQ(found["canary"]["caught"], true);
  EXPECT_FALSE(found["primitives"].empty());
  ASSERT_EQ(found["backends"].size(), 2u);
  for (const json& backend : found["backends"]) {
    EXPECT_EQ(backend["verdict"], "inconclusive") << backend;
    EXPECT_GT(backend["contention"]["acquisitions"], 0) << backend;
  }

  // What it left can be given to others, too.
  const Ended packed = Report({killed, "--bundle=" + bundle_});
  EXPECT_EQ(packed.code, kExitOk) << packed.err;
  const Ended verified = Verify();
  EXPECT_EQ(verified.code, kExitOk) << verified.out << verified.err;
}

}  // namespace
}  // namespace locklab::cli
