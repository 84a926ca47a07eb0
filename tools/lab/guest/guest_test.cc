// Guests, through the interface that the lab uses: what they give back, and
// that nothing is left of them.
#include "tools/lab/guest/guest.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "conformance/proc/child.h"
#include "conformance/proc/interrupts.h"
#include "conformance/proc/namespaces.h"
#include "conformance/proc/poll_until.h"
#include "conformance/proc/program.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/verdict/exit.h"
#include "tools/lab/variant.h"

namespace locklab::lab {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

// Processes whose command line has the scratch directory of a guest in it.
bool AnyProcessOf(const std::string& scratch) {
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc", error)) {
    if (proc::ReadWhole(entry.path() / "cmdline").find(scratch) !=
        std::string::npos) {
      return true;
    }
  }
  return false;
}

constexpr auto kLong = 100s;

bool Eventually(const std::function<bool()>& condition) {
  return proc::Eventually(condition, proc::In(kLong), 20ms);
}

class GuestTest : public ::testing::Test {
 protected:
  GuestTest() {
    std::filesystem::create_directory(scratch());
    out_ = open(out().c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    err_ = open(err().c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  }
  ~GuestTest() override {
    close(out_);
    close(err_);
  }

  [[nodiscard]] std::string scratch() const { return dir_ / "scratch"; }
  [[nodiscard]] std::string out() const { return dir_ / "out"; }
  [[nodiscard]] std::string err() const { return dir_ / "err"; }

  [[nodiscard]] GuestPlan Plan(const std::string& filesystem,
                               std::vector<std::string> argv,
                               int clients = 1) const {
    return {.name = "test",
            .filesystem = filesystem,
            .clients = clients,
            .argv = std::move(argv),
            .writable = {},
            .job = {.locklab = "tools/locklab/locklab",
                    .args = {},
                    .scratch = scratch(),
                    .results = "",
                    .out = out_,
                    .err = err_}};
  }

  proc::TempDir dir_;
  int out_ = -1;
  int err_ = -1;
};

TEST_F(GuestTest, TwoClientsOfOneNfsAndWhatIsSaidAndWrittenComesBack) {
  GuestPlan plan = Plan("nfs vers=4.2",
                        {"bash", "-c", R"(
                         echo said; echo complained >&2
                         ! test -t 1 || echo "a terminal"
                         findmnt -no FSTYPE /mnt/a
                         touch /mnt/a/file && ls /mnt/b
                         ! touch "$0/other/file" 2>/dev/null || echo written
                         echo found >"$0/results/file"
                         locklab check --dir=/mnt/a --other-mount=/mnt/b \
                           --backend=mkdir --filter=across_mounts >&2
                         echo "check $?"
                         exit 7)",
                         dir_.path()},
                        2);
  for (const char* name : {"results", "other"}) {
    std::filesystem::create_directory(dir_ / name);
  }
  plan.writable = {dir_ / "results"};
  const Result result = RunGuest(plan);
  EXPECT_EQ(result.trouble, "");
  EXPECT_EQ(result.code, 7);
  EXPECT_EQ(proc::ReadWhole(out()), "said\nnfs4\nfile\ncheck 0\n")
      << proc::ReadWhole(err());
  EXPECT_TRUE(proc::ReadWhole(err()).starts_with("complained\n"));
  EXPECT_EQ(proc::ReadWhole(dir_ / "results/file"), "found\n");
  EXPECT_FALSE(AnyProcessOf(scratch()));
}

TEST_F(GuestTest, TwoClientsOfOneSmbAndSignalsAreHandedOn) {
  const GuestPlan plan = Plan("smb vers=3.1.1", {"bash", "-c", R"(
                               findmnt -no FSTYPE /mnt/a
                               touch /mnt/a/file && ls /mnt/b
                               locklab check --dir=/mnt/a --backend=fcntl \
                                 --filter='^(release.frees|fork.parent)' >&2
                               echo "check $?"
                               trap 'echo told; exit 3' TERM
                               echo waits
                               while :; do sleep 0.1; done)"},
                              2);
  proc::Child run = proc::Child::Spawn([&plan] {
    const proc::Interrupts interrupts;
    const Result result = RunGuest(plan);
    proc::Interrupts::Take();
    std::fputs(result.trouble.c_str(), stderr);
    return result.code;
  });
  ASSERT_TRUE(Eventually([&] {
    return proc::ReadWhole(out()).ends_with("waits\n") || run.Poll();
  }));
  run.Kill(SIGTERM);
  const auto end = run.Wait(proc::In(kLong));
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, 3) << end->Describe();
  EXPECT_EQ(proc::ReadWhole(out()), "cifs\nfile\ncheck 0\nwaits\ntold\n");
  EXPECT_FALSE(AnyProcessOf(scratch()));
}

// Root's files are somebody else's in the namespace that such a guest is in.
TEST_F(GuestTest, AUserWhoIsNotRootHasOneToo) {
  if (geteuid() != 0) GTEST_SKIP() << "no other users to try";
  constexpr uid_t kNobody = 65534;
  const proc::TempDir open_to_all("/tmp");
  chmod(open_to_all.path().c_str(), 0755);
  GuestPlan plan = Plan("nfs vers=4.2", {"bash", "-c", R"(
                         id -u; findmnt -no FSTYPE /mnt/a; touch /mnt/a/file)"});
  plan.job.locklab = open_to_all / "locklab";
  std::filesystem::copy_file("tools/locklab/locklab", plan.job.locklab);
  plan.job.scratch = open_to_all / "scratch";
  std::filesystem::create_directory(plan.job.scratch);
  ASSERT_EQ(chown(plan.job.scratch.c_str(), kNobody, kNobody), 0);
  proc::Child run = proc::Child::Spawn([&plan] {
    if (chdir("/") != 0 || setgroups(0, nullptr) != 0 || setgid(kNobody) != 0 ||
        setuid(kNobody) != 0) {
      return 99;
    }
    const Result result = RunGuest(plan);
    std::fputs(result.trouble.c_str(), stderr);
    return result.code;
  });
  const auto end = run.Wait(proc::In(2 * kLong));
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, 0) << end->Describe();
  EXPECT_EQ(proc::ReadWhole(out()), "0\nnfs4\n") << proc::ReadWhole(err());
}

TEST_F(GuestTest, NothingOutlivesARunThatIsKilled) {
  const GuestPlan plan = Plan("nfs vers=4.2", {"sleep", "1000"});
  proc::Child run = proc::Child::Spawn([&plan] { return RunGuest(plan).code; });
  ASSERT_TRUE(Eventually(
      [&] { return !proc::ReadWhole(scratch() + "/console").empty(); }));
  EXPECT_TRUE(AnyProcessOf(scratch()));
  run.Stop();
  EXPECT_TRUE(Eventually([&] { return !AnyProcessOf(scratch()); }));
}

TEST_F(GuestTest, WhatCannotBeMountedIsToldWithTheConsole) {
  const Result result = RunGuest(Plan("nfs vers=7", {"true"}));
  EXPECT_EQ(result.code, kExitMissingFeature);
  EXPECT_THAT(result.trouble,
              AllOf(HasSubstr("test: `on a mount -t nfs "),
                    HasSubstr("the last lines of its console:\n"),
                    HasSubstr("  locklab guest: ")));
}

// Neither in memory nor where its scratch directory is.
TEST_F(GuestTest, WithoutRoomForItsMemoryNoneIsBooted) {
  const std::string missing = proc::WhyNot(proc::EnterMounts);
  if (!missing.empty()) GTEST_SKIP() << missing;
  proc::Child run = proc::Child::Spawn([this] {
    if (!proc::EnterMounts().empty()) return 99;
    for (const std::string& dir : {std::string("/dev/shm"), scratch()}) {
      // The program that runs inside is copied there.
      if (mount("none", dir.c_str(), "tmpfs", 0, "size=100m") != 0) return 98;
    }
    const Result result = RunGuest(Plan("nfs vers=4.2", {"true"}));
    std::ofstream(dir_ / "trouble") << result.trouble;
    return result.code;
  });
  const auto end = run.Wait(proc::In(kLong));
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, kExitMissingFeature) << end->Describe();
  EXPECT_THAT(proc::ReadWhole(dir_ / "trouble"),
              AllOf(HasSubstr("test: neither /dev/shm nor " + scratch()),
                    HasSubstr("512 MiB"), HasSubstr("TMPDIR=DIR")));
}

// Programs of the name that come first on PATH.
class FakeKernelTest : public GuestTest {
 protected:
  FakeKernelTest() : path_(std::getenv("PATH")) {}
  ~FakeKernelTest() override { setenv("PATH", path_.c_str(), 1); }

  void Fake(const std::string& text) {
    std::ofstream(dir_ / "linux.uml") << "#!/bin/sh\n" << text;
    std::filesystem::permissions(dir_ / "linux.uml",
                                 std::filesystem::perms::owner_all);
    setenv("PATH", (dir_.path() + ":" + path_).c_str(), 1);
  }

 private:
  std::string path_;
};

TEST_F(FakeKernelTest, AGuestThatDoesNotBootIsToldWithItsLastLines) {
  Fake("echo mounted nothing; echo panic: no init found; exit 3");
  const Result result = RunGuest(Plan("nfs vers=4.2", {"true"}));
  EXPECT_EQ(result.code, kExitMissingFeature);
  EXPECT_EQ(result.trouble,
            "test: the guest exited with 3 before it was ready; the last lines "
            "of its console:\n  mounted nothing\n  panic: no init found");
}

TEST_F(FakeKernelTest, AGuestThatHangsIsStopped) {
  Fake("echo thinking; sleep 1000 & while :; do sleep 1; done");
  GuestPlan plan = Plan("nfs vers=4.2", {"true"});
  plan.boot = 1s;
  const Result result = RunGuest(plan);
  EXPECT_EQ(result.code, kExitMissingFeature);
  EXPECT_THAT(result.trouble, AllOf(HasSubstr("the guest was not ready in 1 s"),
                                    HasSubstr("  thinking")));
  EXPECT_FALSE(AnyProcessOf(scratch()));
}

}  // namespace
}  // namespace locklab::lab
