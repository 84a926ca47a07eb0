// Lets one process tell others that something has happened.
//
//   Latch ready;
//   Child child = Child::Spawn([&] { ...; ready.Open(); ... });
//   if (ready.Wait(In(5s)) != Latch::kOpen) ...     // it died, or is late
//
// Made before the fork, opened once, by any one process; all others may wait.
// Descriptors are close-on-exec.
#ifndef LOCKLAB_CONFORMANCE_PROC_LATCH_H_
#define LOCKLAB_CONFORMANCE_PROC_LATCH_H_

#include "conformance/proc/poll_until.h"

namespace locklab::proc {

class Latch {
 public:
  enum Passed {
    kOpen,
    kBroken,   // no process is left that could open it
    kTimeout,  // not by then
  };

  Latch();  // Throws std::system_error (EMFILE, ENFILE).
  ~Latch();
  Latch(const Latch&) = delete;
  Latch& operator=(const Latch&) = delete;

  // Wakes all who wait, now and later. Never blocks.
  void Open();

  // Waits until it is open. A process that waits gives up its own ability to
  // open it, so that the death of the opener is noticed at once; other
  // processes that inherited the latch still count as possible openers.
  Passed Wait(TimePoint deadline);
  // Does not wait, and gives nothing up.
  [[nodiscard]] bool IsOpen() const;

 private:
  int reader_ = -1;
  int writer_ = -1;
};

}  // namespace locklab::proc

#endif  // LOCKLAB_CONFORMANCE_PROC_LATCH_H_
