// Two processes that hand something on by turns, and how long each hand-off
// takes: a lock, and beside it the bare means that the kernel has.
#ifndef LOCKLAB_BENCH_TURNS_H_
#define LOCKLAB_BENCH_TURNS_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "conformance/proc/child.h"
#include "conformance/proc/shared.h"

namespace locklab::bench {

// What goes from one process to the other. Each process makes its own, after
// the fork. A call that fails throws std::system_error.
class Baton {
 public:
  virtual ~Baton() = default;
  virtual void Take() = 0;     // it is free
  virtual void Release() = 0;  // to the one who waits
  virtual void Await() = 0;    // blocks until it was released
  virtual void Drop() = 0;     // after Await
};

// An unlink(2) here, the return of read(2) on inotify there.
[[nodiscard]] std::unique_ptr<Baton> MakeInotifyBaton(std::string path);
// A byte through a pipe, which has a name so that each process can open it:
// the cheapest wake-up there is of a process that sleeps.
[[nodiscard]] std::unique_ptr<Baton> MakePipeBaton(const std::string& path);

using Batons = std::vector<std::unique_ptr<Baton>>;
using MakeBatons = std::function<Batons()>;

class Turns {
 public:
  // Starts the waiter, which ends with this or with this process. Throws
  // std::system_error.
  explicit Turns(MakeBatons make);
  ~Turns();
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  // One hand-off of each baton, in nanoseconds: from the call of Release() in
  // the one process to the return of Await() in the other, which was asleep.
  // Throws std::runtime_error: the waiter failed or hangs.
  std::vector<int64_t> Round();

 private:
  struct Board;
  int64_t HandOver(Baton& baton);
  [[nodiscard]] bool WaitsNow(uint32_t turn) const;
  static int RunWaiter(Board& board, const MakeBatons& make);

  const std::unique_ptr<proc::Shared<Board>> board_;
  proc::Child waiter_;
  Batons batons_;
  uint32_t turn_ = 0;
};

}  // namespace locklab::bench

#endif  // LOCKLAB_BENCH_TURNS_H_
