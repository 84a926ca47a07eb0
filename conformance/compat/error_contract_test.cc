// The errors as code that knows the ancestor, or std::error_code, uses them.

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <system_error>
#include <type_traits>

#include "conformance/compat/lock_fixture.h"
#include "gtest/gtest.h"
#include "lib/lock_file.h"

namespace locklab::compat {
namespace {

using lockfile::Errc;
using lockfile::LockFile;
using namespace std::chrono_literals;  // NOLINT

// --- the tree ---------------------------------------------------------------

template <typename Child, typename Parent>
inline constexpr bool kIsBelow =
    std::is_base_of_v<Parent, Child>&& std::is_convertible_v<Child*, Parent*>;

static_assert(kIsBelow<lockfile::Error, std::system_error>);
static_assert(kIsBelow<lockfile::LockError, lockfile::Error>);
static_assert(kIsBelow<lockfile::LockTimeout, lockfile::LockError>);
static_assert(kIsBelow<lockfile::AlreadyLocked, lockfile::LockError>);
static_assert(kIsBelow<lockfile::LockFailed, lockfile::LockError>);
static_assert(kIsBelow<lockfile::Unsupported, lockfile::LockFailed>);
static_assert(kIsBelow<lockfile::UnlockError, lockfile::Error>);
static_assert(kIsBelow<lockfile::NotLocked, lockfile::UnlockError>);
static_assert(kIsBelow<lockfile::NotMyLock, lockfile::UnlockError>);
static_assert(kIsBelow<lockfile::LockLost, lockfile::NotMyLock>);
static_assert(!kIsBelow<lockfile::LockTimeout, lockfile::AlreadyLocked>);
static_assert(!kIsBelow<lockfile::UnlockError, lockfile::LockError>);
static_assert(!kIsBelow<lockfile::NotMyLock, lockfile::NotLocked>);

TEST(ErrorCodes, EqualTheStandardConditionThatFits) {
  struct Row {
    Errc errc;
    std::errc condition;
  };
  for (const Row& row : {
           Row{Errc::kLockTimeout, std::errc::timed_out},
           Row{Errc::kAlreadyLocked, std::errc::resource_unavailable_try_again},
           Row{Errc::kUnsupported, std::errc::not_supported},
           Row{Errc::kNotLocked, std::errc::no_lock_available},
           Row{Errc::kNotMyLock, std::errc::operation_not_permitted},
           Row{Errc::kLockLost, std::errc::owner_dead},
           Row{Errc::kDeadlock, std::errc::resource_deadlock_would_occur},
       }) {
    const std::error_code code = row.errc;
    EXPECT_EQ(code, row.condition) << code.message();
    EXPECT_EQ(&code.category(), &lockfile::lockfile_category());
    EXPECT_TRUE(code) << "an error is true";
    EXPECT_FALSE(code.message().empty());
  }
  EXPECT_FALSE(std::error_code(Errc::kOk));
}

// --- with every backend -----------------------------------------------------

class ErrorContract : public EveryBackend {};
INSTANTIATE_TEST_SUITE_P(Backends, ErrorContract,
                         testing::ValuesIn(AllBackends()), NameOfBackend);

TEST_P(ErrorContract, OverloadsOfAcquireReportAndDoNotThrow) {
  HolderThread holder(path(), options());
  LockFile lock(path(), options());
  std::error_code error;
  lock.acquire(20ms, error);
  EXPECT_EQ(error, Errc::kLockTimeout);
  EXPECT_EQ(error, std::errc::timed_out);
  lock.acquire(0s, error);
  EXPECT_EQ(error, Errc::kAlreadyLocked);
  holder.Leave();
  lock.acquire(0s, error);
  EXPECT_FALSE(error) << "success clears the code";
  lock.acquire(error);
  EXPECT_FALSE(error);
}

TEST_P(ErrorContract, OverloadsOfReleaseReportAndDoNotThrow) {
  LockFile lock(path(), options());
  std::error_code error;
  lock.release(error);
  EXPECT_EQ(error, Errc::kNotLocked);
  {
    HolderThread holder(path(), options());
    lock.release(error);
    EXPECT_EQ(error, Errc::kNotMyLock);
  }
  lock.acquire();
  lock.release(error);
  EXPECT_FALSE(error);
}

TEST_P(ErrorContract, OverloadsOfLooksReportAndDoNotThrow) {
  LockFile lock(path(), options());
  lock.acquire();
  std::error_code error = Errc::kDeadlock;
  EXPECT_TRUE(lock.is_locked(error));
  EXPECT_FALSE(error);
  EXPECT_TRUE(lock.i_am_locking(error));
  EXPECT_FALSE(error);
  const auto owner = lock.owner(error);
  EXPECT_FALSE(error);
  ASSERT_TRUE(owner.has_value());
  EXPECT_EQ(owner->pid, getpid());
}

TEST_P(ErrorContract, OverloadsOfBreakReportAndDoNotThrow) {
  LockFile lock(path(), options());
  std::error_code error = Errc::kDeadlock;
  EXPECT_FALSE(lock.break_lock(error)) << "nothing to break";
  EXPECT_FALSE(error);
  HolderThread holder(path(), options());
  if (row().traits.breakable) {
    EXPECT_TRUE(lock.break_lock(error));
    EXPECT_FALSE(error);
  } else {
    EXPECT_FALSE(lock.break_lock(error));
    EXPECT_EQ(error, Errc::kUnsupported);
    EXPECT_TRUE(lock.is_locked());
  }
}

TEST_P(ErrorContract, SystemErrorsCarryTheErrno) {
  LockFile lock(dir() + "/missing/resource", options());
  std::error_code error;
  lock.acquire(kPatience, error);
  EXPECT_EQ(error, std::errc::no_such_file_or_directory);
  EXPECT_EQ(error.value(), ENOENT);
  const std::string message = lock.last_error_message();
  EXPECT_NE(message.find("ENOENT"), std::string::npos) << message;
  EXPECT_NE(message.find("/missing/"), std::string::npos) << message;
}

TEST_P(ErrorContract, ExceptionsSayWhatWhereAndWho) {
  LockFile lock(path(), options());
  LockFile second(path(), options());
  lock.acquire();
  try {
    second.acquire(0s);
    FAIL() << "two holders";
  } catch (const lockfile::Error& error) {
    EXPECT_EQ(error.code(), Errc::kAlreadyLocked);
    EXPECT_EQ(error.path(), path());
    EXPECT_EQ(error.backend(), backend());
    EXPECT_EQ(error.sys_errno(), 0);
    const std::string what = error.what();
    EXPECT_NE(what.find(path()), std::string::npos) << what;
    EXPECT_NE(what.find(std::to_string(getpid())), std::string::npos)
        << "does not name the holder: " << what;
  }
}

// --- objects that cannot be made --------------------------------------------

TEST(ErrorOfConstruction, UnknownBackendIsUnsupportedAndNamesTheOthers) {
  lockfile::Options options;
  options.backend = "telepathy";
  try {
    LockFile lock("/tmp/x", options);
    FAIL() << "made a lock of a backend that does not exist";
  } catch (const lockfile::Unsupported& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("telepathy"), std::string::npos) << what;
    EXPECT_NE(what.find(lockfile::BackendNames()), std::string::npos) << what;
  }
}

TEST(ErrorOfConstruction, EmptyPathIsLockFailed) {
  EXPECT_THROW(LockFile(""), lockfile::LockFailed);
}

}  // namespace
}  // namespace locklab::compat
