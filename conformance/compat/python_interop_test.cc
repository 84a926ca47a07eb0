// This library and Python's lockfile (Debian's python3-lockfile) on one path:
// link, mkdir, symlink and pid exclude each other across the languages.

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "conformance/compat/lock_fixture.h"
#include "conformance/compat/python_contender.h"
#include "conformance/proc/child.h"
#include "conformance/proc/poll_until.h"
#include "gtest/gtest.h"
#include "lib/lock_file.h"

namespace locklab::compat {
namespace {

using lockfile::LockFile;
using proc::Child;
using proc::In;
using namespace std::chrono_literals;  // NOLINT

constexpr int kExitTwoHolders = 4;

std::vector<std::string> PythonBackends() {
  std::vector<std::string> names;
  for (const lockfile::BackendRow& row : lockfile::Backends()) {
    if (row.traits.python_compatible) names.emplace_back(row.name);
  }
  return names;
}

class PythonInterop : public EveryBackend {
 protected:
  static void SetUpTestSuite() {
    const std::string missing = PythonContender::WhyMissing();
    ASSERT_EQ(missing, "")
        << "run tools/setup, which installs python3-lockfile";
  }

  [[nodiscard]] std::string PythonTries() const {
    PythonContender python(backend(), path());
    return python.Ask("try", In(kPatience)).value_or("hangs");
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
  EXPECT_EQ(PythonTries(), "refused");
  EXPECT_TRUE(lock.i_am_locking());
  lock.release();
  EXPECT_EQ(PythonTries(), "ok");
}

TEST_P(PythonInterop, WeAreRefusedWhilePythonHolds) {
  PythonContender python(backend(), path());
  ASSERT_EQ(python.Ask("acquire", In(kPatience)), "ok");
  LockFile lock(path(), options());
  EXPECT_TRUE(lock.is_locked());
  EXPECT_FALSE(lock.i_am_locking());
  EXPECT_THROW(lock.acquire(0s), lockfile::AlreadyLocked);
  EXPECT_THROW(lock.acquire(50ms), lockfile::LockTimeout);
  EXPECT_THROW(lock.release(), lockfile::NotMyLock);
  EXPECT_EQ(python.Ask("release", In(kPatience)), "ok")
      << "Python lost its lock";
  EXPECT_NO_THROW(lock.acquire(kPatience));
}

// It left no record that could prove its death, so its lock is never broken on
// a guess; asked to, we break it.
TEST_P(PythonInterop, DeadPythonHolderIsUnknownAndBrokenWhenAsked) {
  PythonContender python(backend(), path());
  ASSERT_EQ(python.Ask("acquire", In(kPatience)), "ok");
  python.Kill();
  LockFile lock(path(), options());
  EXPECT_TRUE(lock.is_locked());
  EXPECT_FALSE(lock.owner().has_value());
  EXPECT_EQ(lock.holder_liveness().life, lockfile::Life::kUnknown);
  EXPECT_THROW(lock.acquire(50ms), lockfile::LockTimeout);
  EXPECT_TRUE(lock.break_lock());
  EXPECT_NO_THROW(lock.acquire(kPatience));
  EXPECT_EQ(PythonTries(), "refused");
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
  const std::string request =
      "contend " + marker + " " + std::to_string(kPythonHolds);
  PythonContender pythons[] = {{backend(), path()}, {backend(), path()}};
  std::vector<Child> children;
  for (PythonContender& python : pythons) {
    python.Send(request);
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
    EXPECT_EQ(pythons[i].Receive(In(2 * kPatience)), "ok");
  }
  EXPECT_FALSE(LockFile(path(), options()).is_locked());
}

}  // namespace
}  // namespace locklab::compat
