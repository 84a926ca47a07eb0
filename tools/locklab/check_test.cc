// The main job as its users meet it: verdicts, bad directories, interrupts.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "conformance/proc/poll_until.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/verdict/exit.h"
#include "tools/locklab/program.h"

namespace locklab::cli {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using nlohmann::json;

std::vector<std::string> Names(const std::string& dir) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

class CheckTest : public testing::Test {
 protected:
  [[nodiscard]] std::string Dir() const { return "--dir=" + dir_.path(); }
  [[nodiscard]] Ended Check(std::vector<std::string> args) const {
    args.insert(args.begin(), {"check", Dir()});
    return RunLocklab(args);
  }

  proc::TempDir dir_;
};

// --- what it says ----------------------------------------------------------

TEST_F(CheckTest, CallsASoundLockSafe) {
  const std::string out = dir_ / "results";
  fs::create_directory(dir_ / "under");
  const Ended ended = RunLocklab(
      {"check", "--dir=" + dir_ / "under", "--backend=excl", "--format=json",
       "--seed=7", "--out=" + out, "--json=" + dir_ / "report.json"});
  ASSERT_EQ(ended.code, kExitOk) << ended.out << ended.err;
  const json report = json::parse(ended.out);
  EXPECT_EQ(report["context"]["seed"], 7);
  EXPECT_EQ(report["context"]["dir"], dir_ / "under");
  EXPECT_NE(report["context"]["filesystem"]["type"], "");
  const json& backend = report["backends"][0];
  EXPECT_EQ(backend["name"], "excl");
  EXPECT_EQ(backend["verdict"], "safe") << backend["reason"];
  EXPECT_GT(backend["claims"].size(), 40u);
  EXPECT_EQ(backend["contention"]["processes"], 8);
  EXPECT_GT(backend["contention"]["acquisitions"], 80);
  EXPECT_EQ(backend["contention"]["violations"], 0);
  EXPECT_GT(backend["contention"]["wait_ns"]["p99"], 0);
  EXPECT_GT(backend["latency_ns"]["p50"], 0);
  EXPECT_GT(backend["floor_ns"], 0);
  EXPECT_EQ(report["canary"]["caught"], true);
  EXPECT_EQ(json::parse(ReadWhole(dir_ / "report.json")), report);
  const Ended stored =
      RunLocklab({"report", "--results=" + out, "--format=json"});
  EXPECT_EQ(stored.code, kExitOk) << stored.err;
  EXPECT_EQ(json::parse(stored.out), report) << "what is stored is the same";
  const std::string history = out + "/runs/" +
                              report["context"]["run_id"].get<std::string>() +
                              "/history/";
  EXPECT_FALSE(fs::is_empty(history + "excl"));
  EXPECT_FALSE(fs::is_empty(history + "canary"));
  EXPECT_TRUE(fs::is_empty(dir_ / "under")) << "the run left something";
}

TEST_F(CheckTest, CatchesABrokenLockAndSaysWithWhatEvidence) {
  const Ended ended = Check({"--backend=canary:no-lock", "--format=json",
                             "--filter=exclusion.two_processes"});
  ASSERT_EQ(ended.code, kExitFailed) << ended.out << ended.err;
  const json report = json::parse(ended.out);
  EXPECT_EQ(report["context"]["partial"], true);
  const json& backend = report["backends"][0];
  EXPECT_EQ(backend["name"], "canary:no-lock");
  EXPECT_EQ(backend["verdict"], "unsafe");
  const json& claim = backend["claims"][0];
  EXPECT_EQ(claim["verdict"], "fail");
  EXPECT_NE(claim["evidence"].get<std::string>().find("history: actor"),
            std::string::npos)
      << claim;
  EXPECT_NE(
      claim["replay"].get<std::string>().find(
          "--backend=canary:no-lock --filter='^exclusion.two_processes$'"),
      std::string::npos)
      << claim;
  EXPECT_EQ(report["recommendation"], nullptr) << "of a partial run";
}

TEST_F(CheckTest, TellsWhereProcessesDiedAndWhatCameOfIt) {
  const Ended ended =
      Check({"--backend=flock,canary:no-lock", "--format=json",
             "--filter=^crash.every_point_recovers$", "--seed=3"});
  EXPECT_EQ(ended.code, kExitFailed) << ended.out << ended.err;
  const json report = json::parse(ended.out);
  const json& sound = report["backends"][0];
  EXPECT_EQ(sound["verdict"], "safe");
  EXPECT_GT(sound["crash"].size(), 10) << "of acquire, hold and release";
  for (const json& point : sound["crash"]) {
    EXPECT_EQ(point["verdict"], "pass") << point;
    EXPECT_GE(point["recovery_ns"].get<int64_t>(), 0) << point;
  }
  const json& claim = report["backends"][1]["claims"][0];
  EXPECT_EQ(claim["verdict"], "fail");
  std::string failed;
  for (const json& point : report["backends"][1]["crash"]) {
    if (failed.empty() && point["verdict"] == "fail") failed = point["point"];
  }
  EXPECT_NE(claim["evidence"].get<std::string>().find(
                " --backend=canary:no-lock --point=" + failed + " --waiters="),
            std::string::npos)
      << claim;
}

TEST_F(CheckTest, PutsLocksToTheScenarios) {
  const Ended ended = Check({"--backend=flock,canary:no-lock", "--format=json",
                             "--filter=^load.scenarios$", "--seed=3"});
  EXPECT_EQ(ended.code, kExitFailed) << ended.out << ended.err;
  const json report = json::parse(ended.out);
  const json& sound = report["backends"][0]["claims"][0];
  EXPECT_EQ(sound["verdict"], "pass") << sound;
  EXPECT_NE(sound["reason"].get<std::string>().find("all got it: "),
            std::string::npos)
      << sound;
  const json& broken = report["backends"][1]["claims"][0];
  EXPECT_EQ(broken["verdict"], "fail") << broken;
  EXPECT_NE(broken["evidence"].get<std::string>().find(
                " --backend=canary:no-lock --scenario="),
            std::string::npos)
      << broken;
}

// A lock that records no owner stays with a dead holder, and one that another
// process holds is excused from what cannot be seen of it.
TEST_F(CheckTest, ExaminesALockBehindAnAdapter) {
  const Ended ended =
      Check({"--backend=adapter:lockfile-link", "--format=json",
             "--filter=^(release.frees|fork.parent_keeps|stale.dead_holder)"});
  EXPECT_EQ(ended.code, kExitFailed) << ended.out << ended.err;
  const json report = json::parse(ended.out);
  std::map<std::string, std::string> verdicts;
  for (const json& claim : report["backends"][0]["claims"]) {
    verdicts[claim["id"]] = claim["verdict"];
  }
  EXPECT_EQ(verdicts, (std::map<std::string, std::string>{
                          {"fork.parent_keeps", "unsupported"},
                          {"release.frees", "pass"},
                          {"stale.dead_holder_is_detected", "fail"}}));
}

TEST_F(CheckTest, CallsAnAdapterThatDoesNotAnswerUnsupported) {
  const std::string program = dir_ / "mute";
  std::ofstream(program) << "#!/bin/sh\necho no module >&2\nexit 1\n";
  fs::permissions(program, fs::perms::owner_all);
  const Ended ended = Check({"--backend=adapter:" + program, "--format=json",
                             "--filter=^release.frees"});
  EXPECT_EQ(ended.code, kExitNothingRan) << ended.out << ended.err;
  const json report = json::parse(ended.out);
  EXPECT_EQ(report["backends"][0]["verdict"], "unsupported");
  EXPECT_EQ(report["backends"][0]["reason"],
            "the adapter exited with 1 before it answered hello: no module");
}

TEST_F(CheckTest, IsGreenForAKnownFailureAndRedForASurprise) {
  const std::string known = dir_ / "known.expect";
  std::ofstream(known) << "* canary:* release.twice_is_not_locked fails why\n";
  const std::vector<std::string> args = {
      "--format=json", "--filter=^release.twice_is_not_locked$",
      "--expect=" + known};
  auto broken = args;
  broken.emplace_back("--backend=canary:release-by-name");
  const Ended expected = Check(broken);
  EXPECT_EQ(expected.code, kExitOk) << expected.out << expected.err;
  const json backend = json::parse(expected.out)["backends"][0];
  EXPECT_EQ(backend["claims"][0]["verdict"], "xfail");
  EXPECT_EQ(backend["claims"][0]["expected"]["where"], "known.expect:1");
  EXPECT_EQ(backend["verdict"], "unsafe") << "a known fault is a fault";
  const auto replay = backend["claims"][0]["replay"].get<std::string>();
  EXPECT_NE(replay.find("--expect=" + known), std::string::npos) << replay;

  std::ofstream(known) << "* link release.twice_is_not_locked fails why\n";
  auto sound = args;
  sound.emplace_back("--backend=link");
  const Ended surprise = Check(sound);
  EXPECT_EQ(surprise.code, kExitFailed) << surprise.out << surprise.err;
  EXPECT_EQ(json::parse(surprise.out)["backends"][0]["claims"][0]["verdict"],
            "xpass");
}

TEST_F(CheckTest, KnowsThePacksThatComeWithIt) {
  const Ended ended =
      Check({"--backend=fcntl,ofd,sqlite", "--expect=@all", "--format=json",
             "--filter=^permission.second_user_waits$"});
  ASSERT_NE(ended.code, kExitUsage) << ended.err;
  for (const json& backend : json::parse(ended.out)["backends"]) {
    const json& claim = backend["claims"][0];
    // Without other users there is nothing to examine.
    if (claim["verdict"] == "unsupported") GTEST_SKIP() << claim["reason"];
    EXPECT_EQ(claim["verdict"], "xfail") << backend;
    EXPECT_EQ(claim["expected"]["where"].get<std::string>().substr(0, 9),
              "@library:");
  }
}

TEST_F(CheckTest, IsRedIfNoLockHasToKeepWhatIsRequired) {
  const std::string claim = "crash.kernel_lock_is_freed";
  const std::vector<std::string> args = {
      "--filter=^(crash.kernel_lock_is_freed|release.frees)$",
      "--require=" + claim, "--format=json"};
  auto excused = args;
  excused.emplace_back("--backend=link");
  const Ended none = Check(excused);
  EXPECT_EQ(none.code, kExitMissingFeature) << none.out << none.err;
  EXPECT_NE(json::parse(none.out)["missing"][0].get<std::string>().find(
                "claim " + claim + ": it was examined of no lock"),
            std::string::npos)
      << none.out;
  auto one = args;
  one.emplace_back("--backend=link,flock");
  const Ended there = Check(one);
  EXPECT_EQ(there.code, kExitOk) << there.out << there.err;
}

// Standard output and standard error of this process, to nobody.
void TalkToNobody() {
  int ends[2];
  if (pipe(ends) != 0) _exit(97);
  close(ends[0]);
  dup2(ends[1], STDOUT_FILENO);
  dup2(ends[1], STDERR_FILENO);
  close(ends[1]);
}

TEST_F(CheckTest, GoesOnWhereNobodyReadsWhatItSays) {
  const std::string file = dir_ / "report.json";
  fs::create_directory(dir_ / "under");
  Program run(LocklabArgv({"check", "--dir=" + dir_ / "under", "--backend=link",
                           "--filter=^release.frees$", "--json=" + file}),
              TalkToNobody);
  EXPECT_EQ(run.Wait().code, kExitFailed) << "what was to be read was not";
  EXPECT_EQ(json::parse(ReadWhole(file))["backends"][0]["verdict"], "safe");
  EXPECT_TRUE(fs::is_empty(dir_ / "under")) << "the run left something";
}

TEST_F(CheckTest, RefusesExpectationsOfWhatThereIsNot) {
  const std::string known = dir_ / "known.expect";
  std::ofstream(known) << "* link release.twise_is_not_locked fails why\n";
  const Ended ended = Check({"--expect=" + known});
  EXPECT_EQ(ended.code, kExitUsage);
  EXPECT_NE(ended.err.find("known.expect:1: release.twise_is_not_locked "
                           "matches no claim"),
            std::string::npos)
      << ended.err;
}

TEST_F(CheckTest, IsRedIfWhatIsRequiredIsMissing) {
  const Ended ended = Check({"--backend=link", "--filter=^release.frees$",
                             "--require=second-mount", "--format=json"});
  EXPECT_EQ(ended.code, kExitMissingFeature) << ended.out << ended.err;
  EXPECT_NE(json::parse(ended.out)["missing"][0].get<std::string>().find(
                "second-mount"),
            std::string::npos)
      << ended.out;
  const Ended text = Check(
      {"--backend=link", "--filter=^release.frees$", "--require=second-mount"});
  EXPECT_EQ(text.code, kExitMissingFeature);
  EXPECT_NE(text.out.find("required, and not to be had: needs second-mount: "),
            std::string::npos)
      << text.out;
  EXPECT_NE(text.out.find("--other-mount=DIR"), std::string::npos)
      << "what to do: " << text.out;
  const Ended there = Check({"--backend=link", "--filter=^release.frees$",
                             "--require=hard-links,link,release.frees"});
  EXPECT_EQ(there.code, kExitOk) << there.out << there.err;
  for (const char* wrong : {"--require=release.freezes", "--require=fcntl",
                            "--require=release.twice_is_not_locked"}) {
    const Ended refused =
        Check({"--backend=link", "--filter=^release.frees$", wrong});
    EXPECT_EQ(refused.code, kExitUsage) << wrong << refused.err;
  }
}

TEST_F(CheckTest, RefusesAnotherMountOfSomethingElse) {
  const proc::TempDir other;
  const Ended ended = RunLocklab(
      {"check", Dir(), "--backend=link", "--other-mount=" + other / "missing"});
  EXPECT_EQ(ended.code, kExitUsage) << ended.err;
  const Ended same =
      RunLocklab({"check", Dir(), "--backend=link", "--filter=^release.frees$",
                  "--other-mount=" + dir_.path()});
  EXPECT_EQ(same.code, kExitOk) << same.out << same.err;
}

TEST_F(CheckTest, SaysItsSeedFirstAndItsVerdictsLast) {
  const Ended ended =
      Check({"--backend=flock,ofd", "--filter=^release.frees$"});
  EXPECT_EQ(ended.code, kExitOk) << ended.out << ended.err;
  EXPECT_TRUE(ended.out.starts_with("seed ")) << ended.out;
  EXPECT_NE(ended.out.find("flock    safe"), std::string::npos) << ended.out;
  EXPECT_NE(ended.out.find("ofd      safe"), std::string::npos) << ended.out;
  EXPECT_NE(ended.out.find("2 safe on "), std::string::npos) << ended.out;
  EXPECT_TRUE(fs::is_empty(dir_.path()));
}

TEST_F(CheckTest, KeepsItsScratchDirectoryIfAsked) {
  const Ended ended =
      Check({"--backend=excl", "--filter=^release.frees$", "--keep"});
  EXPECT_EQ(ended.code, kExitOk) << ended.err;
  EXPECT_EQ(Names(dir_.path()).size(), 1u);
}

// --- bad input -------------------------------------------------------------

struct BadCase {
  std::vector<std::string> args;
  int code;
  std::string message;  // part of the one line on stderr
};

TEST_F(CheckTest, RefusesBadInputInOneLine) {
  const std::string file = dir_ / "file";
  std::ofstream(file) << "x";
  for (const BadCase& bad : std::vector<BadCase>{
           {{"check"}, kExitUsage, "--dir or --fs is required"},
           {{"check", "--dir=" + dir_ / "missing"}, kExitUsage, "ENOENT"},
           {{"check", "--dir=" + file}, kExitUsage, "is not a directory"},
           {{"check", "--dir=/proc"}, kExitUsage, "no files can be made"},
           {{"check", Dir(), "--backend=lnik"},
            kExitUsage,
            "did you mean link"},
           {{"check", Dir(), "--backend=link,,pid"}, kExitUsage, "empty"},
           {{"check", Dir(), "--backend=adapter:flok"},
            kExitUsage,
            "did you mean adapter:flock"},
           {{"check", Dir(), "--backend=adapter:./none"},
            kExitUsage,
            "--backend=adapter:./none: No such file"},
           {{"check", Dir(), "--backend=adapter:" + file},
            kExitUsage,
            "chmod +x"},
           {{"check", Dir(), "--profile=fast"}, kExitUsage, "quick, full"},
           {{"check", Dir(), "--sed=1"}, kExitUsage, "did you mean --seed"},
           {{"check", Dir(), "--seed=soon"}, kExitUsage, "--seed=soon"},
           {{"check", Dir(), "--seed=-1"}, kExitUsage, "--seed=-1"},
           {{"check", Dir(), "--format=xml"}, kExitUsage, "text, json"},
           {{"check", Dir(), "--filter=("}, kExitUsage, "regular expression"},
           {{"check", Dir(), "--filter=no.such"}, kExitNothingRan, "no claim"},
           {{"check", Dir(), "--out=" + file + "/x"}, kExitUsage, "--out"},
           {{"check", Dir(), "--format=json", "--json=-"},
            kExitUsage,
            "both go to standard output"},
           {{"check", Dir(), "--tap=-", "--json=-"},
            kExitUsage,
            "give each its own file"},
       }) {
    const Ended ended = RunLocklab(bad.args);
    EXPECT_EQ(ended.code, bad.code) << bad.message << "\n" << ended.err;
    EXPECT_NE(ended.err.find(bad.message), std::string::npos) << ended.err;
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1)
        << ended.err;
    EXPECT_EQ(ended.out, "");
  }
  EXPECT_EQ(Names(dir_.path()), std::vector<std::string>{"file"});
}

// Root may do everything; without capabilities it is a user like any other.
void BecomeOrdinary() {
  if (geteuid() != 0) return;
  prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED);
}

Ended CheckAsOrdinaryUser(const std::string& dir) {
  Program program(LocklabArgv({"check", "--dir=" + dir}), BecomeOrdinary);
  return program.Wait();
}

TEST_F(CheckTest, RefusesADirectoryThatItMayNotReadOrWrite) {
  const std::string dir = dir_ / "closed";
  fs::create_directory(dir);
  chmod(dir.c_str(), 0300);
  const Ended unreadable = CheckAsOrdinaryUser(dir);
  EXPECT_EQ(unreadable.code, kExitUsage) << unreadable.out;
  EXPECT_NE(unreadable.err.find("cannot read the directory"), std::string::npos)
      << unreadable.err;
  chmod(dir.c_str(), 0500);
  const Ended unwritable = CheckAsOrdinaryUser(dir);
  EXPECT_EQ(unwritable.code, kExitUsage) << unwritable.out;
  EXPECT_NE(unwritable.err.find("EACCES"), std::string::npos) << unwritable.err;
}

// --- disks -----------------------------------------------------------------

// A small filesystem that this test's processes alone see.
class DiskTest : public CheckTest {
 protected:
  void Mount(const std::string& options, unsigned long flags = 0) {
    fs::create_directory(disk_);
    const bool mounted =
        unshare(CLONE_NEWNS) == 0 &&
        mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
        mount("tmpfs", disk_.c_str(), "tmpfs", flags, options.c_str()) == 0;
    if (!mounted) GTEST_SKIP() << "mounting is not permitted here";
  }
  void TearDown() override { umount2(disk_.c_str(), MNT_DETACH); }

  const std::string disk_ = dir_ / "disk";
};

TEST_F(DiskTest, AReadOnlyOneIsRefused) {
  Mount("size=64m", MS_RDONLY);
  if (IsSkipped()) return;
  const Ended ended = RunLocklab({"check", "--dir=" + disk_});
  EXPECT_EQ(ended.code, kExitUsage);
  EXPECT_NE(ended.err.find("EROFS"), std::string::npos) << ended.err;
}

TEST_F(DiskTest, AFullOneIsRefused) {
  Mount("size=64k");
  if (IsSkipped()) return;
  const Ended ended = RunLocklab({"check", "--dir=" + disk_});
  EXPECT_EQ(ended.code, kExitUsage);
  EXPECT_NE(ended.err.find("no space left"), std::string::npos) << ended.err;
  EXPECT_TRUE(fs::is_empty(disk_));
}

TEST_F(DiskTest, OneThatFillsUpIsNotTheLocksFault) {
  Mount("size=32m");
  if (IsSkipped()) return;
  Program program(LocklabArgv(
      {"check", "--dir=" + disk_, "--backend=excl,link", "--profile=quick"}));
  ASSERT_TRUE(program.Says("claims")) << program.err();
  std::ofstream filler(disk_ + "/filler");
  const std::string block(1 << 20, 'f');
  while (filler.write(block.data(), 1 << 20).flush()) {
  }
  const Ended ended = program.Wait();
  EXPECT_EQ(ended.code, kExitInconclusive) << ended.out << ended.err;
  EXPECT_NE(ended.out.find("cut short: cannot write in"), std::string::npos)
      << ended.out;
  EXPECT_NE(ended.out.find("ENOSPC"), std::string::npos) << ended.out;
  EXPECT_EQ(ended.out.find("unsafe"), std::string::npos) << ended.out;
  EXPECT_EQ(Names(disk_), std::vector<std::string>{"filler"});
}

// --- ends before the end ---------------------------------------------------

class InterruptTest : public CheckTest,
                      public testing::WithParamInterface<int> {};

TEST_P(InterruptTest, LeavesNothingAndSaysWhatItHas) {
  Program program(LocklabArgv({"check", Dir(), "--format=json",
                               "--filter=^(acquire|break|release|stale)"}));
  ASSERT_TRUE(program.Says("claims")) << program.err();
  program.Kill(GetParam());
  const Ended ended = program.Wait();
  EXPECT_EQ(ended.code, kExitInconclusive) << ended.err;
  const json report = json::parse(ended.out);
  EXPECT_EQ(report["cut_short"],
            "interrupted by " + proc::SignalName(GetParam()));
  EXPECT_EQ(report["backends"].size(), 9u);
  for (const json& backend : report["backends"]) {
    EXPECT_EQ(backend["verdict"], "inconclusive") << backend;
  }
  EXPECT_TRUE(NobodyIsOn(dir_.path()));
  EXPECT_TRUE(fs::is_empty(dir_.path()));
}

INSTANTIATE_TEST_SUITE_P(Signals, InterruptTest,
                         testing::Values(SIGINT, SIGTERM, SIGHUP));

TEST_F(CheckTest, ThatWasKilledIsSweptByTheNext) {
  for (const char* stage : {"contend", "claims"}) {
    Program program(LocklabArgv({"check", Dir(), "--backend=link,flock"}));
    ASSERT_TRUE(program.Says(stage)) << program.err();
    program.Kill(SIGKILL);
    EXPECT_EQ(program.Wait().code, 1000 + SIGKILL);
    EXPECT_TRUE(NobodyIsOn(dir_.path())) << "children outlived the run";
    EXPECT_EQ(Names(dir_.path()).size(), 1u);
    const Ended next = Check({"--backend=excl", "--filter=^release.frees$"});
    EXPECT_EQ(next.code, kExitOk) << next.out << next.err;
    EXPECT_TRUE(fs::is_empty(dir_.path())) << "the next run did not sweep";
  }
}

}  // namespace
}  // namespace locklab::cli
