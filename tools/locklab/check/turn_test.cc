// Runs side by side: who is alone is alone, and does not have to wait for ever.
#include "tools/locklab/check/turn.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "conformance/proc/child.h"
#include "conformance/proc/poll_until.h"
#include "conformance/proc/shared.h"
#include "conformance/proc/temp_dir.h"

namespace locklab::check {
namespace {

using namespace std::chrono_literals;
using proc::Child;

struct Board {
  std::atomic<int> together;
  std::atomic<int> alone;
  std::atomic<int> most_together;
  std::atomic<int> disturbed;  // times at which one that is alone was not
  std::atomic<bool> go;
};

class TurnTest : public testing::Test {
 protected:
  [[nodiscard]] std::string file() const { return dir_ / "turn"; }

  proc::TempDir dir_;
  proc::Shared<Board> board_;
};

TEST_F(TurnTest, ManyWorkTogetherAndEachIsAloneThen) {
  constexpr int kRuns = 6;
  std::vector<Child> runs;
  for (int i = 0; i < kRuns; ++i) {
    runs.push_back(Child::Spawn([this] {
      Turn turn(file());
      turn.Together();
      ++board_->together;
      // All of them are at work at one moment.
      const bool met = proc::Eventually(
          [this] { return board_->together == kRuns || board_->go; },
          proc::In(60s));
      board_->go = true;
      --board_->together;
      turn.Alone();
      for (int look = 0; look < 20; ++look) {
        if (board_->together != 0 || ++board_->alone != 1) ++board_->disturbed;
        std::this_thread::yield();
        --board_->alone;
      }
      return met ? 0 : 1;
    }));
  }
  for (Child& run : runs) {
    const auto end = run.Wait(proc::In(60s));
    ASSERT_TRUE(end);
    EXPECT_TRUE(end->ok()) << end->Describe();
  }
  EXPECT_EQ(board_->disturbed, 0);
}

// A newcomer waits for those who want to be alone, and a death frees the turn.
TEST_F(TurnTest, WhoWantsToBeAloneComesBeforeNewOnes) {
  auto first = std::make_unique<Turn>(file());
  first->Together();
  Child second = Child::Spawn([this] {
    Turn turn(file());
    turn.Together();
    turn.Alone();
    board_->alone = 1;
    proc::Eventually([] { return false; }, proc::kForever, 1s);
    return 0;
  });
  const int gate = open((file() + ".gate").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(gate, 0);
  ASSERT_TRUE(proc::Eventually(
      [gate] {
        if (flock(gate, LOCK_EX | LOCK_NB) != 0) return true;
        flock(gate, LOCK_UN);
        return false;
      },
      proc::In(60s)));
  close(gate);
  Child third = Child::Spawn([this] {
    Turn turn(file());
    turn.Together();
    board_->go = true;
    return 0;
  });
  EXPECT_FALSE(third.Wait(proc::In(50ms))) << "it came before one that waits";
  EXPECT_EQ(board_->alone, 0) << "it is alone, and the first is at work";
  first.reset();
  EXPECT_TRUE(
      proc::Eventually([this] { return board_->alone == 1; }, proc::In(60s)));
  EXPECT_FALSE(board_->go) << "it works while one is alone";
  second.Stop();
  EXPECT_TRUE(third.Wait(proc::In(60s)));
  EXPECT_TRUE(board_->go);
}

TEST_F(TurnTest, WithoutAFileNobodyWaits) {
  Turn one("");
  one.Together();
  one.Alone();
  Turn two("");
  two.Alone();
}

}  // namespace
}  // namespace locklab::check
