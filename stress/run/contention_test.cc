#include "stress/run/contention.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "conformance/history/log_reader.h"
#include "conformance/proc/child.h"
#include "conformance/proc/interrupts.h"
#include "conformance/proc/latch.h"
#include "conformance/proc/shared.h"
#include "conformance/proc/temp_dir.h"

namespace locklab::run {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""us;
namespace fs = std::filesystem;

// flock(2) and nothing else: known to be right on one host.
class PlainFlock : public Subject {
 public:
  explicit PlainFlock(const std::string& path)
      : fd_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {}
  ~PlainFlock() override { close(fd_); }
  Outcome Acquire(std::chrono::nanoseconds) override {
    while (flock(fd_, LOCK_EX) != 0) {
      if (errno != EINTR) return {Got::kError, errno, "flock", {}};
    }
    return {};
  }
  Outcome Release() override {
    flock(fd_, LOCK_UN);
    return {};
  }

 private:
  int fd_;
};

// Behaves as the test says, by default as no lock at all.
class Scripted : public Subject {
 public:
  struct Script {
    std::function<Outcome()> acquire = [] { return Outcome{}; };
    std::function<Outcome()> release = [] { return Outcome{}; };
  };
  explicit Scripted(Script script) : script_(std::move(script)) {}
  Outcome Acquire(std::chrono::nanoseconds) override {
    return script_.acquire();
  }
  Outcome Release() override { return script_.release(); }

 private:
  Script script_;
};

class Factory : public SubjectFactory {
 public:
  using MakeFn = std::function<std::unique_ptr<Subject>(const std::string&)>;
  explicit Factory(MakeFn make) : make_(std::move(make)) {}
  [[nodiscard]] std::string_view name() const override { return "test"; }
  [[nodiscard]] std::unique_ptr<Subject> Make(
      const std::string& path) const override {
    return make_(path);
  }

 private:
  MakeFn make_;
};

Factory Right() {
  return Factory([](const std::string& path) {
    return std::make_unique<PlainFlock>(path);
  });
}

Factory With(Scripted::Script script) {
  return Factory([script](const std::string&) {
    return std::make_unique<Scripted>(script);
  });
}

[[noreturn]] int SleepForever() {
  for (;;) pause();
}

class ContentionTest : public testing::Test {
 protected:
  [[nodiscard]] ContentionPlan Plan(int64_t acquisitions = 400) const {
    ContentionPlan plan;
    plan.dir = dir_.path();
    plan.processes = 4;
    plan.acquisitions = acquisitions;
    plan.seed = 1;
    return plan;
  }
  void TearDown() override {
    EXPECT_TRUE(fs::is_empty(dir_.path())) << "something was left behind";
  }

  const proc::TempDir dir_;
};

TEST_F(ContentionTest, ACorrectLockPasses) {
  ContentionPlan plan = Plan();
  plan.hold = Delay::Exponential(20us);
  plan.think = Delay::Fixed(5us);
  const ContentionResult result = RunContention(Right(), plan);
  EXPECT_EQ(result.exclusion.verdict, Verdict::kPass)
      << result.exclusion.reason;
  EXPECT_EQ(result.coherence.verdict, Verdict::kPass)
      << result.coherence.reason;
  EXPECT_EQ(result.progress.verdict, Verdict::kPass) << result.progress.reason;
  EXPECT_EQ(result.acquisitions, 400);
  EXPECT_EQ(result.updates, 400);
  EXPECT_EQ(result.violations, 0);
  EXPECT_EQ(result.witness_violations, 0);
  EXPECT_TRUE(result.evidence.empty());
  EXPECT_EQ(result.judgement.wait.count(), 400);
  EXPECT_EQ(result.judgement.actors.size(), 4u);
  EXPECT_GT(result.judgement.hold_share, 0);
  EXPECT_GT(result.judgement.jain, 0);
}

// Which workers' locks were made there.
TEST_F(ContentionTest, EverySecondWorkerUsesTheOtherMount) {
  ContentionPlan plan = Plan();
  plan.other_dir = dir_.path() + "/.";
  struct Count {
    std::atomic<int> here;
    std::atomic<int> there;
  };
  const proc::Shared<Count> count;
  const Factory subject([&](const std::string& path) {
    const bool other = path.find("/./") != std::string::npos;
    ++(other ? count->there : count->here);
    return std::make_unique<PlainFlock>(path);
  });
  const ContentionResult result = RunContention(subject, plan);
  EXPECT_EQ(result.exclusion.verdict, Verdict::kPass);
  EXPECT_EQ(result.coherence.verdict, Verdict::kPass);
  EXPECT_EQ(count->here, 2);
  EXPECT_EQ(count->there, 2);
}

// Locks that each mount keeps to itself, and a file that both write.
TEST_F(ContentionTest, LocksThatAreLocalToAMountAreCaught) {
  ContentionPlan plan = Plan(4000);
  plan.other_dir = dir_.path() + "/.";
  const Factory subject([&](const std::string& path) {
    const bool other = path.find("/./") != std::string::npos;
    return std::make_unique<PlainFlock>(path + (other ? "-local" : ""));
  });
  EXPECT_EQ(RunContention(subject, plan).exclusion.verdict, Verdict::kFail);
}

TEST_F(ContentionTest, ADurationEndsTheRun) {
  ContentionPlan plan = Plan(0);
  plan.duration = 50ms;
  plan.floor = 1;
  const proc::TimePoint start = proc::Clock::now();
  const ContentionResult result = RunContention(Right(), plan);
  EXPECT_GE(proc::Clock::now() - start, 50ms);
  EXPECT_EQ(result.exclusion.verdict, Verdict::kPass)
      << result.exclusion.reason;
  EXPECT_GT(result.acquisitions, 0);
}

TEST_F(ContentionTest, NoLockIsCaughtByAllWitnesses) {
  ContentionPlan plan = Plan();
  plan.hold = Delay::Fixed(200us);
  const ContentionResult result = RunContention(With({}), plan);
  EXPECT_EQ(result.exclusion.verdict, Verdict::kFail);
  EXPECT_EQ(result.coherence.verdict, Verdict::kFail);
  EXPECT_GT(result.violations, 0);
  EXPECT_GT(result.witness_violations, 0);
  EXPECT_GT(result.lost_updates, 0);
  EXPECT_NE(result.exclusion.reason.find("actor "), std::string::npos);
  EXPECT_FALSE(result.evidence.empty());
}

TEST_F(ContentionTest, ALockThatIsNeverFreedHangs) {
  const proc::Shared<std::atomic<int>> taken;
  ContentionPlan plan = Plan();
  plan.deadline = 1s;
  const ContentionResult result =
      RunContention(With({.acquire = [&]() -> Outcome {
                      if (taken->fetch_add(1) == 0) return {};
                      SleepForever();
                    }}),
                    plan);
  EXPECT_EQ(result.progress.verdict, Verdict::kFail);
  EXPECT_NE(result.progress.reason.find("4 of 4 workers hang"),
            std::string::npos)
      << result.progress.reason;
  EXPECT_NE(result.progress.reason.find("in acquire since"), std::string::npos)
      << result.progress.reason;
  EXPECT_EQ(result.acquisitions, 1);
}

TEST_F(ContentionTest, SlowIsNotHung) {
  ContentionPlan plan = Plan(1'000'000'000);
  plan.deadline = 600ms;
  const ContentionResult result = RunContention(Right(), plan);
  EXPECT_EQ(result.progress.verdict, Verdict::kInconclusive);
  EXPECT_NE(result.progress.reason.find("still changed hands"),
            std::string::npos)
      << result.progress.reason;
}

TEST_F(ContentionTest, AWorkerKilledByAnotherIsInconclusive) {
  const proc::Shared<std::atomic<int>> taken;
  const ContentionResult result =
      RunContention(Factory([&](const std::string& path) {
                      auto lock = std::make_shared<PlainFlock>(path);
                      return std::make_unique<Scripted>(Scripted::Script{
                          .acquire =
                              [&taken, lock] {
                                if (taken->fetch_add(1) == 100) raise(SIGKILL);
                                return lock->Acquire(0s);
                              },
                          .release = [lock] { return lock->Release(); }});
                    }),
                    Plan());
  EXPECT_EQ(result.exclusion.verdict, Verdict::kInconclusive);
  EXPECT_NE(result.exclusion.reason.find("was killed by SIGKILL, not by this "
                                         "run"),
            std::string::npos)
      << result.exclusion.reason;
  EXPECT_EQ(result.judgement.crashes, 1);
}

TEST_F(ContentionTest, AFailingCallIsReportedWithItsMessage) {
  const ContentionResult result =
      RunContention(With({.acquire =
                              [] {
                                return Outcome{.got = Got::kError,
                                               .sys = ENOLCK,
                                               .message = "no locks left"};
                              }}),
                    Plan());
  EXPECT_EQ(result.progress.verdict, Verdict::kFail);
  EXPECT_NE(result.progress.reason.find("acquire: no locks left"),
            std::string::npos)
      << result.progress.reason;
  EXPECT_EQ(result.exclusion.verdict, Verdict::kInconclusive);
}

TEST_F(ContentionTest, AFullHistoryEndsTheRunEarly) {
  ContentionPlan plan = Plan(0);
  plan.duration = 20s;
  plan.history_bytes = 1;  // clamped to a thousand events each
  const ContentionResult result = RunContention(Right(), plan);
  EXPECT_EQ(result.exclusion.verdict, Verdict::kPass)
      << result.exclusion.reason;
  EXPECT_LE(result.judgement.events, 4000);
}

TEST_F(ContentionTest, KeepsItsHistoryWhereAsked) {
  const proc::TempDir keep;
  ContentionPlan plan = Plan();
  plan.keep_history = keep / "a/b";
  plan.command_line = "locklab stress --seed=1";
  const ContentionResult result = RunContention(Right(), plan);
  history::MergedReader reader(history::LogsIn(plan.keep_history));
  EXPECT_EQ(reader.infos().size(), 5u) << "four workers and the supervisor";
  EXPECT_EQ(reader.infos()[0]->command_line, plan.command_line);
  EXPECT_EQ(reader.infos()[0]->subject, "test");
  EXPECT_NE(reader.infos()[0]->fs_type, "");
  const judge::Judgement again = judge::Judge(reader);
  EXPECT_EQ(again.acquisitions, result.acquisitions);
  EXPECT_EQ(again.events, result.judgement.events);
  EXPECT_EQ(again.wait.percentiles(), result.judgement.wait.percentiles());

  const ContentionResult second = RunContention(Right(), plan);
  EXPECT_EQ(second.exclusion.verdict, Verdict::kInconclusive)
      << "logs are not overwritten";
}

TEST_F(ContentionTest, ABadPlanIsInconclusiveAndSaysWhy) {
  const struct {
    void (*spoil)(ContentionPlan& plan);
    const char* says;
  } cases[] = {
      {[](ContentionPlan& plan) { plan.processes = 0; }, "0 processes"},
      {[](ContentionPlan& plan) { plan.processes = 100'000; }, "it takes 1 to"},
      {[](ContentionPlan& plan) { plan.acquisitions = 0; }, "neither"},
      {[](ContentionPlan& plan) { plan.dir = "/nonexistent/dir"; },
       "/nonexistent/dir"},
  };
  for (const auto& test : cases) {
    ContentionPlan plan = Plan();
    test.spoil(plan);
    const ContentionResult result = RunContention(Right(), plan);
    for (const Finding& finding :
         {result.exclusion, result.coherence, result.progress}) {
      EXPECT_EQ(finding.verdict, Verdict::kInconclusive);
      EXPECT_NE(finding.reason.find(test.says), std::string::npos)
          << finding.reason;
    }
  }
}

// Runs for ever in a child; `lifeline` breaks when it and its workers are dead.
proc::Child RunForever(const ContentionPlan& plan, proc::Latch& started,
                       bool in_scope) {
  return proc::Child::Spawn([&, plan, in_scope] {
    std::unique_ptr<proc::Interrupts> scope;
    if (in_scope) scope = std::make_unique<proc::Interrupts>();
    const ContentionResult result =
        RunContention(With({.acquire = [&started]() -> Outcome {
                        started.Open();
                        SleepForever();
                      }}),
                      plan);
    const bool said = result.exclusion.reason.starts_with("interrupted by");
    proc::Interrupts::Take();
    return said ? 0 : 1;
  });
}

TEST_F(ContentionTest, AnInterruptEndsItAndLeavesNothing) {
  for (const bool in_scope : {true, false}) {
    proc::Latch started;
    proc::Latch lifeline;
    proc::Child child = RunForever(Plan(), started, in_scope);
    ASSERT_EQ(started.Wait(proc::In(20s)), proc::Latch::kOpen);
    child.Kill(SIGTERM);
    const auto end = child.Wait(proc::In(20s));
    ASSERT_TRUE(end.has_value());
    if (in_scope) {
      EXPECT_TRUE(end->ok()) << end->Describe();
    } else {
      EXPECT_EQ(end->signal, SIGTERM) << "as the caller expects";
    }
    EXPECT_EQ(lifeline.Wait(proc::In(20s)), proc::Latch::kBroken);
    EXPECT_TRUE(fs::is_empty(dir_.path()));
  }
}

TEST_F(ContentionTest, WorkersDieWithASigkilledSupervisor) {
  proc::Latch started;
  proc::Latch lifeline;
  proc::Child child = RunForever(Plan(), started, false);
  ASSERT_EQ(started.Wait(proc::In(20s)), proc::Latch::kOpen);
  child.Stop();
  EXPECT_EQ(lifeline.Wait(proc::In(20s)), proc::Latch::kBroken);
  EXPECT_EQ(proc::SweepDead(dir_.path()), 1);
  proc::SweepDead("/dev/shm");  // as the next run would
}

TEST_F(ContentionTest, IsAnArenaForClaims) {
  ContentionArena arena;
  const ContestResult result =
      arena.Contend(Right(), dir_.path(),
                    {.processes = 2, .acquisitions = 100, .hold = 10us});
  EXPECT_EQ(result.exclusion.verdict, Verdict::kPass)
      << result.exclusion.reason;
  EXPECT_EQ(result.coherence.verdict, Verdict::kPass);
  EXPECT_EQ(result.progress.verdict, Verdict::kPass);
  EXPECT_EQ(result.acquisitions, 100);
  EXPECT_EQ(result.violations, 0);
}

}  // namespace
}  // namespace locklab::run
