#include "stress/crash/stepper.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

#include "conformance/proc/child.h"

namespace locklab::crash {
namespace {

using namespace std::chrono_literals;

constexpr int kEnd = 7;

// Between its edges it makes three calls; the third makes a signal of its own.
int Walk() {
  const pid_t self = getpid();
  std::signal(SIGUSR1, SIG_IGN);
  LetParentLead();
  MarkEdge(self);
  syscall(SYS_getppid);
  syscall(SYS_geteuid);
  syscall(SYS_kill, self, SIGUSR1);
  MarkEdge(self);
  syscall(SYS_gettid);  // not counted
  return kEnd;
}

class StepperTest : public testing::TestWithParam<Teller> {
 protected:
  void SetUp() override {
    if (!MayTrace()) GTEST_SKIP() << "processes may not be traced here";
#ifndef __x86_64__
    if (GetParam() == Teller::kRegisters) GTEST_SKIP() << "x86-64 only";
#endif
  }

  // Returns how the process ended, too.
  Step Lead(int nth, bool after, proc::ExitStatus* end) {
    proc::Child child = proc::Child::Spawn(Walk);
    const Step step = LeadToDeath(
        child.pid(), nth, after, proc::In(20s), [this] { ++killed_; },
        GetParam());
    const auto ended = child.Wait(proc::In(20s));
    EXPECT_TRUE(ended.has_value());
    if (ended) *end = *ended;
    return step;
  }

  int killed_ = 0;
};

TEST_P(StepperTest, EveryCallIsReachedBeforeAndAfter) {
  const char* const kCalls[] = {"system call 110", "geteuid", "system call 62"};
  for (int nth = 1; nth <= 3; ++nth) {
    for (const bool after : {false, true}) {
      killed_ = 0;
      proc::ExitStatus end;
      const Step step = Lead(nth, after, &end);
      EXPECT_TRUE(step.reached) << nth << (after ? " after" : " before");
      EXPECT_FALSE(step.ended);
      EXPECT_EQ(step.calls, nth);
#ifdef __x86_64__
      EXPECT_EQ(step.call, kCalls[nth - 1]);
#endif
      EXPECT_EQ(killed_, 1);
      EXPECT_EQ(end.signal, SIGKILL);
    }
  }
}

TEST_P(StepperTest, CallThatNeverComesLetsTheProcessGoOn) {
  for (const bool after : {false, true}) {
    proc::ExitStatus end;
    const Step step = Lead(4, after, &end);
    EXPECT_TRUE(step.ended);
    EXPECT_FALSE(step.reached);
    EXPECT_EQ(step.calls, 3);
    EXPECT_EQ(killed_, 0);
    EXPECT_EQ(end.code, kEnd) << end.Describe();
  }
}

INSTANTIATE_TEST_SUITE_P(By, StepperTest,
                         testing::Values(Teller::kKernel, Teller::kRegisters),
                         [](const auto& info) {
                           return info.param == Teller::kKernel ? "Kernel"
                                                                : "Registers";
                         });

}  // namespace
}  // namespace locklab::crash
