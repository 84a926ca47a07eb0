// locklab lab as its users meet it: the table, runs on filesystems that are
// made for them, and what is left after a run that was killed.
#include <gtest/gtest.h>
#include <linux/securebits.h>
#include <sys/prctl.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "conformance/claims/features.h"
#include "conformance/expect/expectations.h"
#include "conformance/proc/poll_until.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/verdict/exit.h"
#include "tools/lab/needs.h"
#include "tools/lab/run.h"
#include "tools/lab/variant.h"
#include "tools/locklab/program.h"

namespace locklab::cli {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
namespace fs = std::filesystem;

// --- the table ---------------------------------------------------------------

TEST(LabTable, RowsNameWhatThereIs) {
  std::set<std::string> packs;
  for (const expect::Pack& pack : expect::Packs()) packs.emplace(pack.name);
  std::set<std::string> names;
  for (const lab::Variant& variant : lab::Variants()) {
    SCOPED_TRACE(variant.name);
    EXPECT_TRUE(names.insert(variant.name).second) << "twice";
    EXPECT_EQ(lab::FindVariant(variant.name), &variant);
    EXPECT_FALSE(variant.doc.empty() || variant.made.empty());
    EXPECT_EQ(variant.name.ends_with("/2"), variant.mounts == 2);
    EXPECT_TRUE(variant.mount == nullptr || variant.run == nullptr);
    for (const std::string_view need : NamesIn(variant.needs)) {
      EXPECT_NE(lab::FindNeed(need), nullptr) << need;
    }
    for (const std::string_view feature : NamesIn(variant.features)) {
      EXPECT_NE(FindFeature(feature), nullptr) << feature;
    }
    EXPECT_TRUE(variant.pack.empty() ||
                packs.contains(std::string(variant.pack)))
        << variant.pack;
  }
  EXPECT_GE(names.size(), 30u);
}

TEST(LabTable, NeedsSayWhatToDo) {
  for (const lab::Need& need : lab::Needs()) {
    SCOPED_TRACE(need.name);
    EXPECT_FALSE(need.doc.empty());
    EXPECT_TRUE(need.probe != nullptr || !need.package.empty());
  }
  const lab::Need missing{.name = "no-such-program-anywhere",
                          .doc = "nothing",
                          .package = "a-package"};
  EXPECT_EQ(lab::WhyMissing(missing),
            "there is no no-such-program-anywhere: apt-get install a-package");
}

TEST(LabTable, AVariantAddsItsFlagsBeforeThoseOfTheUser) {
  const lab::Variant variant{
      .name = "xyz/2", .doc = "", .made = "", .pack = "tmpfs", .mounts = 2};
  const auto args = [&variant](std::vector<std::string> given) {
    const lab::Job job{.locklab = "locklab",
                       .args = std::move(given),
                       .scratch = "",
                       .results = ""};
    return lab::ArgsOn(variant, job, "/a", "/b");
  };
  EXPECT_EQ(args({"check", "--expect=mine"}),
            (std::vector<std::string>{"check", "--dir=/a", "--variant=xyz/2",
                                      "--other-mount=/b", "--expect=@library",
                                      "--expect=@tmpfs", "--expect=mine"}));
  EXPECT_EQ(args({"stress", "--seed=7"}),
            (std::vector<std::string>{"stress", "--dir=/a", "--variant=xyz/2",
                                      "--seed=7"}));
}

// --- runs --------------------------------------------------------------------

class LabTest : public testing::Test {
 protected:
  // What it makes lies in our directory, and nothing else does.
  [[nodiscard]] std::function<void()> Prepare() const {
    return [this] {
      unsetenv("TEST_TMPDIR");
      setenv("TMPDIR", dir_.path().c_str(), 1);
    };
  }
  [[nodiscard]] Ended Run(const std::vector<std::string>& args) const {
    return Program(LocklabArgv(args), Prepare()).Wait();
  }

  [[nodiscard]] bool NothingIsLeft() const {
    return fs::is_empty(dir_.path()) && !AnyLoopDevice();
  }
  // One shows a file in our directory.
  [[nodiscard]] bool AnyLoopDevice() const {
    for (const auto& entry : fs::directory_iterator("/sys/block")) {
      const std::string file =
          ReadWhole(entry.path().string() + "/loop/backing_file");
      if (file.starts_with(dir_.path())) return true;
    }
    return false;
  }

  proc::TempDir dir_;
};

// Why a variant is not to be had; "" if it is.
std::string Missing(const std::string& name) {
  return lab::WhyNot(*lab::FindVariant(name));
}

TEST_F(LabTest, ListsEveryVariantAndWhyItIsNotThere) {
  const Ended ended = Run({"lab", "list", "--format=json"});
  ASSERT_EQ(ended.code, kExitOk) << ended.err;
  const json list = json::parse(ended.out).at("filesystems");
  EXPECT_EQ(list.size(), lab::Variants().size());
  for (const json& row : list) {
    EXPECT_EQ(row["available"], row["reason"] == "") << row;
  }
  const Ended text = Run({"lab", "list"});
  EXPECT_NE(text.out.find("ext4-nojournal"), std::string::npos);
}

TEST_F(LabTest, ChecksAFilesystemInAnImage) {
  if (!Missing("ext4").empty()) GTEST_SKIP() << Missing("ext4");
  const Ended ended = Run({"check", "--fs=ext4", "--backend=flock,link",
                           "--filter=^release.frees", "--format=json"});
  ASSERT_EQ(ended.code, kExitOk) << ended.out << ended.err;
  const json report = json::parse(ended.out);
  const json& variant = report["variants"][0];
  EXPECT_EQ(variant["name"], "ext4");
  EXPECT_EQ(variant["report"]["context"]["variant"], "ext4");
  EXPECT_EQ(variant["report"]["context"]["filesystem"]["type"], "ext4");
  EXPECT_EQ(variant["report"]["backends"].size(), 2u);
  EXPECT_TRUE(proc::Eventually([&] { return NothingIsLeft(); }, proc::In(20s)));
}

TEST_F(LabTest, ChecksThroughTwoMounts) {
  if (!Missing("bind/2").empty()) GTEST_SKIP() << Missing("bind/2");
  const Ended ended =
      Run({"lab", "run", "--fs=bind/2,bind", "--jobs=1", "--", "conformance",
           "--backend=link", "--filter=^exclusion.(across_mounts|two_objects)",
           "--out=" + dir_ / "results"});
  ASSERT_EQ(ended.code, kExitOk) << ended.out << ended.err;
  EXPECT_NE(ended.out.find("== bind/2:"), std::string::npos);
  const Ended list = Run(
      {"report", "--results=" + dir_ / "results", "--list", "--format=json"});
  const json runs = json::parse(list.out).at("runs");
  ASSERT_EQ(runs.size(), 2u) << list.out;
  EXPECT_EQ(runs[0]["variant"], "bind/2");
  EXPECT_EQ(runs[1]["variant"], "bind");
  EXPECT_EQ(runs[0]["verdicts"]["safe"], 1) << "through both mounts";
}

// A file whose name reached the disk, and not its text.
TEST_F(LabTest, APowerFailureCatchesALockThatTrustsItsDisk) {
  if (!Missing("ext4").empty()) GTEST_SKIP() << Missing("ext4");
  const Ended ended =
      Run({"check", "--fs=ext4", "--backend=canary:trusts-the-disk,symlink",
           "--filter=^power.lock_is_had_again", "--format=json"});
  const json report = json::parse(ended.out)["variants"][0]["report"];
  ASSERT_EQ(report["backends"].size(), 2u) << ended.out << ended.err;
  const json& trusting = report["backends"][0]["claims"][0];
  EXPECT_EQ(trusting["verdict"], "fail") << trusting;
  EXPECT_NE(trusting["reason"].get<std::string>().find(
                "its name had reached the disk"),
            std::string::npos)
      << trusting;
  const json& sound = report["backends"][1]["claims"][0];
  EXPECT_EQ(sound["verdict"], "pass") << sound;
}

TEST_F(LabTest, OneBadFilesystemMakesAllRed) {
  if (!Missing("tmpfs").empty()) GTEST_SKIP() << Missing("tmpfs");
  const Ended ended = Run({"check", "--fs=tmpfs",
                           "--backend=canary:"
                           "no-lock",
                           "--filter=^release.frees"});
  EXPECT_EQ(ended.code, kExitFailed) << ended.out << ended.err;
  EXPECT_NE(ended.out.find("replay: locklab check --fs=tmpfs"),
            std::string::npos)
      << ended.out;
}

// Where it ran is gone when somebody reads it.
TEST_F(LabTest, EachSubcommandReplaysOnItsFilesystem) {
  if (!Missing("tmpfs").empty()) GTEST_SKIP() << Missing("tmpfs");
  const std::vector<std::vector<std::string>> kRows = {
      {"crash", "--backend=canary:no-lock", "--operation=release",
       "--waiters=2", "--bound=1"},
      {"stress", "--backend=canary:no-lock", "--scenario=contention",
       "--duration=200ms"}};
  for (const auto& row : kRows) {
    std::vector<std::string> args = {"lab", "run", "--fs=tmpfs", "--"};
    args.insert(args.end(), row.begin(), row.end());
    const Ended ended = Run(args);
    EXPECT_EQ(ended.code, kExitFailed) << ended.out << ended.err;
    EXPECT_NE(ended.out.find("replay: locklab lab run --fs=tmpfs -- " +
                             row.front() + " --backend=canary:no-lock"),
              std::string::npos)
        << ended.out;
  }
}

TEST_F(LabTest, RefusesWhatItDoesNotUnderstand) {
  const struct {
    std::vector<std::string> args;
    std::string says;
  } kRows[] = {
      {{"check", "--fs=ex4"}, "did you mean ext4?"},
      {{"check", "--fs=tmpfs,"}, "an item is empty"},
      {{"check", "--fs=tmpfs", "--dir=/tmp"}, "--fs makes the directory"},
      {{"check", "--fs=tmpfs", "--profil=full"}, "did you mean --profile"},
      {{"check", "--fs=tmpfs,bind", "--json=x"}, "use --out=DIR"},
      {{"lab", "run", "--", "check"}, "--fs is required"},
      {{"lab", "run", "--fs=tmpfs"}, "after -- comes one of check"},
      {{"lab", "run", "--fs=tmpfs", "--", "chek"}, "did you mean check?"},
      {{"lab", "run", "--fs=tmpfs", "--", "check", "--dir=/tmp"},
       "the filesystem is made for the run"},
      {{"lab", "list", "--fs=tmpfs"}, "list takes neither"},
      {{"check", "--dir=/tmp", "--jobs=2"}, "--jobs goes with --fs"},
      {{"check", "--fs=tmpfs", "--jobs=many"}, "--jobs"},
      {{"check", "--fs=nfs4.2", "--out=" + dir_ / "no/results"},
       "--out: cannot make the directory"},
      {{"lab", "walk"}, "it must be one of list, run"},
  };
  for (const auto& row : kRows) {
    const Ended ended = Run(row.args);
    EXPECT_EQ(ended.code, kExitUsage) << row.says << ended.out;
    EXPECT_NE(ended.err.find(row.says), std::string::npos) << ended.err;
  }
  EXPECT_TRUE(fs::is_empty(dir_.path()));
}

TEST_F(LabTest, WhatIsNotThereIsUnsupportedAndRedIfItWasNamed) {
  // Root may do everything; without capabilities it is a user like any other.
  const auto prepare = [this] {
    Prepare()();
    prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED);
  };
  Program program(LocklabArgv({"check", "--fs=ext4"}), prepare);
  const Ended ended = program.Wait();
  EXPECT_EQ(ended.code, kExitMissingFeature) << ended.out << ended.err;
  EXPECT_NE(ended.out.find("== ext4: unsupported: only root may use loop "
                           "devices: run it as root"),
            std::string::npos)
      << ended.out;
  EXPECT_TRUE(fs::is_empty(dir_.path()));
}

// All that a killed run made is gone by itself, but for files, which the next
// run removes.
TEST_F(LabTest, AKilledRunLeavesNothingMounted) {
  if (!Missing("ext4").empty()) GTEST_SKIP() << Missing("ext4");
  Program program(
      LocklabArgv({"lab", "run", "--fs=ext4", "--", "check", "--backend=link"}),
      Prepare());
  ASSERT_TRUE(program.Says("examines")) << program.err();
  EXPECT_TRUE(AnyLoopDevice());
  const std::string mounts = ReadWhole("/proc/self/mountinfo");
  EXPECT_EQ(mounts.find(dir_.path()), std::string::npos) << "not private";
  std::string scratch;
  for (const auto& entry : fs::directory_iterator(dir_.path())) {
    scratch = entry.path().string();
  }
  program.Kill(SIGKILL);
  EXPECT_EQ(program.Wait().code, 1000 + SIGKILL);
  EXPECT_TRUE(
      proc::Eventually([&] { return !AnyLoopDevice(); }, proc::In(60s), 10ms));
  EXPECT_TRUE(NobodyIsOn(scratch + "/0/mnt"));
  EXPECT_FALSE(fs::is_empty(dir_.path())) << "nothing to sweep";
  const Ended next =
      Run({"check", "--fs=ext4", "--backend=flock", "--filter=^release.frees"});
  EXPECT_EQ(next.code, kExitOk) << next.out << next.err;
  EXPECT_TRUE(proc::Eventually([&] { return NothingIsLeft(); }, proc::In(20s)));
}

TEST_F(LabTest, AnInterruptedRunClearsUpAndSaysSo) {
  if (!Missing("ext4").empty()) GTEST_SKIP() << Missing("ext4");
  Program program(LocklabArgv({"lab", "run", "--fs=ext4,tmpfs", "--jobs=1",
                               "--", "check", "--backend=link"}),
                  Prepare());
  ASSERT_TRUE(program.Says("examines")) << program.err();
  program.Kill(SIGINT);
  const Ended ended = program.Wait();
  EXPECT_EQ(ended.code, kExitInconclusive) << ended.out << ended.err;
  EXPECT_NE(ended.out.find("not reached"), std::string::npos) << ended.out;
  EXPECT_TRUE(proc::Eventually([&] { return NothingIsLeft(); }, proc::In(20s)));
}

// --- side by side ------------------------------------------------------------

constexpr char kThree[] = "--fs=tmpfs,bind,overlay";

TEST_F(LabTest, WhatRunsSideBySideIsToldOneAfterTheOtherAndKept) {
  if (!Missing("tmpfs").empty()) GTEST_SKIP() << Missing("tmpfs");
  fs::create_directory(dir_ / "results");  // may be there, and empty
  const Ended ended = Run({"check", kThree, "--jobs=3", "--backend=flock",
                           "--filter=^(release.frees|load.fairness)",
                           "--out=" + dir_ / "results"});
  ASSERT_EQ(ended.code, kExitOk) << ended.out << ended.err;
  // Each is told from its title to its verdicts before another begins.
  size_t told = 0;
  for (size_t at = 0; at != std::string::npos; ++told) {
    const size_t next = ended.out.find("\n== ", at + 1);
    const std::string part = ended.out.substr(at, next - at);
    EXPECT_NE(part.find("seed "), std::string::npos) << part;
    EXPECT_NE(part.find("1 safe on "), std::string::npos) << part;
    at = next;
  }
  EXPECT_EQ(told, 3u) << ended.out;
  const Ended list = Run(
      {"report", "--results=" + dir_ / "results", "--list", "--format=json"});
  std::set<std::string> variants;
  const json runs = json::parse(list.out).at("runs");
  for (const json& run : runs) {
    variants.insert(run["variant"]);
    EXPECT_EQ(run["state"], "finished") << run;
  }
  EXPECT_EQ(variants, (std::set<std::string>{"tmpfs", "bind", "overlay"}));
}

// From a store of its own: it comes with what lies beside it.
TEST_F(LabTest, WhatAGuestFindsComesToTheOtherResults) {
  if (!Missing("nfs4.2").empty()) GTEST_SKIP() << Missing("nfs4.2");
  const std::string results = dir_ / "results";
  Program program(
      LocklabArgv({"check", "--fs=nfs4.2", "--backend=flock",
                   "--filter=^exclusion.two_proc", "--out=" + results}),
      Prepare());
  const Ended ended = program.Wait(300s);
  ASSERT_EQ(ended.code, kExitOk) << ended.out << ended.err;
  const Ended list =
      Run({"report", "--results=" + results, "--list", "--format=json"});
  const json runs = json::parse(list.out).at("runs");
  ASSERT_EQ(runs.size(), 1u) << list.out;
  EXPECT_EQ(runs[0]["variant"], "nfs4.2");
  EXPECT_EQ(runs[0]["state"], "finished");
  const std::string id = runs[0]["run_id"];
  EXPECT_TRUE(fs::exists(results + "/runs/" + id + "/history/flock"));
  const Ended bundle = Run(
      {"report", "--results=" + results, "--bundle=" + dir_ / "bundle.tar.gz"});
  EXPECT_EQ(bundle.code, kExitOk) << bundle.err;
  EXPECT_EQ(Run({"report", "--verify=" + dir_ / "bundle.tar.gz"}).code,
            kExitOk);
}

TEST_F(LabTest, AWrongFlagIsSaidOnceSideBySide) {
  if (!Missing("tmpfs").empty()) GTEST_SKIP() << Missing("tmpfs");
  const Ended ended = Run({"check", kThree, "--jobs=3", "--backend=nosuch"});
  EXPECT_EQ(ended.code, kExitUsage) << ended.out;
  const size_t first = ended.err.find("nosuch");
  ASSERT_NE(first, std::string::npos) << ended.err;
  EXPECT_EQ(ended.err.find("\n", first) + 1, ended.err.size()) << ended.err;
}

TEST_F(LabTest, WhatMeasuresByItselfRunsOnSeveralToo) {
  if (!Missing("tmpfs").empty()) GTEST_SKIP() << Missing("tmpfs");
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"bench", "--samples=1",
                                 "--experiment=uncontended"},
        {"stress", "--duration=200ms", "--processes=2"},
        {"crash", "--operation=release", "--waiters=0"}}) {
    std::vector<std::string> args = {"lab", "run", "--fs=tmpfs,bind", "--"};
    args.insert(args.end(), words.begin(), words.end());
    args.emplace_back("--backend=flock");
    const Ended ended = Run(args);
    EXPECT_EQ(ended.code, kExitOk) << words[0] << ended.out << ended.err;
    EXPECT_NE(ended.out.find("== bind: "), std::string::npos) << ended.out;
  }
}

// With SIGKILL nobody is told, and yet nothing is left but files.
TEST_F(LabTest, RunsSideBySideEndWithTheirRun) {
  if (!Missing("ext4").empty()) GTEST_SKIP() << Missing("ext4");
  for (const int signal : {SIGINT, SIGKILL}) {
    SCOPED_TRACE(signal);
    Program program(LocklabArgv({"lab", "run", "--fs=ext4,ext4-nojournal,tmpfs",
                                 "--jobs=2", "--", "check", "--backend=link"}),
                    Prepare());
    const auto loops = [this] {
      size_t count = 0;
      for (const auto& entry : fs::directory_iterator("/sys/block")) {
        const std::string file =
            ReadWhole(entry.path().string() + "/loop/backing_file");
        if (file.starts_with(dir_.path())) ++count;
      }
      return count;
    };
    ASSERT_TRUE(
        proc::Eventually([&] { return loops() >= 2; }, proc::In(60s), 10ms));
    program.Kill(signal);
    const Ended ended = program.Wait();
    EXPECT_EQ(ended.code,
              signal == SIGKILL ? 1000 + SIGKILL : int{kExitInconclusive})
        << ended.out << ended.err;
    EXPECT_EQ(ended.out.find("tmpfs: memory"), std::string::npos)
        << "it began another one";
    EXPECT_TRUE(proc::Eventually([&] { return loops() == 0; }, proc::In(60s)));
    for (const auto& entry : fs::directory_iterator(dir_.path())) {
      for (const char* number : {"/0/mnt", "/1/mnt"}) {
        EXPECT_TRUE(NobodyIsOn(entry.path().string() + number));
      }
    }
  }
  const Ended next = Run(
      {"check", "--fs=tmpfs", "--backend=flock", "--filter=^release.frees"});
  EXPECT_EQ(next.code, kExitOk) << next.out << next.err;
  EXPECT_TRUE(proc::Eventually([&] { return NothingIsLeft(); }, proc::In(20s)));
}

}  // namespace
}  // namespace locklab::cli
