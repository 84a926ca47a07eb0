#include "tools/locklab/signals.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace locklab::cli {
namespace {

// What asks a process to end, as the default action. Not those that the kernel
// raises for a fault, SIGPIPE (ours alone), SIGKILL.
constexpr int kEnding[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
                           SIGUSR1, SIGUSR2, SIGALRM};
// What is handed on besides.
constexpr int kOther[] = {SIGTSTP, SIGCONT, SIGWINCH};

// Handlers reach nothing but globals.
std::atomic<int> g_caught{0};
std::atomic<bool> g_waiting{false};
static_assert(std::atomic<int>::is_always_lock_free);
static_assert(std::atomic<bool>::is_always_lock_free);

// Async-signal-safe. Says it, so that nobody takes the code for a command's.
int SayEnded(int signal) {
  constexpr char kMessage[] = "locklab: a signal ended the wait for the lock\n";
  [[maybe_unused]] const ssize_t told =
      write(STDERR_FILENO, kMessage, sizeof kMessage - 1);
  return 128 + signal;
}

[[noreturn]] void EndWait(int signal) { _exit(SayEnded(signal)); }

void OnEndingSignal(int signal) {
  if (g_waiting) EndWait(signal);
  g_caught = signal;
}

// While it lives, the process may end between any two instructions: it waits
// for a lock of the kernel, which leaves nothing behind.
class Waiting {
 public:
  Waiting() {
    g_waiting = true;
    if (g_caught != 0) EndWait(g_caught);
  }
  ~Waiting() { g_waiting = false; }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
};

}  // namespace

Signals::Signals() {
  sigemptyset(&held_);
  sigprocmask(SIG_SETMASK, nullptr, &inherited_mask_);
  // An ignored SIGCHLD would make the kernel forget how the command ended.
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &standard, &inherited_child_);
  struct sigaction ending {};
  ending.sa_handler = OnEndingSignal;
  for (const int signal : kEnding) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaction(signal, &ending, nullptr);
  }
}

Signals::~Signals() {
  for (const int signal : kEnding) {
    struct sigaction now {};
    sigaction(signal, nullptr, &now);
    if (now.sa_handler == OnEndingSignal) std::signal(signal, SIG_DFL);
  }
  sigaction(SIGCHLD, &inherited_child_, nullptr);
  sigprocmask(SIG_SETMASK, &inherited_mask_, nullptr);
  g_caught = 0;
}

void Signals::Hold() {
  sigaddset(&held_, SIGCHLD);
  for (const int signal : kEnding) sigaddset(&held_, signal);
  for (const int signal : kOther) sigaddset(&held_, signal);
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) {
    sigaddset(&held_, signal);
  }
  sigprocmask(SIG_BLOCK, &held_, nullptr);
}

int Signals::Caught() { return g_caught; }

int Signals::EndedWait() { return SayEnded(g_caught); }

siginfo_t Signals::Next() const {
  siginfo_t info{};
  while (sigwaitinfo(&held_, &info) < 0) {  // EINTR: stopped and continued
  }
  return info;
}

void Signals::Suspend() {
  // The default action knows what SIGSTOP does not: a process group that
  // nobody could continue is not stopped.
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTSTP);
  raise(SIGTSTP);
  sigprocmask(SIG_UNBLOCK, &stop, nullptr);
  sigprocmask(SIG_BLOCK, &stop, nullptr);
}

void Signals::RestoreInChild() const {
  sigaction(SIGCHLD, &inherited_child_, nullptr);
  sigprocmask(SIG_SETMASK, &inherited_mask_, nullptr);
}

lockfile::os::SysResult WaitingOs::WaitLock(int fd,
                                            lockfile::os::KernelLock kind,
                                            TimePoint deadline) {
  const Waiting waiting;
  return ForwardingOs::WaitLock(fd, kind, deadline);
}

void WaitingOs::WaitWhile(std::atomic<uint32_t>* word, uint32_t expected,
                          TimePoint deadline) {
  const Waiting waiting;
  ForwardingOs::WaitWhile(word, expected, deadline);
}

}  // namespace locklab::cli
