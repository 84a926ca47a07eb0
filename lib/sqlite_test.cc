// What is peculiar to locks that are rows of a database.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

#include "lib/backends.h"
#include "lib/lock_file.h"
#include "lib/testing/lock_test.h"

namespace lockfile {
namespace {

using namespace std::chrono_literals;

using SqliteTest = LockTest;

// As another user; 100: could not become one.
int ErrorOfSecondUser(const std::string& path) {
  const pid_t child = fork();
  if (child == 0) {
    constexpr unsigned kNobody = 65534;
    if (setgid(kNobody) != 0 || setuid(kNobody) != 0) _exit(100);
    SqliteLockFile lock(path);
    std::error_code error;
    lock.acquire(0s, error);
    _exit(error == Errc::kAlreadyLocked ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

TEST_F(SqliteTest, WhoMayNotWriteIsRefusedWhileItIsHeld) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can try a second user";
  // A directory of its own, which the user can reach.
  std::string dir = "/tmp/sqlite_shared_XXXXXX";
  ASSERT_NE(mkdtemp(dir.data()), nullptr);
  chmod(dir.c_str(), 0777);
  SqliteLockFile holder(dir + "/x", {.mode = 0644});
  holder.acquire(0s);
  EXPECT_EQ(ErrorOfSecondUser(dir + "/x"), 0);
  holder.release();
  std::filesystem::remove_all(dir);
}

TEST_F(SqliteTest, ALockWhoseDatabaseIsNewAndEmptyWasLost) {
  SqliteLockFile holder(dir_ + "/x");
  holder.acquire(0s);
  std::filesystem::remove(holder.lock_path());
  std::ofstream{holder.lock_path()};
  std::error_code error;
  holder.release(error);
  EXPECT_EQ(error, Errc::kLockLost) << error.message();
}

// The directory that makes a lock's path so long.
std::string DirFor(const std::string& top, size_t length) {
  constexpr size_t kName = 1 + sizeof("x.lock.db") - 1;  // and the slash
  std::string dir = top;
  while (dir.size() + kName < length) {
    const size_t left = length - kName - dir.size() - 1;
    // No component of no bytes, and none of more than the system takes.
    const size_t part = left > 201 ? 200 : left;
    dir += "/" + std::string(part, 'd');
  }
  std::filesystem::create_directories(dir);
  return dir;
}

TEST_F(SqliteTest, PathsAreTakenUpToWhatTheRowDeclares) {
  const size_t longest = FindBackend("sqlite")->traits.longest_path;
  ASSERT_LT(dir_.size(), longest - 20);
  SqliteLockFile fits(DirFor(dir_, longest) + "/x");
  ASSERT_EQ(fits.lock_path().size(), longest);
  fits.acquire(0s);
  EXPECT_TRUE(fits.is_locked());
  fits.release();

  SqliteLockFile beyond(DirFor(dir_, longest + 1) + "/x");
  ASSERT_EQ(beyond.lock_path().size(), longest + 1);
  std::error_code error;
  beyond.acquire(1s, error);
  EXPECT_EQ(error, std::errc::filename_too_long) << error.message();
}

}  // namespace
}  // namespace lockfile
