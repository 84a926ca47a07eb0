// Signals as `locklab exec` treats them: while it waits for the lock they end
// it, while its command runs they are handed on, and the command finds them as
// they were when locklab was started.
#ifndef LOCKLAB_TOOLS_LOCKLAB_SIGNALS_H_
#define LOCKLAB_TOOLS_LOCKLAB_SIGNALS_H_

#include <csignal>

#include "lib/os/forwarding_os.h"

namespace locklab::cli {

// For a process with one thread; one object at a time.
class Signals {
 public:
  // From here on, a signal that asks a process to end (SIGINT, SIGTERM, ...)
  // ends this one with exit code 128 + signal: at once while it waits in the
  // kernel through a WaitingOs, where nothing is half done; otherwise Caught()
  // tells of it, and the caller ends when it has cleared up.
  // Signals that were ignored when the process started stay ignored.
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Keeps all signals that are handed on, and SIGCHLD, for Next().
  void Hold();
  // Says on stderr that the signal ended the wait. Its exit code.
  static int EndedWait();
  // The signal that came before Hold(); 0: none.
  [[nodiscard]] static int Caught();
  // Waits for one of the signals that Hold() keeps.
  [[nodiscard]] siginfo_t Next() const;
  // Stops this process as SIGTSTP would have, until it is continued.
  static void Suspend();

  // In a forked child, before exec: everything as this process found it.
  // (Handlers are reset by exec itself.) Async-signal-safe.
  void RestoreInChild() const;

 private:
  sigset_t held_;
  sigset_t inherited_mask_;
  struct sigaction inherited_child_ {};
};

// The operating system, with waits in the kernel that a signal can end: see
// Signals.
class WaitingOs : public lockfile::os::ForwardingOs {
 public:
  using SysResult = lockfile::os::SysResult;
  using TimePoint = lockfile::os::TimePoint;

  SysResult WaitLock(int fd, lockfile::os::KernelLock kind,
                     TimePoint deadline) override;
  void WaitWhile(std::atomic<uint32_t>* word, uint32_t expected,
                 TimePoint deadline) override;
};

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_SIGNALS_H_
