#include "conformance/proc/barrier.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <ctime>

namespace locklab::proc {
namespace {

// FUTEX_WAIT_BITSET takes an absolute time of CLOCK_MONOTONIC, which is what
// steady_clock reads.
timespec Absolute(TimePoint at) {
  const auto ns = at.time_since_epoch() / std::chrono::nanoseconds(1);
  return {static_cast<time_t>(ns / 1'000'000'000),
          static_cast<long>(ns % 1'000'000'000)};
}

}  // namespace

void FutexWait(std::atomic<uint32_t>& word, uint32_t expected,
               TimePoint deadline) {
  if (deadline.time_since_epoch().count() <= 0) return;
  const timespec until = Absolute(deadline);
  syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, expected,
          deadline == kForever ? nullptr : &until, nullptr,
          FUTEX_BITSET_MATCH_ANY);
}

void FutexWakeAll(std::atomic<uint32_t>& word) {
  syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

bool WaitWhile(std::atomic<uint32_t>& word, uint32_t value,
               TimePoint deadline) {
  while (word.load() == value) {
    if (Clock::now() >= deadline) return false;
    FutexWait(word, value, deadline);
  }
  return true;
}

bool Barrier::ArriveAndWait(TimePoint deadline) {
  const uint32_t round = round_.load();
  if (arrived_.fetch_add(1) + 1 == parties_) {
    arrived_.store(0);
    round_.fetch_add(1);
    FutexWakeAll(round_);
    return true;
  }
  return WaitWhile(round_, round, deadline);
}

}  // namespace locklab::proc
