#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "lib/os/os.h"

namespace lockfile::os {
namespace {

using namespace std::chrono_literals;

class RealOsTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* base = std::getenv("TEST_TMPDIR");  // NOLINT: one thread
    std::string name =
        std::string(base != nullptr ? base : "/tmp") + "/real_os_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  [[nodiscard]] int OpenFile() const {
    const std::string path = dir_ + "/file";
    return static_cast<int>(
        os_.Open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600).value);
  }

  Os& os_ = Os::Real();
  std::string dir_;
};

// A child that ends with its parent, and is reaped at the end.
class Forked {
 public:
  template <typename Body>
  explicit Forked(Body body) : pid_(fork()) {
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    body();
    _exit(0);
  }
  ~Forked() { Kill(); }
  Forked(const Forked&) = delete;
  Forked& operator=(const Forked&) = delete;

  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

class KernelLockTest : public RealOsTest,
                       public testing::WithParamInterface<KernelLock> {};

// Holds the lock in another process until it is told to let go.
class Holder {
 public:
  Holder(Os& os, const std::string& path, KernelLock kind) {
    EXPECT_EQ(pipe2(held_, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(go_, O_CLOEXEC), 0);
    child_ = std::make_unique<Forked>([&] {
      close(go_[1]);
      const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
      if (!os.TryLock(fd, kind).ok()) _exit(1);
      char byte = 1;
      if (write(held_[1], &byte, 1) != 1) _exit(1);
      if (read(go_[0], &byte, 1) < 0) _exit(1);
    });
    char byte = 0;
    EXPECT_EQ(read(held_[0], &byte, 1), 1);
  }
  ~Holder() {
    LetGo();
    close(held_[0]);
    close(held_[1]);
    close(go_[0]);
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

  void LetGo() {
    if (go_[1] >= 0) close(go_[1]);
    go_[1] = -1;
  }

 private:
  int held_[2] = {-1, -1};
  int go_[2] = {-1, -1};
  std::unique_ptr<Forked> child_;
};

TEST_P(KernelLockTest, WaitEndsAtItsDeadline) {
  const int fd = OpenFile();
  const Holder holder(os_, dir_ + "/file", GetParam());
  const TimePoint start = os_.Now();
  const SysResult waited = os_.WaitLock(fd, GetParam(), start + 50ms);
  if (waited.error == ENOTSUP) GTEST_SKIP() << "waits cannot be bounded here";
  EXPECT_EQ(waited.error, ETIMEDOUT);
  EXPECT_GE(os_.Now() - start, 50ms);
  EXPECT_EQ(os_.TryLock(fd, GetParam()).error, EAGAIN);
  close(fd);
}

TEST_P(KernelLockTest, WaitGetsTheLockForItsCaller) {
  const int fd = OpenFile();
  Holder holder(os_, dir_ + "/file", GetParam());
  std::thread release([&] {
    std::this_thread::sleep_for(20ms);
    holder.LetGo();
  });
  const SysResult waited = os_.WaitLock(fd, GetParam(), os_.Now() + 60s);
  release.join();
  if (waited.error == ENOTSUP) GTEST_SKIP() << "waits cannot be bounded here";
  EXPECT_EQ(waited.error, 0);
  // It is ours, not the helper's, which has gone: others are refused.
  Forked other([&] {
    const int own = open((dir_ + "/file").c_str(), O_RDWR | O_CLOEXEC);
    _exit(os_.TryLock(own, GetParam()).error == EAGAIN ? 7 : 8);
  });
  int status = 0;
  waitpid(other.pid(), &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_TRUE(os_.Unlock(fd, GetParam()).ok());
  close(fd);
}

std::atomic<int> g_signals{0};

TEST_P(KernelLockTest, WaitImposesNothingOnItsCaller) {
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) { g_signals.fetch_add(1); };
  ASSERT_EQ(sigaction(SIGCHLD, &action, &before), 0);
  const int fd = OpenFile();
  {
    const Holder holder(os_, dir_ + "/file", GetParam());
    g_signals = 0;
    const SysResult waited = os_.WaitLock(fd, GetParam(), os_.Now() + 30ms);
    EXPECT_TRUE(waited.error == ETIMEDOUT || waited.error == ENOTSUP);
    EXPECT_EQ(g_signals, 0) << "a helper's end raised SIGCHLD";
  }
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a helper was left behind";
  EXPECT_EQ(errno, ECHILD);
  sigaction(SIGCHLD, &before, nullptr);
  close(fd);
}

TEST_P(KernelLockTest, WaitOutlastsAStormOfSignals) {
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) { g_signals.fetch_add(1); };
  ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
  const int fd = OpenFile();
  const Holder holder(os_, dir_ + "/file", GetParam());
  const pthread_t self = pthread_self();
  std::atomic<bool> done{false};
  std::thread storm([&] {
    while (!done) {
      pthread_kill(self, SIGUSR1);
      std::this_thread::sleep_for(1ms);
    }
  });
  const TimePoint start = os_.Now();
  const SysResult waited = os_.WaitLock(fd, GetParam(), start + 50ms);
  done = true;
  storm.join();
  EXPECT_TRUE(waited.error == ETIMEDOUT || waited.error == ENOTSUP);
  if (waited.error == ETIMEDOUT) {
    EXPECT_GE(os_.Now() - start, 50ms);
  }
  sigaction(SIGUSR1, &before, nullptr);
  close(fd);
}

INSTANTIATE_TEST_SUITE_P(Kinds, KernelLockTest,
                         testing::Values(KernelLock::kFlock, KernelLock::kPosix,
                                         KernelLock::kOfd),
                         [](const auto& info) {
                           return std::string(
                               info.param == KernelLock::kFlock   ? "flock"
                               : info.param == KernelLock::kPosix ? "fcntl"
                                                                  : "ofd");
                         });

// Two processes with two locks each: the kernel sees a deadlock where only
// threads of theirs wait. It says so at once; to wait is then the caller's, and
// he must not take it for a deadline that has come.
TEST_F(RealOsTest, WaitThatTheKernelRefusesIsNotATimeout) {
  const int mine = OpenFile();
  ASSERT_TRUE(os_.TryLock(mine, KernelLock::kPosix).ok());
  const std::string path = dir_ + "/theirs";
  int ready[2];
  ASSERT_EQ(pipe2(ready, O_CLOEXEC), 0);
  const Forked other([&] {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (!os_.TryLock(fd, KernelLock::kPosix).ok()) _exit(1);
    if (write(ready[1], "r", 1) != 1) _exit(1);
    (void)os_.WaitLock(mine, KernelLock::kPosix, kForever);
  });
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  const auto asleep = [&] {
    std::ifstream stat("/proc/" + std::to_string(other.pid()) + "/stat");
    std::string text;
    std::getline(stat, text);
    return text.find(") S ") != std::string::npos;
  };
  const TimePoint patience = os_.Now() + 60s;
  while (!asleep() && os_.Now() < patience) std::this_thread::sleep_for(1ms);
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  const SysResult waited =
      os_.WaitLock(fd, KernelLock::kPosix, os_.Now() + 60s);
  EXPECT_TRUE(waited.error == EDEADLK || waited.error == ENOTSUP)
      << waited.error;
  for (const int each : {mine, fd, ready[0], ready[1]}) close(each);
}

TEST_F(RealOsTest, PidIsRightInAForkedChild) {
  const pid_t parent = os_.Pid();
  EXPECT_EQ(parent, getpid());
  Forked child([&] {
    _exit(os_.Pid() == getpid() && os_.Self().pid == getpid() &&
                  os_.ThreadId() == getpid()
              ? 7
              : 8);
  });
  int status = 0;
  waitpid(child.pid(), &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_EQ(os_.Pid(), parent);
}

struct Counter : ProcessLocal {
  int value = 0;
};

TEST_F(RealOsTest, LocalStateIsNewInAForkedChild) {
  os_.local<Counter>().value = 5;
  Forked child([&] { _exit(os_.local<Counter>().value == 0 ? 7 : 8); });
  int status = 0;
  waitpid(child.pid(), &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_EQ(os_.local<Counter>().value, 5);
}

TEST_F(RealOsTest, StatusTellsTheLivingFromTheDead) {
  const ProcessStatus self = os_.Status(getpid());
  EXPECT_TRUE(self.exists);
  EXPECT_FALSE(self.zombie);
  EXPECT_EQ(self.start_time, os_.Self().start_time);
  EXPECT_NE(self.start_time, 0U);

  Forked child([] { _exit(0); });
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(child.pid()), &info, WEXITED | WNOWAIT);
  const ProcessStatus zombie = os_.Status(child.pid());
  EXPECT_TRUE(zombie.exists);
  EXPECT_TRUE(zombie.zombie);
  const pid_t pid = child.pid();
  child.Kill();
  EXPECT_FALSE(os_.Status(pid).exists);
}

TEST_F(RealOsTest, ProcessWhoseFirstThreadEndedIsNoZombie) {
  int ready[2];
  ASSERT_EQ(pipe2(ready, O_CLOEXEC), 0);
  Forked child([&] {
    std::thread([&] {
      // The kernel says of the first thread, and so of the process: a zombie.
      std::string stat;
      while (stat.find(") Z ") == std::string::npos) {
        std::this_thread::sleep_for(1ms);
        std::ifstream file("/proc/self/stat");
        std::getline(file, stat);
      }
      char byte = 1;
      if (write(ready[1], &byte, 1) != 1) _exit(1);
      pause();
    }).detach();
    // pthread_exit would unwind through the test's own handlers.
    syscall(SYS_exit, 0);
  });
  close(ready[1]);  // so that a child that dies is not waited for
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_FALSE(os_.Status(child.pid()).zombie);
  close(ready[0]);
}

TEST_F(RealOsTest, ProcessOfAHostileNameIsReadRight) {
  int ready[2];
  ASSERT_EQ(pipe2(ready, O_CLOEXEC), 0);
  Forked child([&] {
    prctl(PR_SET_NAME, ") Z 1 2 3");
    char byte = 1;
    if (write(ready[1], &byte, 1) != 1) _exit(1);
    pause();
  });
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  const ProcessStatus status = os_.Status(child.pid());
  EXPECT_TRUE(status.exists);
  EXPECT_FALSE(status.zombie);
  EXPECT_GE(status.start_time, os_.Self().start_time);
  close(ready[0]);
  close(ready[1]);
}

TEST_F(RealOsTest, WaitEventEndsAtADeadlineLongPast) {
  EXPECT_EQ(os_.WaitEvent(-1, -1, TimePoint::min()).value, 0);
}

TEST_F(RealOsTest, WatchTellsOfDeletionAndOfProcessEnd) {
  close(OpenFile());
  const std::string path = dir_ + "/file";
  const int watch = static_cast<int>(os_.WatchOpen().value);
  ASSERT_GE(watch, 0);
  ASSERT_TRUE(os_.WatchAdd(watch, path.c_str()).ok());
  EXPECT_EQ(os_.WaitEvent(watch, -1, os_.Now()).value, 0);
  ASSERT_TRUE(os_.Unlink(path.c_str()).ok());
  EXPECT_EQ(os_.WaitEvent(watch, -1, os_.Now() + 60s).value, 1);
  os_.Close(watch);

  Forked child([] { pause(); });
  const int process = static_cast<int>(os_.ProcessWatch(child.pid()).value);
  ASSERT_GE(process, 0);
  EXPECT_EQ(os_.WaitEvent(-1, process, os_.Now()).value, 0);
  child.Kill();
  EXPECT_EQ(os_.WaitEvent(-1, process, os_.Now() + 60s).value,
            Os::kProcessEnded);
  os_.Close(process);
}

TEST_F(RealOsTest, WatchOfTheEndTellsOfTheLastNameAlone) {
  const int file = OpenFile();
  const std::string path = dir_ + "/file";
  const std::string other = dir_ + "/other";
  const int watch = static_cast<int>(os_.WatchOpen().value);
  ASSERT_TRUE(os_.WatchGone(watch, path.c_str()).ok());
  ASSERT_TRUE(os_.WriteStart(file, "x", 1).ok());
  os_.Close(file);
  ASSERT_TRUE(os_.Link(path.c_str(), other.c_str()).ok());
  ASSERT_TRUE(os_.Unlink(path.c_str()).ok());
  ASSERT_TRUE(os_.Rename(other.c_str(), path.c_str()).ok());
  EXPECT_EQ(os_.WaitEvent(watch, -1, os_.Now()).value, 0);
  ASSERT_TRUE(os_.Unlink(path.c_str()).ok());
  EXPECT_EQ(os_.WaitEvent(watch, -1, os_.Now() + 60s).value, 1);
  EXPECT_EQ(os_.WatchGone(watch, path.c_str()).error, ENOENT);
  os_.Close(watch);
}

TEST_F(RealOsTest, DirectoriesAreNotListedThroughLinks) {
  const std::string link = dir_ + "/link";
  ASSERT_TRUE(os_.Symlink(dir_.c_str(), link.c_str()).ok());
  std::vector<std::string> names;
  EXPECT_TRUE(os_.ListDir(dir_.c_str(), 10, &names).ok());
  EXPECT_EQ(names.size(), 1U);
  EXPECT_FALSE(os_.ListDir(link.c_str(), 10, &names).ok());
}

}  // namespace
}  // namespace lockfile::os
