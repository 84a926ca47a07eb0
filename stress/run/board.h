// The memory that supervisor and workers share.
#ifndef LOCKLAB_STRESS_RUN_BOARD_H_
#define LOCKLAB_STRESS_RUN_BOARD_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "conformance/history/event.h"

namespace locklab::run {

inline constexpr size_t kCacheLine = 64;

// Two in the lock at once, as the owner word showed it.
struct Clash {
  history::Actor intruder = 0;
  history::Actor holder = 0;
  int64_t time_ns = 0;
};

// One worker's place. Written by the worker, except `doomed`.
struct alignas(kCacheLine) Slot {
  // The supervisor is about to kill it, or found it dead: what it holds, the
  // kernel or the next contender may take.
  std::atomic<bool> doomed{false};
  std::atomic<bool> finished{false};
  std::atomic<bool> out_of_room{false};  // for its history
  std::atomic<int64_t> updates{0};       // of the counter file, finished ones
  std::atomic<bool> updating{false};
  std::array<char, 240> error{};  // the first call that failed, and how
};

struct Board {
  // Who holds the lock: actor + 1, 0 for nobody.
  alignas(kCacheLine) std::atomic<uint32_t> owner{0};
  alignas(kCacheLine) std::atomic<uint64_t> grants{0};
  // What the last holder wrote into the counter file.
  alignas(kCacheLine) std::atomic<int64_t> counter{0};
  std::atomic<int64_t> stale_reads{0};
  std::atomic<int> counter_errno{0};
  // How many acquisitions were begun, where their number is bounded.
  alignas(kCacheLine) std::atomic<int64_t> tickets{0};

  alignas(kCacheLine) std::atomic<uint32_t> ready{0};  // futex
  std::atomic<uint32_t> go{0};                         // futex
  std::atomic<uint32_t> finished{0};                   // futex
  std::atomic<bool> stop{false};

  std::atomic<int64_t> clashes{0};
  std::array<Clash, 4> first_clashes{};
};

}  // namespace locklab::run

#endif  // LOCKLAB_STRESS_RUN_BOARD_H_
