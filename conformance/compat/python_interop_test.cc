// This library and Python's lockfile (Debian's python3-lockfile) on one path:
// link, mkdir, symlink and pid exclude each other across the languages.

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <system_error>
#include <vector>

#include "conformance/compat/lock_fixture.h"
#include "conformance/proc/child.h"
#include "conformance/proc/poll_until.h"
#include "gtest/gtest.h"
#include "lib/lock_file.h"

namespace locklab::compat {
namespace {

using lockfile::LockFile;
using proc::Child;
using proc::ExitStatus;
using proc::In;
using namespace std::chrono_literals;  // NOLINT

// Debian's interpreter sees Debian's packages; another one in PATH may not.
constexpr char kPython[] = "/usr/bin/python3";
constexpr char kScript[] = "conformance/compat/python_contender.py";
constexpr int kExitTwoHolders = 4;
constexpr int kExitRefused = 5;
constexpr int kExitCannotRun = 76;

int RunPython(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {kPython, kScript});
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  execv(kPython, argv.data());
  return kExitCannotRun;
}

std::vector<std::string> PythonBackends() {
  std::vector<std::string> names;
  for (const lockfile::BackendRow& row : lockfile::Backends()) {
    if (row.traits.python_compatible) names.emplace_back(row.name);
  }
  return names;
}

// A Python process that holds the lock while this object lives.
class PythonHolder {
 public:
  PythonHolder(const std::string& backend, const std::string& path) {
    int to_child[2];
    int from_child[2];
    if (pipe2(to_child, O_CLOEXEC) != 0 || pipe2(from_child, O_CLOEXEC) != 0) {
      throw std::system_error(errno, std::generic_category(), "pipe");
    }
    input_ = to_child[1];
    child_ = Child::Spawn([&] {
      dup2(to_child[0], STDIN_FILENO);
      dup2(from_child[1], STDOUT_FILENO);
      return RunPython({"hold", backend, path});
    });
    close(to_child[0]);
    close(from_child[1]);
    char answer[5] = {};
    holds_ = proc::PollUntil(from_child[0], POLLIN, In(kPatience)) != 0 &&
             read(from_child[0], answer, sizeof answer) > 0;
    close(from_child[0]);
  }
  ~PythonHolder() { Release(); }
  PythonHolder(const PythonHolder&) = delete;
  PythonHolder& operator=(const PythonHolder&) = delete;

  [[nodiscard]] bool holds() const { return holds_; }
  // It releases and ends.
  ExitStatus Release() {
    if (input_ >= 0) close(input_);
    input_ = -1;
    return child_.Wait(In(kPatience)).value_or(ExitStatus{.code = -1});
  }
  ExitStatus Kill() { return child_.Stop(); }

 private:
  Child child_;
  int input_ = -1;
  bool holds_ = false;
};

class PythonInterop : public EveryBackend {
 protected:
  static void SetUpTestSuite() {
    Child hello = Child::Spawn([] { return RunPython({"hello"}); });
    const auto end = hello.Wait(In(kPatience));
    ASSERT_TRUE(end.has_value() && end->ok())
        << "Python's lockfile is missing (" << kPython << " "
        << (end ? end->Describe() : "hangs")
        << "): run tools/setup, which installs python3-lockfile";
  }

  [[nodiscard]] int PythonTries() const {
    Child child = Child::Spawn([&] {
      return RunPython({"try", backend(), path()});
    });
    const auto end = child.Wait(In(kPatience));
    return end && end->signal == 0 ? end->code : -1;
  }
};

INSTANTIATE_TEST_SUITE_P(Backends, PythonInterop,
                         testing::ValuesIn(PythonBackends()), NameOfBackend);

TEST(PythonInteropTable, NamesTheFourThatShareTheirFormat) {
  EXPECT_EQ(PythonBackends(),
            (std::vector<std::string>{"link", "mkdir", "symlink", "pid"}));
}

TEST_P(PythonInterop, PythonIsRefusedWhileWeHold) {
  LockFile lock(path(), options());
  lock.acquire();
  EXPECT_EQ(PythonTries(), kExitRefused);
  EXPECT_TRUE(lock.i_am_locking());
  lock.release();
  EXPECT_EQ(PythonTries(), 0);
}

TEST_P(PythonInterop, WeAreRefusedWhilePythonHolds) {
  PythonHolder python(backend(), path());
  ASSERT_TRUE(python.holds());
  LockFile lock(path(), options());
  EXPECT_TRUE(lock.is_locked());
  EXPECT_FALSE(lock.i_am_locking());
  EXPECT_THROW(lock.acquire(0s), lockfile::AlreadyLocked);
  EXPECT_THROW(lock.acquire(50ms), lockfile::LockTimeout);
  EXPECT_THROW(lock.release(), lockfile::NotMyLock);
  EXPECT_TRUE(python.Release().ok()) << "Python lost its lock";
  EXPECT_NO_THROW(lock.acquire(kPatience));
}

// It left no record that could prove its death, so its lock is never broken on
// a guess; asked to, we break it.
TEST_P(PythonInterop, DeadPythonHolderIsUnknownAndBrokenWhenAsked) {
  PythonHolder python(backend(), path());
  ASSERT_TRUE(python.holds());
  python.Kill();
  LockFile lock(path(), options());
  EXPECT_TRUE(lock.is_locked());
  EXPECT_FALSE(lock.owner().has_value());
  EXPECT_EQ(lock.holder_liveness().life, lockfile::Life::kUnknown);
  EXPECT_THROW(lock.acquire(50ms), lockfile::LockTimeout);
  EXPECT_TRUE(lock.break_lock());
  EXPECT_NO_THROW(lock.acquire(kPatience));
  EXPECT_EQ(PythonTries(), kExitRefused);
}

// Inside the lock: nobody else may be. The same marker as in the script.
int Contend(LockFile& lock, const std::string& marker, int holds) {
  for (int i = 0; i < holds; ++i) {
    lock.acquire(kPatience);
    const int fd = open(marker.c_str(), O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
      fprintf(stderr, "C++ entered while %s exists\n", marker.c_str());
      return kExitTwoHolders;
    }
    close(fd);
    unlink(marker.c_str());
    lock.release();
  }
  return 0;
}

// Two of each language; the C++ ones are quicker and take more turns, so that
// the languages meet for as long as possible.
TEST_P(PythonInterop, MixedProcessesExclude) {
  constexpr int kPythonHolds = 400;
  constexpr int kOurHolds = 1000;
  const std::string marker = dir() + "/marker";
  std::vector<Child> children;
  for (int i = 0; i < 2; ++i) {
    children.push_back(Child::Spawn([&] {
      return RunPython(
          {"contend", backend(), path(), marker, std::to_string(kPythonHolds)});
    }));
    children.push_back(Child::Spawn([&] {
      LockFile lock(path(), options());
      return Contend(lock, marker, kOurHolds);
    }));
  }
  for (size_t i = 0; i < children.size(); ++i) {
    const auto end = children[i].Wait(In(2 * kPatience));
    ASSERT_TRUE(end.has_value()) << "process " << i << " hangs";
    EXPECT_NE(end->code, kExitTwoHolders) << "process " << i;
    EXPECT_TRUE(end->ok()) << "process " << i << " " << end->Describe();
  }
  EXPECT_FALSE(LockFile(path(), options()).is_locked());
}

}  // namespace
}  // namespace locklab::compat
