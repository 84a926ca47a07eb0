// Lets a number of processes start at one moment, again and again.
//
//   Shared<Barrier> barrier;
//   barrier->Init(8);
//   ... in each of 8 children:  if (!barrier->ArriveAndWait(In(5s))) return 1;
#ifndef LOCKLAB_CONFORMANCE_PROC_BARRIER_H_
#define LOCKLAB_CONFORMANCE_PROC_BARRIER_H_

#include <atomic>
#include <cstdint>

#include "conformance/proc/poll_until.h"

namespace locklab::proc {

// Sleeps while `word`, in memory shared by processes, is `expected`, until it
// is woken or the deadline came. May return early.
void FutexWait(std::atomic<uint32_t>& word, uint32_t expected,
               TimePoint deadline);
void FutexWakeAll(std::atomic<uint32_t>& word);
// Sleeps until `word` is another one; false: it still is `value` at the
// deadline. Whoever changes it calls FutexWakeAll.
bool WaitWhile(std::atomic<uint32_t>& word, uint32_t value, TimePoint deadline);

// Lives in Shared memory. A party that dies before it arrives makes the others
// time out: nobody hangs.
class Barrier {
 public:
  // Before the first use; not while anybody waits.
  void Init(uint32_t parties) { parties_ = parties; }

  // Waits until all have arrived; false: they had not by then, and the
  // barrier is of no further use.
  bool ArriveAndWait(TimePoint deadline);

  // How many have arrived in this round.
  [[nodiscard]] uint32_t arrived() const { return arrived_.load(); }

 private:
  uint32_t parties_ = 0;
  std::atomic<uint32_t> arrived_{0};
  std::atomic<uint32_t> round_{0};
};

}  // namespace locklab::proc

#endif  // LOCKLAB_CONFORMANCE_PROC_BARRIER_H_
