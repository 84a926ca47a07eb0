#include "conformance/proc/interrupts.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

#include "conformance/proc/child.h"
#include "conformance/proc/latch.h"

namespace locklab::proc {
namespace {

using std::chrono_literals::operator""s;

TEST(Interrupts, AreRememberedAndTaken) {
  const Interrupts interrupts;
  EXPECT_EQ(Interrupts::Pending(), 0);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    raise(signal);
    EXPECT_EQ(Interrupts::Pending(), signal);
    EXPECT_EQ(Interrupts::Take(), signal);
    EXPECT_EQ(Interrupts::Pending(), 0);
  }
}

TEST(Interrupts, LeaveTheHandlersAsTheyWere) {
  const auto before = std::signal(SIGTERM, SIG_IGN);
  {
    const Interrupts interrupts;
    raise(SIGTERM);
    EXPECT_EQ(Interrupts::Pending(), 0) << "ignored stays ignored";
  }
  EXPECT_EQ(std::signal(SIGTERM, before), SIG_IGN);
}

TEST(Interrupts, EndTheProcessOnceTheOutermostScopeEnds) {
  Latch inner_over;
  Child child = Child::Spawn([&] {
    const Interrupts outer;
    {
      const Interrupts inner;
      raise(SIGTERM);
    }
    inner_over.Open();
    return 0;
  });
  EXPECT_EQ(inner_over.Wait(In(10s)), Latch::kOpen);
  EXPECT_EQ(child.Wait(In(10s))->signal, SIGTERM);
}

TEST(Interrupts, OfAChildAreItsOwn) {
  const Interrupts interrupts;
  Child child = Child::Spawn([] {
    const Interrupts own;
    raise(SIGTERM);
    return Interrupts::Take() == SIGTERM ? 0 : 1;
  });
  EXPECT_TRUE(child.Wait(In(10s))->ok());
  EXPECT_EQ(Interrupts::Pending(), 0);
}

TEST(Interrupts, ThatWereTakenDoNotEndTheProcess) {
  Child child = Child::Spawn([] {
    const Interrupts interrupts;
    raise(SIGTERM);
    return Interrupts::Take() == SIGTERM ? 0 : 1;
  });
  EXPECT_TRUE(child.Wait(In(10s))->ok());
}

TEST(Interrupts, DoNotReachIntoForkedChildren) {
  const Interrupts interrupts;
  Child child = Child::Spawn([]() -> int {
    for (;;) pause();
  });
  child.Kill(SIGINT);
  EXPECT_EQ(child.Wait(In(10s))->signal, SIGINT);
  EXPECT_EQ(Interrupts::Pending(), 0);
}

}  // namespace
}  // namespace locklab::proc
