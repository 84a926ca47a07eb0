// The memory that supervisor and workers share.
#ifndef LOCKLAB_STRESS_RUN_BOARD_H_
#define LOCKLAB_STRESS_RUN_BOARD_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "conformance/history/event.h"
#include "stress/run/faults.h"

namespace locklab::run {

inline constexpr size_t kCacheLine = 64;

// Two in the lock at once, as the owner word showed it.
struct Clash {
  history::Actor intruder = 0;
  history::Actor holder = 0;
  int64_t time_ns = 0;
};

// One contender's place. Written by the worker, except where it says otherwise.
struct alignas(kCacheLine) Slot {
  // The supervisor is about to kill it, or found it dead: what it holds, the
  // kernel or the next contender may take.
  std::atomic<bool> doomed{false};  // by the supervisor
  std::atomic<Stage> stage{Stage::kStarting};
  // 1: it holds the lock and does not go on until the supervisor, who clears
  // this, has done to it what it is held up for. Futex.
  std::atomic<uint32_t> held_up{0};
  // Its lock is about to be broken, or was: set by the supervisor while it is
  // held up; cleared by the worker when its release has returned.
  std::atomic<bool> broken{false};
  std::atomic<int64_t> told{0};    // releases of broken locks that said so
  std::atomic<int64_t> untold{0};  // and those that did not
  std::atomic<bool> finished{false};
  std::atomic<bool> out_of_room{false};  // for its history
  std::atomic<int64_t> updates{0};       // of the counter file, finished ones
  std::atomic<bool> updating{false};
  // Of what it did between start and end; 0 if it was killed.
  std::atomic<int64_t> backlog{0};  // of an open loop
  std::atomic<int64_t> cpu_ns{0};   // user and system
  std::atomic<int64_t> slept{0};    // times that it gave up the processor
  std::atomic<int64_t> preempted{0};
  std::array<char, 240> error{};  // the first call that failed, and how
};

// Holds up whoever is granted the lock next, so that what is to be done to a
// holder is done to a holder.
struct Trap {
  // The least grant number that springs it; 0: it is not set.
  std::atomic<uint64_t> from{0};
  std::atomic<uint64_t> grant{0};  // that sprang it
  std::atomic<uint32_t> who{0};    // actor + 1 of who is held up
};

// What the contenders for one lock share.
struct Board {
  // Who holds the lock: actor + 1, 0 for nobody.
  alignas(kCacheLine) std::atomic<uint32_t> owner{0};
  alignas(kCacheLine) std::atomic<uint64_t> grants{0};
  // What the last holder wrote into the counter file.
  alignas(kCacheLine) std::atomic<int64_t> counter{0};
  // What a holder is writing, or was when it died; else the same.
  std::atomic<int64_t> counter_next{0};
  std::atomic<int64_t> stale_reads{0};
  std::atomic<int> counter_errno{0};
  alignas(kCacheLine) Trap trap;
  // Whose turn it is, counted without end, where a scenario has turns. Futex.
  alignas(kCacheLine) std::atomic<uint32_t> baton{0};

  std::atomic<int64_t> clashes{0};
  std::array<Clash, 4> first_clashes{};
};

// What starts and stops all workers of a run.
struct Gate {
  // How many turns were begun, where their number is bounded.
  alignas(kCacheLine) std::atomic<int64_t> tickets{0};

  alignas(kCacheLine) std::atomic<uint32_t> ready{0};  // futex
  std::atomic<uint32_t> go{0};                         // futex
  std::atomic<uint32_t> finished{0};                   // futex
  std::atomic<uint32_t> stop{0};  // futex; 1: no more turns
  // When `go` was given, and when `stop` was; 0: not yet.
  std::atomic<int64_t> start_ns{0};
  std::atomic<int64_t> stop_ns{0};

  // Gives it, and wakes those who rest. Anybody, any number of times.
  void Stop();

  // Where all workers meet, again and again: how many are there, and how
  // often all were. The second is a futex.
  alignas(kCacheLine) std::atomic<uint32_t> arrived{0};
  std::atomic<uint32_t> meetings{0};
};

}  // namespace locklab::run

#endif  // LOCKLAB_STRESS_RUN_BOARD_H_
