#include "conformance/proc/child.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <system_error>
#include <thread>
#include <utility>

namespace locklab::proc {
namespace {

[[noreturn]] void ThrowErrno(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// All signals wait from before the fork until the child has put its handlers
// in order: a handler of the parent's must not run in the child.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &saved_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t saved_;
};

void ResetSignals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGPIPE}) {
    std::signal(signal, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

void JoinGroup(pid_t pid, const SpawnOptions& options) {
  if (options.own_group) setpgid(pid, pid);
  if (options.join_group > 0) setpgid(pid, options.join_group);
}

int RunBody(const std::function<int()>& body) {
  try {
    return body();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "child process %d: %s\n", getpid(), error.what());
  } catch (...) {
    std::fprintf(stderr, "child process %d: unknown exception\n", getpid());
  }
  return kExitThrew;
}

// This process, as its children can watch it. < 0: they cannot.
int OpenSelf() {
  return static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
}

bool HasEnded(int pidfd) {
  pollfd end{.fd = pidfd, .events = POLLIN, .revents = 0};
  return poll(&end, 1, 0) > 0;
}

// From within a new PID namespace the parent is not seen, and has no pid.
bool IsOrphan(pid_t parent, int parent_fd) {
  const pid_t now = getppid();
  return now != parent && (now != 0 || HasEnded(parent_fd));
}

[[noreturn]] void ChildMain(const std::function<int()>& body, pid_t parent,
                            int parent_fd, const SpawnOptions& options) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the line above took effect.
  if (IsOrphan(parent, parent_fd)) _exit(128 + SIGKILL);
  if (parent_fd >= 0) close(parent_fd);
  JoinGroup(0, options);
  ResetSignals();
  const int code = RunBody(body);
  std::fflush(nullptr);
  _exit(code);
}

ExitStatus Decode(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return {.code = info.si_status};
  return {.signal = info.si_status};
}

// Without a pidfd (old kernels, no descriptor left) the caller has to look
// again and again.
void AwaitEnd(pid_t pid, TimePoint deadline) {
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) {
    std::this_thread::sleep_until(
        std::min(deadline, In(std::chrono::milliseconds(2))));
    return;
  }
  PollUntil(fd, POLLIN, deadline);
  close(fd);
}

}  // namespace

std::string SignalName(int signal) {
  const char* name = sigabbrev_np(signal);
  return name != nullptr ? std::string("SIG") + name
                         : "signal " + std::to_string(signal);
}

std::string ExitStatus::Describe() const {
  if (signal != 0) return "was killed by " + SignalName(signal);
  return "exited with " + std::to_string(code);
}

Child Child::Spawn(const std::function<int()>& body, SpawnOptions options) {
  // What is buffered now would be written twice: by parent and child.
  std::fflush(nullptr);
  Child child;
  child.owner_ = getpid();
  child.own_group_ = options.own_group;
  const SignalsBlocked blocked;
  const int self = OpenSelf();
  child.pid_ = fork();
  if (child.pid_ == 0) ChildMain(body, child.owner_, self, options);
  const int error = errno;
  if (self >= 0) close(self);
  if (child.pid_ < 0) {
    errno = error;
    ThrowErrno("cannot start another process (fork); see `ulimit -u`");
  }
  JoinGroup(child.pid_, options);  // as the child does: whoever comes first
  return child;
}

bool Child::AnyEnded() {
  siginfo_t info{};
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid != 0;
}

Child::Child(Child&& other) noexcept { *this = std::move(other); }

Child& Child::operator=(Child&& other) noexcept {
  if (this == &other) return *this;
  Discard();
  pid_ = std::exchange(other.pid_, -1);
  owner_ = other.owner_;
  own_group_ = other.own_group_;
  status_ = std::exchange(other.status_, std::nullopt);
  return *this;
}

Child::~Child() { Discard(); }

void Child::Discard() noexcept {
  if (!running() || owner_ != getpid()) return;
  Kill(SIGKILL);
  [[maybe_unused]] const bool reaped = Reap(0);
}

bool Child::Reap(int flags) {
  if (!running()) return status_.has_value();
  siginfo_t info{};
  int result;
  do {
    result = waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | flags);
  } while (result < 0 && errno == EINTR);
  // ECHILD: somebody else reaped it, so that its end is not to be known.
  if (result < 0) status_ = ExitStatus{.code = kExitThrew};
  if (result == 0 && info.si_pid == pid_) {
    status_ = Decode(info);
    // Whatever it forked into its group ends with it.
    if (own_group_) kill(-pid_, SIGKILL);
  }
  return status_.has_value();
}

std::optional<ExitStatus> Child::Wait(TimePoint deadline) {
  if (pid_ <= 0) return std::nullopt;
  while (!Reap(WNOHANG)) {
    if (Clock::now() >= deadline) return std::nullopt;
    AwaitEnd(pid_, deadline);
  }
  return status_;
}

bool Child::WaitStopped(TimePoint deadline) {
  return WaitFor(WSTOPPED | WNOWAIT, deadline);
}

bool Child::WaitContinued(TimePoint deadline) {
  return WaitFor(WCONTINUED, deadline);
}

bool Child::WaitFor(int flags, TimePoint deadline) {
  return Eventually(
      [&] {
        siginfo_t info{};
        return running() &&
               waitid(P_PID, static_cast<id_t>(pid_), &info, flags | WNOHANG) ==
                   0 &&
               info.si_pid == pid_;
      },
      deadline, std::chrono::microseconds(100));
}

bool Child::Asleep() const {
  if (!running()) return false;
  std::ifstream file("/proc/" + std::to_string(pid_) + "/stat");
  std::string text;
  std::getline(file, text);
  // proc(5): "pid (name) state ..."; the name may hold parentheses.
  const size_t name_end = text.rfind(')');
  return name_end != std::string::npos && text.substr(name_end, 3) == ") S";
}

void Child::Kill(int signal) {
  if (!running()) return;
  if (own_group_) kill(-pid_, signal);
  // Also by itself: it may not have got as far as into its group.
  if (!own_group_ || signal == SIGKILL) kill(pid_, signal);
}

ExitStatus Child::Stop() {
  Kill(SIGKILL);
  [[maybe_unused]] const bool reaped = Reap(0);
  return status_.value_or(ExitStatus{});
}

}  // namespace locklab::proc
