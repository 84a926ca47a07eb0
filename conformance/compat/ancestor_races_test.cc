// Faults of Python's lockfile 0.12.2 that several processes show: breakers of
// one lock, unrelated processes on the SQLite lock, a reader of the pid file.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <tuple>
#include <vector>

#include "conformance/compat/lock_fixture.h"
#include "conformance/proc/barrier.h"
#include "conformance/proc/child.h"
#include "conformance/proc/poll_until.h"
#include "conformance/proc/shared.h"
#include "gtest/gtest.h"
#include "lib/lock_file.h"

namespace locklab::compat {
namespace {

using lockfile::LockFile;
using lockfile::Owner;
using proc::Barrier;
using proc::Child;
using proc::In;
using proc::Shared;
using namespace std::chrono_literals;  // NOLINT

constexpr int kRounds = 150;

// Who is inside, in memory that all processes share.
struct Witness {
  std::atomic<int> owner{0};
  std::atomic<int> entries{0};
  std::atomic<int> violations{0};

  void Enter(int who) {
    int nobody = 0;
    if (!owner.compare_exchange_strong(nobody, who)) {
      violations.fetch_add(1);
      fprintf(stderr, "%d entered while %d was inside\n", who, nobody);
    }
    entries.fetch_add(1);
  }
  void Leave(int who) {
    int me = who;
    if (!owner.compare_exchange_strong(me, 0)) violations.fetch_add(1);
  }
};

struct Stage {
  Witness witness;
  Barrier barrier;
  char token[64] = {};  // of the holder that is to be broken in this round

  void Remember(const std::optional<Owner>& owner) {
    strncpy(token, owner.value().token.c_str(), sizeof token - 1);
  }
};

// Takes turns with the others: `body` in every round, between two barriers.
int InRounds(Stage& stage, const std::function<bool()>& body) {
  for (int round = 0; round < kRounds; ++round) {
    if (!stage.barrier.ArriveAndWait(In(kPatience))) return 2;
    if (!body()) return 1;
    if (!stage.barrier.ArriveAndWait(In(kPatience))) return 3;
  }
  return 0;
}

void ExpectAllGood(std::vector<Child>& children) {
  for (size_t i = 0; i < children.size(); ++i) {
    const auto end = children[i].Wait(In(kPatience));
    ASSERT_TRUE(end.has_value()) << "process " << i << " hangs";
    EXPECT_TRUE(end->ok()) << "process " << i << " " << end->Describe();
  }
}

bool Complain(const char* what, LockFile& lock, std::error_code error) {
  fprintf(stderr, "%s: %s (%s)\n", what, error.message().c_str(),
          lock.last_error_message().c_str());
  return false;
}

// One hold, seen by the witness.
bool PassThrough(LockFile& lock, Witness& witness, int who) {
  witness.Enter(who);
  sched_yield();
  witness.Leave(who);
  std::error_code error;
  lock.release(error);
  return !error || Complain("release", lock, error);
}

// The ancestor's recipe, with the comparison that it lacks: time out, break
// the holder that was seen, acquire.
bool BreakAndAcquire(LockFile& lock, const std::string& abandoned_token) {
  std::error_code error;
  lock.acquire(0s, error);
  if (!error) return true;
  if (error != lockfile::Errc::kAlreadyLocked) {
    return Complain("first acquire", lock, error);
  }
  const auto seen = lock.owner(error);
  if (error) return Complain("owner", lock, error);
  if (seen && seen->token == abandoned_token) {
    lock.break_lock(*seen, error);
    if (error) return Complain("break_lock", lock, error);
  }
  lock.acquire(kPatience, error);
  return !error || Complain("acquire", lock, error);
}

using BackendAndCount = std::tuple<std::string, int>;

class AncestorBreakers : public LockTest,
                         public testing::WithParamInterface<BackendAndCount> {
 protected:
  [[nodiscard]] std::string backend() const override {
    return std::get<0>(GetParam());
  }
  [[nodiscard]] int breakers() const { return std::get<1>(GetParam()); }
};

std::string NameOfCount(const testing::TestParamInfo<BackendAndCount>& info) {
  return std::get<0>(info.param) + "_" +
         std::to_string(std::get<1>(info.param));
}

INSTANTIATE_TEST_SUITE_P(Backends, AncestorBreakers,
                         testing::Combine(testing::ValuesIn(SoftBackends()),
                                          testing::Values(3, 8)),
                         NameOfCount);

// There: three breakers yield two holders in nearly every round. Here all of
// them meet a dead holder at once; half break it by acquire(), half by hand.
TEST_P(AncestorBreakers, OfADeadHolderNeverYieldTwoHolders) {
  Shared<Stage> stage;
  stage->barrier.Init(static_cast<uint32_t>(breakers()) + 1);
  auto breaker = [&](int who) {
    lockfile::Options by_hand = options();
    by_hand.break_dead_holders = who % 2 == 0;
    LockFile lock(path(), by_hand);
    return InRounds(*stage, [&] {
      return BreakAndAcquire(lock, stage->token) &&
             PassThrough(lock, stage->witness, who);
    });
  };
  std::vector<Child> children;
  for (int who = 1; who <= breakers(); ++who) {
    children.push_back(Child::Spawn([&, who] { return breaker(who); }));
  }
  for (int round = 0; round < kRounds; ++round) {
    Child dead = Child::Spawn([&] {
      (new LockFile(path(), options()))->acquire(kPatience);
      return 0;  // without release
    });
    ASSERT_TRUE(dead.Wait(In(kPatience)).value().ok());
    stage->Remember(LockFile(path(), options()).owner());
    ASSERT_TRUE(stage->barrier.ArriveAndWait(In(kPatience)));
    ASSERT_TRUE(stage->barrier.ArriveAndWait(In(kPatience))) << round;
  }
  ExpectAllGood(children);
  EXPECT_EQ(stage->witness.violations, 0);
  EXPECT_EQ(stage->witness.entries, kRounds * breakers());
}

// The abandoned holder lives, and releases while it is being broken: it must
// not take a successor's lock away.
TEST_P(AncestorBreakers, OfALiveHolderThatReleasesNeverYieldTwoHolders) {
  Shared<Stage> stage;
  stage->barrier.Init(static_cast<uint32_t>(breakers()) + 1);
  std::vector<Child> children;
  for (int who = 1; who <= breakers(); ++who) {
    children.push_back(Child::Spawn([&, who] {
      LockFile lock(path(), options());
      return InRounds(*stage, [&] {
        return BreakAndAcquire(lock, stage->token) &&
               PassThrough(lock, stage->witness, who);
      });
    }));
  }
  LockFile abandoned(path(), options());
  for (int round = 0; round < kRounds; ++round) {
    abandoned.acquire(kPatience);
    stage->Remember(abandoned.owner());
    ASSERT_TRUE(stage->barrier.ArriveAndWait(In(kPatience)));
    std::error_code error;
    abandoned.release(error);
    EXPECT_TRUE(!error || error == lockfile::Errc::kLockLost) << error;
    ASSERT_TRUE(stage->barrier.ArriveAndWait(In(kPatience))) << round;
  }
  ExpectAllGood(children);
  EXPECT_EQ(stage->witness.violations, 0);
  EXPECT_EQ(stage->witness.entries, kRounds * breakers());
}

// --- unrelated processes ----------------------------------------------------

class AncestorProcesses : public EveryBackend {};
INSTANTIATE_TEST_SUITE_P(Backends, AncestorProcesses,
                         testing::ValuesIn(AllBackends()), NameOfBackend);

// There: the SQLite lock excludes nobody outside of its own process.
TEST_P(AncestorProcesses, ThatShareOnlyThePathExclude) {
  constexpr int kProcesses = 4;
  constexpr int kHolds = 50;
  Shared<Witness> witness;
  std::vector<Child> children;
  for (int who = 1; who <= kProcesses; ++who) {
    children.push_back(Child::Spawn([&, who] {
      LockFile lock(path(), options());
      for (int i = 0; i < kHolds; ++i) {
        std::error_code error;
        lock.acquire(kPatience, error);
        if (error) return Complain("acquire", lock, error), 1;
        if (!PassThrough(lock, *witness, who)) return 1;
      }
      return 0;
    }));
  }
  ExpectAllGood(children);
  EXPECT_EQ(witness->violations, 0);
  EXPECT_EQ(witness->entries, kProcesses * kHolds);
}

// There: the file is visible empty before the pid is written.
TEST(AncestorPidFileRace, IsNeverVisibleWithoutItsPid) {
  const proc::TempDir dir(FastParent());
  const std::string path = dir / "daemon.pid";
  constexpr int kTimes = 3000;
  Child writer = Child::Spawn([&] {
    lockfile::PidLockFile lock(path);
    for (int i = 0; i < kTimes; ++i) {
      lock.acquire(kPatience);
      lock.release();
    }
    return 0;
  });
  const std::string expected = std::to_string(writer.pid()) + "\n";
  int sights = 0;
  std::string wrong;
  while (!writer.Poll()) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    char text[64] = {};
    const ssize_t got = read(fd, text, expected.size());
    close(fd);
    ++sights;
    if (got == 0) wrong = "(empty)";
    if (got != 0 && std::string_view(text) != expected) wrong = text;
    if (!wrong.empty()) break;
  }
  ASSERT_EQ(wrong, "");
  ASSERT_TRUE(writer.Poll()->ok()) << writer.Poll()->Describe();
  EXPECT_GE(sights, 20) << "inconclusive: the reader saw too few files";
}

}  // namespace
}  // namespace locklab::compat
