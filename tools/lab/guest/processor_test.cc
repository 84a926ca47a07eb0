#include "tools/lab/guest/processor.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "conformance/proc/child.h"
#include "conformance/proc/latch.h"
#include "conformance/proc/poll_until.h"
#include "conformance/proc/shared.h"

namespace locklab::lab {
namespace {

using namespace std::chrono_literals;

std::set<int> Allowed() {
  cpu_set_t set;
  EXPECT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
  std::set<int> numbers;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &set)) numbers.insert(i);
  }
  return numbers;
}

// Guests may run meanwhile, and other copies of this test.
std::string Kind() { return "test" + std::to_string(getpid()); }

TEST(ProcessorTest, EachHasOneOfItsOwnUntilThereAreNoMore) {
  std::vector<std::unique_ptr<Processor>> all;
  std::set<int> taken;
  for (size_t i = 0; i < Allowed().size(); ++i) {
    all.push_back(std::make_unique<Processor>(Kind()));
    ASSERT_TRUE(all.back()->number());
    taken.insert(*all.back()->number());
  }
  EXPECT_EQ(taken, Allowed());
  EXPECT_FALSE(Processor(Kind()).number());
}

TEST(ProcessorTest, ItIsFreeAgainWhenWhoHasItIsKilled) {
  proc::Shared<int> number;
  proc::Latch taken;
  const std::string kind = Kind();
  proc::Child guest = proc::Child::Spawn([&]() -> int {
    const Processor processor(kind);
    *number = processor.number().value_or(-1);
    taken.Open();
    for (;;) pause();
  });
  ASSERT_EQ(taken.Wait(proc::In(10s)), proc::Latch::kOpen);
  ASSERT_EQ(*number, *Allowed().begin());
  EXPECT_NE(Processor(kind).number(), *number);
  guest.Stop();
  EXPECT_EQ(Processor(kind).number(), *number);
}

TEST(ProcessorTest, WhoSettlesStaysThereAndSoDoWhomItStarts) {
  proc::Child child = proc::Child::Spawn([] {
    const Processor processor(Kind());
    if (!processor.number()) return 2;
    processor.Settle();
    proc::Child grandchild = proc::Child::Spawn([&processor] {
      return Allowed() == std::set<int>{*processor.number()} ? 0 : 1;
    });
    return grandchild.Wait(proc::kForever)->code;
  });
  EXPECT_EQ(child.Wait(proc::In(10s))->code, 0);
}

}  // namespace
}  // namespace locklab::lab
