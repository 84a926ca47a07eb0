#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "conformance/proc/child.h"
#include "conformance/proc/poll_until.h"
#include "conformance/proc/temp_dir.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/backends.h"
#include "lib/lock_file.h"
#include "tools/locklab/program.h"

namespace locklab::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using std::chrono_literals::operator""min;

const std::string kProbe = "tools/locklab/exec_probe";

using Words = std::vector<std::string>;

// locklab exec FLAGS... PATH -- COMMAND...
Words ExecArgv(const Words& flags, const std::string& path,
               const Words& command) {
  Words argv = {"exec"};
  argv.insert(argv.end(), flags.begin(), flags.end());
  argv.insert(argv.end(), {path, "--"});
  argv.insert(argv.end(), command.begin(), command.end());
  return LocklabArgv(argv);
}

Ended RunExec(const Words& flags, const std::string& path,
              const Words& command) {
  return Program(ExecArgv(flags, path, command)).Wait();
}

std::set<std::string> NamesIn(const std::string& dir) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    names.insert(entry.path().filename());
  }
  return names;
}

// The state letter of a process: 'R', 'S', 'T', 'Z'...; '-': there is none.
char StateOf(pid_t pid) {
  const std::string stat = ReadWhole("/proc/" + std::to_string(pid) + "/stat");
  const size_t paren = stat.rfind(')');
  return paren == std::string::npos ? '-' : stat[paren + 2];
}

// The pid that `exec_probe signals` printed.
pid_t ProbePid(const Program& program) {
  const std::string out = program.out();
  const size_t up = out.find("up ");
  return up == std::string::npos ? -1 : std::atoi(out.c_str() + up + 3);
}

bool Gone(pid_t pid) {
  return proc::Eventually(
      [&] { return StateOf(pid) == '-' || StateOf(pid) == 'Z'; },
      proc::In(1min));
}

class Exec : public testing::Test {
 protected:
  const proc::TempDir dir_;
  const std::string path_ = dir_ / "resource";
};

struct CodeCase {
  Words command;
  int code;
};

TEST_F(Exec, ExitCodeIsTheCommands) {
  const CodeCase cases[] = {
      {{"true"}, 0},
      {{"sh", "-c", "exit 7"}, 7},
      {{"sh", "-c", "exit 124"}, 124},
      {{"sh", "-c", "kill -KILL $$"}, 137},
      {{"sh", "-c", "kill -TERM $$"}, 143},
  };
  for (const CodeCase& row : cases) {
    const Ended ended = RunExec({}, path_, row.command);
    EXPECT_EQ(ended.code, row.code) << row.command.back();
    EXPECT_EQ(ended.err, "") << row.command.back();
  }
}

TEST_F(Exec, CommandThatCannotRunIsToldAsShellsDo) {
  const Ended missing = RunExec({}, path_, {"no-such-program"});
  EXPECT_EQ(missing.code, 127);
  EXPECT_THAT(missing.err, StartsWith("locklab: cannot run no-such-program: "));
  const Ended folder = RunExec({}, path_, {"/"});
  EXPECT_EQ(folder.code, 126);
  EXPECT_THAT(folder.err, StartsWith("locklab: cannot run /: "));
  EXPECT_EQ(RunExec({"--timeout=0"}, path_, {"true"}).code, 0);
}

TEST_F(Exec, InputAndOutputAreTheCommands) {
  Program program(ExecArgv({}, path_, {"cat"}), [] {
    int ends[2];
    if (pipe(ends) != 0 || write(ends[1], "hello", 5) != 5) _exit(97);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    close(ends[1]);
  });
  const Ended ended = program.Wait();
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.out, "hello");
  EXPECT_EQ(ended.err, "");
}

TEST_F(Exec, CommandInheritsWhatItWouldWithoutLocklab) {
  const auto odd = [] {
    std::signal(SIGHUP, SIG_IGN);
    std::signal(SIGCHLD, SIG_IGN);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigprocmask(SIG_SETMASK, &mask, nullptr);
    dup2(STDIN_FILENO, 7);
  };
  const Ended bare = Program({kProbe, "inherited"}, odd).Wait();
  ASSERT_EQ(bare.code, 0);
  ASSERT_THAT(bare.out, HasSubstr("fd 7"));
  for (const lockfile::BackendRow& row : lockfile::Backends()) {
    const std::string flag = "--backend=" + std::string(row.name);
    Program program(ExecArgv({flag}, path_ + flag, {kProbe, "inherited"}), odd);
    const Ended ended = program.Wait();
    EXPECT_EQ(ended.code, 0) << flag;
    EXPECT_EQ(ended.out, bare.out) << flag;
  }
}

TEST_F(Exec, LockErrorIsOneLineAndItsOwnCode) {
  const std::string path = dir_ / "missing/resource";
  const Ended ended = RunExec({}, path, {"true"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.err, StartsWith("locklab: "));
  EXPECT_THAT(ended.err, HasSubstr("ENOENT"));
  EXPECT_EQ(RunExec({"--error-exit-code=77"}, path, {"true"}).code, 77);
}

TEST_F(Exec, BrokenLockIsToldThoughTheCommandSucceeded) {
  Program program(ExecArgv({"--backend=link"}, path_, {kProbe, "signals"}));
  ASSERT_TRUE(program.Says("up"));
  lockfile::LinkLockFile lock(path_);
  EXPECT_TRUE(lock.break_lock());
  program.Kill(SIGTERM);
  const Ended ended = program.Wait();
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.err, StartsWith("locklab: "));
}

TEST_F(Exec, SignalsAreSentOnToTheCommand) {
  const Words command = {kProbe, "signals"};
  Program program(ExecArgv({}, path_, command));
  ASSERT_TRUE(program.Says("up"));
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM,
                           SIGWINCH, SIGCONT, SIGRTMIN, SIGRTMAX}) {
    program.Kill(signal);
    EXPECT_TRUE(program.Says("got " + std::to_string(signal) + "\n"));
  }
  program.Kill(SIGTERM);
  const Ended ended = program.Wait();
  EXPECT_EQ(ended.code, 40);
  EXPECT_EQ(ended.err, "");
}

// Makes the calling process the leader of a session on a terminal of its own,
// in which nothing but its own process group runs.
void TakeTerminal(const std::string& name) {
  if (setsid() < 0) _exit(97);
  const int fd = open(name.c_str(), O_RDWR);
  if (fd < 0 || ioctl(fd, TIOCSCTTY, 0) != 0) _exit(97);
  if (tcsetpgrp(fd, getpgrp()) != 0) _exit(96);
  close(fd);
}

TEST_F(Exec, WhatTheTerminalSendsToBothArrivesOnce) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(terminal, 0);
  ASSERT_EQ(grantpt(terminal), 0);
  ASSERT_EQ(unlockpt(terminal), 0);
  const std::string name = ptsname(terminal);
  Program program(ExecArgv({}, path_, {kProbe, "signals"}),
                  [&] { TakeTerminal(name); });
  ASSERT_TRUE(program.Says("up"));
  ASSERT_EQ(write(terminal, "\x03", 1), 1);
  EXPECT_TRUE(program.Says("got 2\n"));
  program.Kill(SIGTERM);
  EXPECT_EQ(program.Wait().out.find("got 2\n"),
            program.Wait().out.rfind("got 2\n"));
  close(terminal);
}

TEST_F(Exec, StopsAndGoesOnTogetherWithTheCommand) {
  Program program(ExecArgv({}, path_, {kProbe, "signals"}));
  ASSERT_TRUE(program.Says("up"));
  const pid_t command = ProbePid(program);
  const auto both = [&](char state) {
    return proc::Eventually(
        [&] {
          return StateOf(program.pid()) == state && StateOf(command) == state;
        },
        proc::In(1min));
  };
  program.Kill(SIGTSTP);
  EXPECT_TRUE(both('T'));
  program.Kill(SIGCONT);
  EXPECT_TRUE(both('S'));
  program.Kill(SIGTERM);
  EXPECT_EQ(program.Wait().code, 40);
}

TEST_F(Exec, OrphanOutlivesLocklabWhenAsked) {
  pid_t command = -1;
  {
    Program program(ExecArgv({"--orphan"}, path_, {kProbe, "signals"}));
    ASSERT_TRUE(program.Says("up"));
    command = ProbePid(program);
    program.Kill(SIGKILL);
    EXPECT_EQ(program.Wait().code, 1000 + SIGKILL);
    kill(command, SIGUSR1);
    EXPECT_TRUE(proc::Eventually(
        [&] { return program.out().find("got") != std::string::npos; },
        proc::In(1min)));
  }
  kill(command, SIGKILL);
  EXPECT_TRUE(Gone(command));
}

TEST_F(Exec, VerboseSaysWhoHoldsIt) {
  Program holder(ExecArgv({}, path_, {kProbe, "signals"}));
  ASSERT_TRUE(holder.Says("up"));
  Program waiter(ExecArgv({"--verbose"}, path_, {"true"}));
  EXPECT_TRUE(waiter.Says("pid " + std::to_string(holder.pid())));
  EXPECT_TRUE(waiter.Says("alive"));
  holder.Kill(SIGTERM);
  EXPECT_EQ(waiter.Wait().code, 0);
  EXPECT_TRUE(waiter.Says("is ours"));
}

// --- over all backends -----------------------------------------------------

class ExecWith : public Exec,
                 public testing::WithParamInterface<lockfile::BackendRow> {
 protected:
  [[nodiscard]] Words Flags(Words more = {}) const {
    more.push_back("--backend=" + std::string(GetParam().name));
    return more;
  }
};

TEST_P(ExecWith, SecondIsRefusedWhileTheFirstRuns) {
  Program holder(ExecArgv(Flags(), path_, {kProbe, "signals"}));
  ASSERT_TRUE(holder.Says("up"));
  const std::string ran = dir_ / "ran";
  const Words touch = {"touch", ran};
  for (const char* timeout : {"--timeout=0", "--timeout=0.05"}) {
    const Ended ended = RunExec(Flags({timeout}), path_, touch);
    EXPECT_EQ(ended.code, 124) << timeout;
    EXPECT_THAT(ended.err, StartsWith("locklab: ")) << timeout;
  }
  const Words own = {"--timeout=0", "--conflict-exit-code=9"};
  EXPECT_EQ(RunExec(Flags(own), path_, touch).code, 9);
  EXPECT_FALSE(std::filesystem::exists(ran));
  holder.Kill(SIGTERM);
  EXPECT_EQ(holder.Wait().code, 40);
  EXPECT_EQ(RunExec(Flags({"--timeout=0"}), path_, touch).code, 0);
  EXPECT_TRUE(std::filesystem::exists(ran));
}

TEST_P(ExecWith, LockIsReleasedWhenTheCommandIsKilled) {
  Program holder(ExecArgv(Flags(), path_, {kProbe, "signals"}));
  ASSERT_TRUE(holder.Says("up"));
  kill(ProbePid(holder), SIGKILL);
  EXPECT_EQ(holder.Wait().code, 128 + SIGKILL);
  EXPECT_EQ(RunExec(Flags({"--timeout=0"}), path_, {"true"}).code, 0);
}

TEST_P(ExecWith, KilledLocklabTakesTheCommandAlongAndIsReplaced) {
  Program holder(ExecArgv(Flags(), path_, {kProbe, "signals"}));
  ASSERT_TRUE(holder.Says("up"));
  const pid_t command = ProbePid(holder);
  holder.Kill(SIGKILL);
  EXPECT_TRUE(Gone(command));
  EXPECT_EQ(holder.Wait().code, 1000 + SIGKILL);
  EXPECT_EQ(RunExec(Flags({"--timeout=20"}), path_, {"true"}).code, 0);
}

TEST_P(ExecWith, SignalWhileWaitingEndsItAndLeavesNoLitter) {
  Program holder(ExecArgv(Flags(), path_, {kProbe, "signals"}));
  ASSERT_TRUE(holder.Says("up"));
  const std::set<std::string> before = NamesIn(dir_.path());
  for (const int signal : {SIGINT, SIGTERM}) {
    for (const char* timeout : {"--verbose", "--timeout=60"}) {
      Program waiter(ExecArgv(Flags({"--verbose", timeout}), path_, {"true"}));
      ASSERT_TRUE(waiter.Says("waiting"));
      waiter.Kill(signal);
      EXPECT_EQ(waiter.Wait().code, 128 + signal);
      EXPECT_THAT(waiter.err(), HasSubstr("locklab: a signal"));
      EXPECT_EQ(NamesIn(dir_.path()), before);
    }
  }
  holder.Kill(SIGTERM);
  EXPECT_EQ(holder.Wait().code, 40);
}

TEST_P(ExecWith, EightAtATimeLoseNoUpdate) {
  constexpr int kProcesses = 8;
  constexpr int kRounds = 4;
  const std::string counter = dir_ / "counter";
  const Words argv = ExecArgv(Flags(), path_, {kProbe, "add", counter});
  std::vector<proc::Child> children;
  for (int i = 0; i < kProcesses; ++i) {
    children.push_back(proc::Child::Spawn([&] {
      for (int round = 0; round < kRounds; ++round) {
        if (Program(argv).Wait().code != 0) return 1;
      }
      return 0;
    }));
  }
  for (proc::Child& child : children) {
    const auto end = child.Wait(proc::In(2min));
    EXPECT_TRUE(end.has_value() && end->ok());
  }
  EXPECT_EQ(ReadWhole(counter), std::to_string(kProcesses * kRounds) + "\n");
}

INSTANTIATE_TEST_SUITE_P(Backends, ExecWith,
                         testing::ValuesIn(lockfile::Backends().begin(),
                                           lockfile::Backends().end()),
                         [](const auto& info) {
                           return std::string(info.param.name);
                         });

}  // namespace
}  // namespace locklab::cli
