// What the processes of one experiment share: who holds the lock, what the
// victim came to, what the waiters got.
#ifndef LOCKLAB_STRESS_CRASH_SCENE_H_
#define LOCKLAB_STRESS_CRASH_SCENE_H_

#include <atomic>
#include <cstdint>

namespace locklab::crash {

inline constexpr int kMaxWaiters = 8;
inline constexpr uint32_t kVictim = 1;  // waiters are kVictim + 1 + index

// The owner word: swapped in after acquire returned, out before release is
// called.
struct Witness {
  std::atomic<uint32_t> owner;
  std::atomic<uint32_t> clashes;
  std::atomic<uint32_t> intruder;  // of the first clash
  std::atomic<uint32_t> holder;

  void Enter(uint32_t me) {
    uint32_t nobody = 0;
    if (owner.compare_exchange_strong(nobody, me)) return;
    if (clashes.fetch_add(1) == 0) {
      intruder = me;
      holder = nobody;
    }
  }
  void Leave(uint32_t me) { owner.compare_exchange_strong(me, 0); }
};

// What the victim tells before it dies.
struct Trace {
  std::atomic<int> calls;        // made since the operation began
  std::atomic<bool> reached;     // the point came, and what was to happen did
  std::atomic<bool> finished;    // the operation ended, and the victim lived
  std::atomic<int64_t> died_ns;  // CLOCK_MONOTONIC, right before the signal
  char call[32];                 // the name of the call at the point
  char path[128];                // what it was about, the last component
  char error[512];  // of the operation, if it failed; of the victim, too
};

struct Scene {
  Witness witness;
  Trace trace;
  std::atomic<uint32_t> ready;  // the victim stands where the point is ahead
  std::atomic<uint32_t> go;
};

}  // namespace locklab::crash

#endif  // LOCKLAB_STRESS_CRASH_SCENE_H_
