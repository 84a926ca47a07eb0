// Locks behind adapters: those that come with locklab, the example of the
// documentation, and all that an adapter can do wrong.
#include "stress/adapters/adapter.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "conformance/proc/child.h"
#include "conformance/proc/latch.h"
#include "conformance/proc/temp_dir.h"
#include "stress/run/contention.h"
#include "stress/run/recovery.h"

namespace locklab::adapters {
namespace {

using namespace std::chrono_literals;
using proc::In;

constexpr auto kSoon = 20s;

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class AdapterTest : public testing::Test {
 protected:
  // An adapter that is this script for sh, and no more patient than that.
  [[nodiscard]] std::unique_ptr<SubjectFactory> Script(
      const std::string& text, Patience patience = {}) const {
    return SubjectBehind("adapter:script", {"/bin/sh", "-c", text}, "",
                         patience);
  }
  [[nodiscard]] std::string Path() const { return dir_ / "job"; }

  // Three processes and some dozen acquisitions.
  [[nodiscard]] run::ContentionResult Contend(
      const SubjectFactory& subject) const {
    run::ContentionPlan plan;
    plan.dir = dir_.path();
    plan.processes = 3;
    plan.acquisitions = 30;
    plan.hold = run::Delay::Fixed(200us);
    plan.deadline = 60s;
    plan.seed = 7;
    return run::RunContention(subject, plan);
  }

  proc::TempDir dir_;
};

// --- what can go wrong ------------------------------------------------------

// One that answers `hello` and then does this for each request.
std::string After(const std::string& hello, const std::string& rest) {
  return "read -r line; printf '" + hello +
         "\\n'\nwhile read -r verb more; do " + rest + "; done";
}

struct Misdeed {
  const char* name;
  std::string script;
  const char* says;  // the outcome of the first acquire or release that fails
  Patience patience = {};
  std::chrono::nanoseconds timeout = 0ns;
};

std::vector<Misdeed> Misdeeds() {
  const std::string acquires = "[ $verb = acquire ] && echo ok || ";
  const Patience brief{.answer = 2s};
  return {
      {"dies at the start", "exit 3",
       "the adapter exited with 3 before it answered hello"},
      {"complains and dies", "echo one >&2; echo no module lock >&2; exit 1",
       "exited with 1 before it answered hello: no module lock"},
      {"is killed", "kill -9 $$", "was killed by SIGKILL"},
      {"dies in the hold", After("ok 1", acquires + "exit 5"),
       "the adapter exited with 5 before it answered release"},
      {"closes its output", After("ok 1", "exec >&-; sleep 60"),
       "closed its output before it answered acquire"},
      {"never answers hello",
       "sleep 60",
       "the adapter hangs: no answer to hello",
       {.start = 300ms}},
      {"never answers acquire", After("ok 1", "sleep 60"),
       "the adapter hangs: no answer to acquire", brief},
      {"never answers release", After("ok 1", acquires + "sleep 60"),
       "the adapter hangs: no answer to release", brief},
      {"babbles", After("ok 1", "echo xyz"),
       "the adapter answered 'xyz' to acquire; expected ok, timeout or error "
       "TEXT"},
      {"almost says ok", After("ok 1", "echo okay"),
       "answered 'okay' to acquire"},
      {"says nothing", After("ok 1", "echo"), "answered '' to acquire"},
      {"answers release with timeout", After("ok 1", acquires + "echo timeout"),
       "answered 'timeout' to release; expected ok or error TEXT"},
      {"talks out of turn", After("ok 1\\nhi", "echo ok"),
       "the adapter said 'hi' without being asked"},
      {"is binary", After("ok 1", "printf '\\001\\377\\n'"),
       "answered '\\x01\\xff' to acquire"},
      {"says ten megabytes",
       After("ok 1", "head -c 10000000 /dev/zero | tr '\\0' x"),
       "the adapter's answer to acquire is longer than 4096 bytes: 'xxxx"},
      {"speaks another version", After("ok 2", "echo ok"),
       "answered 'ok 2' to hello; expected 'ok 1 TRAIT...'"},
      {"declares what is not", After("ok 1 perfect", "echo ok"),
       "declares 'perfect', which is no trait"},
      {"does not wait for ever",
       After("ok 1", "echo timeout"),
       "answered timeout to an acquire that may wait for ever",
       {},
       -1ns},
  };
}

TEST_F(AdapterTest, MisdeedsAreErrorsThatSayWhatItDid) {
  for (const Misdeed& misdeed : Misdeeds()) {
    const auto factory = Script(misdeed.script, misdeed.patience);
    const auto subject = factory->Make(Path());
    Outcome outcome = subject->Acquire(misdeed.timeout);
    if (outcome.ok()) outcome = subject->Release();
    EXPECT_EQ(outcome.got, Got::kError) << misdeed.name;
    EXPECT_NE(outcome.message.find(misdeed.says), std::string::npos)
        << misdeed.name << ": " << outcome.message;
  }
}

TEST_F(AdapterTest, WhatItStartedEndsWithItsTrial) {
  const std::string pid_file = dir_ / "pid";
  const auto factory =
      Script("sleep 600 & echo $! > " + pid_file + "; wait", {.start = 2s});
  EXPECT_NE(factory->WhyMissing().find("hangs"), std::string::npos);
  const pid_t started = std::atoi(ReadWhole(pid_file).c_str());
  ASSERT_GT(started, 0);
  // Somebody else has to reap it.
  EXPECT_TRUE(proc::Eventually(
      [started] {
        const std::string stat =
            ReadWhole("/proc/" + std::to_string(started) + "/stat");
        return stat.empty() || stat.find(") Z ") != std::string::npos;
      },
      In(kSoon)));
}

TEST_F(AdapterTest, AProgramThatIsNotThereIsMissing) {
  const auto factory =
      SubjectBehind("adapter:x", {dir_ / "none"}, "install the package x");
  const std::string why = factory->WhyMissing();
  EXPECT_NE(why.find("exited with 127 before it answered hello: cannot run " +
                     (dir_ / "none") +
                     ": No such file or directory; install "
                     "the package x"),
            std::string::npos)
      << why;
  EXPECT_NE(factory->Make(Path())->Acquire(0ns).message.find("cannot run"),
            std::string::npos);
}

TEST_F(AdapterTest, AnErrorKeepsItsTextAndNumber) {
  const auto factory = Script(After("error what", "echo error ENOSPC no room"));
  EXPECT_EQ(factory->WhyMissing(), "");
  const Outcome outcome = factory->Make(Path())->Acquire(0ns);
  EXPECT_EQ(outcome.got, Got::kError);
  EXPECT_EQ(outcome.sys, ENOSPC);
  EXPECT_EQ(outcome.message, "ENOSPC no room");
}

TEST_F(AdapterTest, AfterAMisdeedThereIsANewOne) {
  const auto factory = Script(
      "echo started >>" + (dir_ / "starts") + "\n" +
      After("ok 1", "[ -e " + (dir_ / "good") + " ] && echo ok || exit 1"));
  const auto subject = factory->Make(Path());
  EXPECT_EQ(subject->Acquire(0ns).got, Got::kError);
  std::ofstream(dir_ / "good") << "";
  EXPECT_TRUE(subject->Acquire(0ns).ok());
  EXPECT_TRUE(subject->Release().ok());
  EXPECT_EQ(ReadWhole(dir_ / "starts"), "started\nstarted\n");
}

TEST_F(AdapterTest, OneThatLetsEverybodyInIsCaught) {
  const auto factory = Script(After("ok 1", "echo ok"));
  const auto result = Contend(*factory);
  EXPECT_EQ(result.exclusion.verdict, Verdict::kFail)
      << result.exclusion.reason;
  EXPECT_GT(result.violations, 0);
}

// --- life and death ---------------------------------------------------------

bool Runs(const std::string& pid) {
  // A zombie has no command line.
  return !ReadWhole("/proc/" + pid + "/cmdline").empty();
}

TEST_F(AdapterTest, DiesWithTheProcessThatUsesIt) {
  const auto factory =
      Script("echo $$ >" + (dir_ / "pid") + "\n" + After("ok 1", "echo ok"));
  proc::Latch held;
  proc::Child user = proc::Child::Spawn([&] {
    const auto subject = factory->Make(Path());
    if (subject->Acquire(0ns).ok()) held.Open();
    for (;;) pause();
    return 0;
  });
  ASSERT_EQ(held.Wait(In(kSoon)), proc::Latch::kOpen);
  std::string pid = ReadWhole(dir_ / "pid");
  pid.pop_back();
  EXPECT_TRUE(Runs(pid));
  user.Stop();
  EXPECT_TRUE(proc::Eventually([&] { return !Runs(pid); }, In(kSoon)));
}

TEST_F(AdapterTest, AForkedChildHasOneOfItsOwn) {
  const auto factory =
      SubjectBehind("adapter:flock", FindAdapter("flock")->Command(), "");
  const auto subject = factory->Make(Path());
  ASSERT_TRUE(subject->Acquire(0ns).ok());
  proc::Child child = proc::Child::Spawn([&] {
    if (subject->Release().got != Got::kError) return 1;
    return subject->Acquire(0ns).got == Got::kTimeout ? 0 : 2;
  });
  const auto end = child.Wait(In(kSoon));
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->code, 0);
  EXPECT_TRUE(subject->Release().ok()) << "the parent's own is untouched";
}

// --- those that come with it ------------------------------------------------

class Packaged : public AdapterTest,
                 public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    const Adapter& row = *FindAdapter(GetParam());
    factory_ = SubjectBehind(
        "adapter:" + std::string(row.name), row.Command(),
        "run tools/setup, which installs " + std::string(row.package));
    ASSERT_EQ(factory_->WhyMissing(), "");
  }
  std::unique_ptr<SubjectFactory> factory_;
};

std::vector<const char*> Names() {
  std::vector<const char*> names;
  for (const Adapter& row : Adapters()) names.push_back(row.name.data());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Adapters, Packaged, testing::ValuesIn(Names()),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST_P(Packaged, Excludes) {
  const auto result = Contend(*factory_);
  EXPECT_EQ(result.exclusion.verdict, Verdict::kPass)
      << result.exclusion.reason;
  EXPECT_EQ(result.progress.verdict, Verdict::kPass) << result.progress.reason;
  EXPECT_EQ(result.lost_updates, 0);
  EXPECT_EQ(result.acquisitions, 30);
}

TEST_P(Packaged, KnowsTimeoutsErrorsAndStrangeNames) {
  const std::string path = dir_ / "a b%41\n";
  const auto holder = factory_->Make(path);
  const auto other = factory_->Make(path);
  EXPECT_EQ(holder->Release().got, Got::kError);
  ASSERT_TRUE(holder->Acquire(0ns).ok());
  EXPECT_EQ(holder->Acquire(0ns).got, Got::kError);
  EXPECT_EQ(other->Acquire(0ns).got, Got::kTimeout);
  EXPECT_EQ(other->Acquire(20ms).got, Got::kTimeout);
  const bool at_path = std::string(GetParam()) == "lockfile-pid";
  const std::string place = path + (at_path ? "" : ".lock");
  EXPECT_TRUE(std::filesystem::exists(std::filesystem::symlink_status(place)));
  EXPECT_TRUE(holder->Release().ok());
  EXPECT_TRUE(other->Acquire(2s).ok());
  EXPECT_TRUE(other->Release().ok());
}

// The honest truth about each: the file of a command or of a library that
// records no owner stays.
TEST_P(Packaged, RecoversFromADeadHolderOrDoesNot) {
  const std::string name = GetParam();
  const bool recovers =
      factory_->traits().released_on_crash || name == "dotlockfile-pid";
  proc::Latch held;
  proc::Child holder = proc::Child::Spawn([&] {
    const auto subject = factory_->Make(Path());
    if (subject->Acquire(0ns).ok()) held.Open();
    for (;;) pause();
    return 0;
  });
  ASSERT_EQ(held.Wait(In(kSoon)), proc::Latch::kOpen);
  holder.Stop();
  const Outcome outcome =
      factory_->Make(Path())->Acquire(recovers ? 20s : 50ms);
  EXPECT_EQ(outcome.got, recovers ? Got::kOk : Got::kTimeout)
      << outcome.message;
}

// --- and how long a lock stays with a dead holder ----------------------------

TEST_F(AdapterTest, ADeadHoldersLockIsTimedOrNeverComesFree) {
  const auto of = [this](const char* name, std::chrono::milliseconds bound) {
    const auto factory = SubjectBehind(name, FindAdapter(name)->Command(), "");
    return run::MeasureRecovery(*factory, dir_.path(), 3, bound);
  };
  const run::Recovery freed = of("flock", 20s);
  EXPECT_EQ(freed.trouble, "");
  EXPECT_EQ(freed.kills, 3);
  EXPECT_EQ(freed.recovered, 3);
  EXPECT_EQ(freed.next.count(), 3);
  const run::Recovery stuck = of("lockfile-mkdir", 250ms);
  EXPECT_EQ(stuck.trouble, "");
  EXPECT_EQ(stuck.kills, 2) << "two are enough";
  EXPECT_EQ(stuck.recovered, 0);
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
}

TEST_F(AdapterTest, ALockThatIsGivenToTwoHasNoRecovery) {
  const auto factory = Script(After("ok 1", "echo ok"));
  EXPECT_EQ(run::MeasureRecovery(*factory, dir_.path(), 3, 20s).trouble,
            "it was given to two");
}

// --- the documentation ------------------------------------------------------

TEST_F(AdapterTest, TheExampleOfTheDocumentationWorks) {
  const std::string readme = ReadWhole("stress/adapters/README.md");
  const std::string fence = "```sh\n";
  const size_t begin = readme.find(fence);
  ASSERT_NE(begin, std::string::npos);
  const size_t text = begin + fence.size();
  const std::string program = dir_ / "mine";
  std::ofstream(program) << readme.substr(text,
                                          readme.find("```", text) - text);
  ASSERT_EQ(chmod(program.c_str(), 0755), 0);
  const auto factory = SubjectBehind("adapter:./mine", {program}, "");
  EXPECT_EQ(factory->WhyMissing(), "");
  const auto result = Contend(*factory);
  EXPECT_EQ(result.exclusion.verdict, Verdict::kPass)
      << result.exclusion.reason;
  EXPECT_EQ(result.progress.verdict, Verdict::kPass) << result.progress.reason;
  const auto holder = factory->Make(Path());
  const auto other = factory->Make(Path());
  ASSERT_TRUE(holder->Acquire(0ns).ok());
  EXPECT_EQ(other->Acquire(0ns).got, Got::kTimeout);
  EXPECT_TRUE(holder->Release().ok());
  EXPECT_EQ(factory->Make(dir_ / "none/job")->Acquire(-1ns).got, Got::kError);
}

}  // namespace
}  // namespace locklab::adapters
