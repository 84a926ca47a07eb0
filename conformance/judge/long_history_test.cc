// Histories longer than the memory that their judge may use.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <string>

#include "conformance/history/log_reader.h"
#include "conformance/history/log_writer.h"
#include "conformance/judge/judgement.h"
#include "conformance/proc/child.h"
#include "conformance/proc/shared.h"
#include "conformance/proc/temp_dir.h"

namespace locklab::judge {
namespace {

using history::Op;
using history::Phase;
using history::Result;
using std::chrono_literals::operator""s;

constexpr int64_t kTurns = 150'000;
constexpr int64_t kHistory = kTurns * 4 * int64_t{sizeof(history::Event)};
constexpr int64_t kAllowed = 4 << 20;
static_assert(kHistory > 4 * kAllowed);

// Two take turns, and once one keeps it while the other has its turn.
void WriteHistory(const std::string& dir) {
  history::LogWriter first(history::LogPath(dir, 0), {.actor = 0});
  history::LogWriter second(history::LogPath(dir, 1), {.actor = 1});
  int64_t now = 1;
  for (int64_t turn = 0; turn < kTurns; ++turn) {
    history::LogWriter& log = turn % 2 == 0 ? first : second;
    const auto put = [&](Op op, Phase phase, Result result, uint64_t token) {
      ASSERT_TRUE(log.Append({.time_ns = now += 10,
                              .token = token,
                              .op = op,
                              .phase = phase,
                              .result = result}));
    };
    put(Op::kAcquire, Phase::kInvoke, Result::kNone, 0);
    put(Op::kAcquire, Phase::kReturn, Result::kOk,
        static_cast<uint64_t>(turn) + 1);
    if (turn == kTurns / 2) continue;
    put(Op::kRelease, Phase::kInvoke, Result::kNone, 0);
    put(Op::kRelease, Phase::kReturn, Result::kOk, 0);
  }
}

struct Brief {
  int64_t events = 0;
  int64_t acquisitions = 0;
  int64_t violations = 0;
  int64_t wait_p99_ns = 0;
  bool operator==(const Brief&) const = default;
};

Brief JudgeIn(const std::string& dir) {
  history::MergedReader reader(history::LogsIn(dir));
  const Judgement judged = Judge(reader);
  return {judged.events, judged.acquisitions, judged.violations,
          judged.wait.At(99)};
}

// Leaves this process `bytes` more than it has. False: a sanitizer is at work,
// which takes memory of its own.
bool LimitMemory([[maybe_unused]] int64_t bytes) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;
#else
  int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const auto all = static_cast<rlim_t>(pages * sysconf(_SC_PAGESIZE) + bytes);
  const rlimit limit{all, all};
  return setrlimit(RLIMIT_AS, &limit) == 0;
#endif
}

TEST(Judge, NeedsNoMoreMemoryForALongerHistory) {
  const proc::TempDir dir;
  WriteHistory(dir.path());
  const Brief expected = {.events = kTurns * 4 - 2,
                          .acquisitions = kTurns,
                          .violations = 1,
                          .wait_p99_ns = 10};
  EXPECT_EQ(JudgeIn(dir.path()), expected);
  proc::Shared<Brief> judged;
  proc::Child judge = proc::Child::Spawn([&] {
    if (LimitMemory(kAllowed)) {
      // The limit bites.
      void* much = mmap(nullptr, kAllowed + 1, PROT_READ,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (much != MAP_FAILED) return 1;
    }
    *judged = JudgeIn(dir.path());
    return 0;
  });
  const auto end = judge.Wait(proc::In(60s));
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->Describe(), "exited with 0");
  EXPECT_EQ(*judged, expected);
}

}  // namespace
}  // namespace locklab::judge
