// A directory of its own for each test, and a process that dies with the lock.
#ifndef LOCKLAB_LIB_TESTING_LOCK_TEST_H_
#define LOCKLAB_LIB_TESTING_LOCK_TEST_H_

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "lib/lock_file.h"

namespace lockfile {

class LockTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* base = std::getenv("TEST_TMPDIR");  // NOLINT: one thread
    dir_ = std::string(base != nullptr ? base : "/tmp") + "/lock_XXXXXX";
    ASSERT_NE(mkdtemp(dir_.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  [[nodiscard]] std::string Path() const { return dir_ + "/x"; }
  // A process takes the lock and ends without giving it back.
  void LeaveToTheDead(const Options& options) {
    const pid_t pid = fork();
    if (pid == 0) {
      std::error_code error;
      (new LockFile(Path(), options))->acquire(std::chrono::seconds(0), error);
      _exit(error ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_EQ(status, 0) << "it did not get the lock";
  }

  std::string dir_;
};

}  // namespace lockfile

#endif  // LOCKLAB_LIB_TESTING_LOCK_TEST_H_
