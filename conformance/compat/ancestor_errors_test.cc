// Errors that are not contention. The ancestor takes every error of link(2)
// for contention and waits for ever where there are no hard links; a missing
// directory is a timeout to its symlink lock. Here each is reported at once,
// with its errno, and leaves nothing behind.

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "conformance/compat/lock_fixture.h"
#include "conformance/proc/child.h"
#include "conformance/proc/poll_until.h"
#include "conformance/seam/intercepting_os.h"
#include "gtest/gtest.h"
#include "lib/lock_file.h"

namespace locklab::compat {
namespace {

using lockfile::LockFile;
using proc::Child;
using proc::In;
using seam::Call;
using seam::Fault;
using seam::InterceptingOs;
using namespace std::chrono_literals;  // NOLINT

std::vector<std::string> Names(const std::string& dir) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    names.push_back(entry.path().filename());
  }
  return names;
}

// The acquire fails as LockFailed with this errno, and at once: if it waited,
// it would be LockTimeout.
void ExpectFailsWith(LockFile& lock, int sys) {
  try {
    lock.acquire(kPatience);
    ADD_FAILURE() << "acquired in spite of " << strerror(sys);
  } catch (const lockfile::LockFailed& error) {
    EXPECT_EQ(error.sys_errno(), sys) << error.what();
    EXPECT_EQ(error.path(), lock.path());
    EXPECT_EQ(error.backend(), lock.backend().name);
    EXPECT_NE(std::string(error.what()).find(lock.path()), std::string::npos)
        << error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "not LockFailed: " << error.what();
  }
}

// --- errors that the directory itself provides ------------------------------

class RealErrors : public EveryBackend {};
INSTANTIATE_TEST_SUITE_P(Backends, RealErrors, testing::ValuesIn(AllBackends()),
                         NameOfBackend);

TEST_P(RealErrors, MissingDirectory) {
  LockFile lock(dir() + "/missing/resource", options());
  ExpectFailsWith(lock, ENOENT);
  EXPECT_EQ(Names(dir()), std::vector<std::string>{});
}

TEST_P(RealErrors, ParentIsAFile) {
  WriteFile(dir() + "/file", "");
  LockFile lock(dir() + "/file/resource", options());
  ExpectFailsWith(lock, ENOTDIR);
}

TEST_P(RealErrors, NameIsTooLong) {
  LockFile lock(dir() + "/" + std::string(300, 'n'), options());
  ExpectFailsWith(lock, ENAMETOOLONG);
  EXPECT_EQ(Names(dir()), std::vector<std::string>{});
}

TEST_P(RealErrors, LoopOfLinksOnTheWay) {
  const std::string loop = dir() + "/loop";
  ASSERT_EQ(symlink("loop", loop.c_str()), 0);
  LockFile lock(loop + "/resource", options());
  ExpectFailsWith(lock, ELOOP);
}

TEST_P(RealErrors, DirectoryThatMayNotBeWritten) {
  ASSERT_EQ(chmod(dir().c_str(), 0555), 0);
  // Root may write everywhere: the child becomes a user who may not.
  Child child = Child::Spawn([&] {
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) return 2;
    LockFile lock(path(), options());
    ExpectFailsWith(lock, EACCES);
    return testing::Test::HasFailure() ? 1 : 0;
  });
  const auto end = child.Wait(In(kPatience));
  chmod(dir().c_str(), 0755);
  ASSERT_TRUE(end.has_value());
  EXPECT_TRUE(end->ok()) << end->Describe();
}

// No descriptor is left. A backend that needs none succeeds.
TEST_P(RealErrors, NoMoreDescriptors) {
  Child child = Child::Spawn([&] {
    LockFile lock(path(), options());
    const rlimit none{.rlim_cur = 0, .rlim_max = 0};
    setrlimit(RLIMIT_NOFILE, &none);
    std::error_code error;
    lock.acquire(kPatience, error);
    if (!error) {
      lock.release();
      return 0;
    }
    EXPECT_EQ(error, std::errc::too_many_files_open)
        << lock.last_error_message();
    return testing::Test::HasFailure() ? 1 : 0;
  });
  const auto end = child.Wait(In(kPatience));
  ASSERT_TRUE(end.has_value());
  EXPECT_TRUE(end->ok()) << end->Describe();
}

// --- errors that only some filesystems provide ------------------------------

// The call by which a backend creates its lock, and what it can meet.
struct Injection {
  std::string backend;
  std::string call;
  int sys;
};

std::string NameOfInjection(const testing::TestParamInfo<Injection>& info) {
  const auto& [backend, call, sys] = info.param;
  return backend + "_" + call + "_" + lockfile::ErrnoName(sys);
}

std::vector<Injection> Injections() {
  const std::vector<std::pair<std::string, std::string>> calls = {
      {"link", "Link"},     {"mkdir", "MakeDir"}, {"symlink", "Symlink"},
      {"pid", "Open"},      {"excl", "Open"},     {"flock", "Open"},
      {"fcntl", "Open"},    {"ofd", "Open"},      {"flock", "TryLock"},
      {"fcntl", "TryLock"}, {"ofd", "TryLock"},
  };
  std::vector<Injection> rows;
  for (const auto& [backend, call] : calls) {
    for (int sys : {EPERM, EACCES, EROFS, ENOSPC, EDQUOT, EIO, ENOMEM, ENOTSUP,
                    ESTALE, ENOSYS}) {
      rows.push_back({backend, call, sys});
    }
    if (call == "TryLock") rows.push_back({backend, call, ENOLCK});
    if (call == "Open") rows.push_back({backend, call, EMFILE});
  }
  rows.push_back({"link", "Link", EMLINK});
  rows.push_back({"link", "Link", EXDEV});
  return rows;
}

class InjectedErrors : public LockTest,
                       public testing::WithParamInterface<Injection> {
 protected:
  [[nodiscard]] std::string backend() const override {
    return GetParam().backend;
  }
};
INSTANTIATE_TEST_SUITE_P(Calls, InjectedErrors, testing::ValuesIn(Injections()),
                         NameOfInjection);

TEST_P(InjectedErrors, AreReportedAtOnceAndLeaveNoLitter) {
  bool hit = false;
  InterceptingOs os([&](const Call& call) {
    if (call.name != GetParam().call) return Fault{};
    hit = true;
    return Fault{.before = GetParam().sys};
  });
  lockfile::Options failing = options();
  failing.os = &os;
  LockFile lock(path(), failing);
  ExpectFailsWith(lock, GetParam().sys);
  EXPECT_TRUE(hit) << "this backend does not call " << GetParam().call;
  if (!row().traits.keeps_file) {
    EXPECT_EQ(Names(dir()), std::vector<std::string>{});
  }
  EXPECT_NO_THROW(LockFile(path(), options()).acquire(0s));
}

// --- lost replies -----------------------------------------------------------

// On NFS the call may have succeeded when it reports EEXIST or EIO.
std::vector<Injection> LostReplies() {
  std::vector<Injection> rows;
  for (int sys : {EEXIST, EIO}) {
    rows.push_back({"link", "Link", sys});
    rows.push_back({"symlink", "Symlink", sys});
  }
  return rows;
}

class LostReply : public InjectedErrors {};
INSTANTIATE_TEST_SUITE_P(Calls, LostReply, testing::ValuesIn(LostReplies()),
                         NameOfInjection);

TEST_P(LostReply, IsFoundOutByLooking) {
  InterceptingOs os([&](const Call& call) {
    const bool lost =
        call.name == GetParam().call && seam::Place(call) == path() + ".lock";
    return Fault{.after = lost ? GetParam().sys : 0};
  });
  lockfile::Options lossy = options();
  lossy.os = &os;
  LockFile lock(path(), lossy);
  EXPECT_NO_THROW(lock.acquire(0s));
  EXPECT_TRUE(lock.i_am_locking());
  EXPECT_THROW(LockFile(path(), options()).acquire(0s),
               lockfile::AlreadyLocked);
  lock.release();
  EXPECT_EQ(Names(dir()), std::vector<std::string>{});
}

}  // namespace
}  // namespace locklab::compat
