// A forked child process that cannot outlive its parent.
//
//   Child child = Child::Spawn([&] { return lock_something() ? 0 : 1; });
//   std::optional<ExitStatus> end = child.Wait(In(5s));
//   if (!end) child.Kill(SIGKILL);          // or let the destructor do it
//
// Threads: one Child is used by one thread at a time. The kernel kills the
// child when the *thread* that spawned it ends: spawn from a thread that lives
// long enough. Fork: a child that inherits a Child object owns nothing of it.
#ifndef LOCKLAB_CONFORMANCE_PROC_CHILD_H_
#define LOCKLAB_CONFORMANCE_PROC_CHILD_H_

#include <sys/types.h>

#include <csignal>
#include <functional>
#include <optional>
#include <string>

#include "conformance/proc/poll_until.h"

namespace locklab::proc {

// What a body that threw exits with, its message on stderr. EX_SOFTWARE.
inline constexpr int kExitThrew = 70;

// "SIGKILL" for 9; "signal 99" for what has no name.
std::string SignalName(int signal);

struct ExitStatus {
  int code = 0;    // what the body returned, if `signal` is 0
  int signal = 0;  // what killed it, 0: it exited

  [[nodiscard]] bool ok() const { return code == 0 && signal == 0; }
  // "exited with 3", "was killed by SIGKILL".
  [[nodiscard]] std::string Describe() const;
};

struct SpawnOptions {
  // Its own process group: signals from the terminal go past it, and Kill
  // reaches the processes that it forked, too.
  bool own_group = false;
  // Joins this process group instead; 0: none.
  pid_t join_group = 0;
};

class Child {
 public:
  // Forks; the child runs `body` and exits with what it returns, through
  // _exit: no destructors of the parent's objects and no atexit handlers run.
  // Signal mask and handlers of SIGINT, SIGTERM, SIGHUP, SIGCHLD and SIGPIPE
  // are the default ones there. Throws std::system_error when there can be no
  // more processes.
  static Child Spawn(const std::function<int()>& body,
                     SpawnOptions options = {});

  // Whether any child of this process has ended and was not waited for yet:
  // one look instead of one at each of a thousand.
  [[nodiscard]] static bool AnyEnded();

  Child() = default;  // none
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  // SIGKILLs (its group, if it has its own) and reaps.
  ~Child();

  // Waits for its end. nullopt: it still runs. kForever is allowed, a deadline
  // that passed looks once. May be called again after the end.
  std::optional<ExitStatus> Wait(TimePoint deadline);
  // The end of it if it came, without waiting.
  std::optional<ExitStatus> Poll() { return Wait(TimePoint::min()); }
  // Waits until it is stopped (SIGSTOP) in the eyes of the kernel. False: it
  // is not by then, or has ended.
  bool WaitStopped(TimePoint deadline);
  // The same for one that was stopped and goes on (SIGCONT); tells each time
  // once.
  bool WaitContinued(TimePoint deadline);
  // Whether it sleeps just now until something wakes it: it does not run, nor
  // wait for a processor or for a disk. False where that is not to be known.
  [[nodiscard]] bool Asleep() const;

  // Sends a signal, to its whole group if it has its own. Does nothing if the
  // end of the child was seen.
  void Kill(int signal);
  // SIGKILLs, waits for the end, and tells it.
  ExitStatus Stop();

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Whether there is a child whose end was not yet seen.
  [[nodiscard]] bool running() const { return pid_ > 0 && !status_; }

 private:
  [[nodiscard]] bool Reap(int flags);
  bool WaitFor(int flags, TimePoint deadline);
  void Discard() noexcept;

  pid_t pid_ = -1;
  pid_t owner_ = -1;  // the process that may reap it
  bool own_group_ = false;
  std::optional<ExitStatus> status_;
};

}  // namespace locklab::proc

#endif  // LOCKLAB_CONFORMANCE_PROC_CHILD_H_
