#include "tools/locklab/supervise.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>
#include <system_error>

namespace locklab::cli {
namespace {

[[noreturn]] void Throw(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// Runs after fork: async-signal-safe calls only.
[[noreturn]] void Become(char** argv, const Signals& signals, pid_t parent,
                         bool dies_with_us, int report_fd) {
  if (dies_with_us) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // The parent may have died before the line above took effect.
    if (getppid() != parent) _exit(128 + SIGKILL);
  }
  signals.RestoreInChild();
  execvp(argv[0], argv);
  const int error = errno;
  while (write(report_fd, &error, sizeof error) < 0 && errno == EINTR) {
  }
  _exit(error == ENOENT ? 127 : 126);
}

// The errno that exec failed with; 0: the command runs.
int AwaitExec(int report_fd) {
  int error = 0;
  ssize_t got = 0;
  do {
    got = read(report_fd, &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  return got == static_cast<ssize_t>(sizeof error) ? error : 0;
}

// The terminal sends its signals to the whole foreground group; what came to
// us that way has come to the command, too. (Not so SIGHUP, which a hangup
// sends to the leader of the session alone.)
bool CommandHasIt(const siginfo_t& info, pid_t command) {
  const bool typed = info.si_signo == SIGINT || info.si_signo == SIGQUIT ||
                     info.si_signo == SIGTSTP || info.si_signo == SIGWINCH;
  return typed && info.si_code == SI_KERNEL && getpgid(command) == getpgrp();
}

// The exit code, if the command has ended.
std::optional<int> Reap(pid_t command) {
  int status = 0;
  const pid_t got = waitpid(command, &status, WNOHANG);
  if (got == 0) return std::nullopt;
  if (got < 0) Throw("cannot learn how the command ended");
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int Relay(pid_t command, const Signals& signals) {
  for (;;) {
    const siginfo_t info = signals.Next();
    if (info.si_signo == SIGCHLD) {
      if (const auto code = Reap(command)) return *code;
      continue;
    }
    // The pid is the command's until it was reaped, alive or not.
    if (!CommandHasIt(info, command)) kill(command, info.si_signo);
    if (info.si_signo == SIGTSTP) Signals::Suspend();
  }
}

}  // namespace

Supervised Supervise(const std::vector<std::string>& command,
                     const Signals& signals, bool dies_with_us) {
  std::vector<char*> argv;
  argv.reserve(command.size() + 1);
  for (const std::string& word : command) {
    argv.push_back(const_cast<char*>(word.c_str()));  // execvp does not write
  }
  argv.push_back(nullptr);
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) Throw("cannot make a pipe");
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) Become(argv.data(), signals, parent, dies_with_us, report[1]);
  const int fork_error = errno;
  close(report[1]);
  const int not_run = child > 0 ? AwaitExec(report[0]) : 0;
  close(report[0]);
  if (child < 0) {
    errno = fork_error;
    Throw("cannot start a process");
  }
  return {Relay(child, signals), not_run};
}

}  // namespace locklab::cli
