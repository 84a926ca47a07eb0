// A user's program: the README's example, by the public include path.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <mutex>
#include <string>

#include "lockfile/lock_file.h"

namespace {

using namespace std::chrono_literals;

TEST(Example, OfTheReadmeWorks) {
  const std::string dir =
      testing::TempDir() + "/api_test." + std::to_string(getpid());
  std::filesystem::create_directories(dir);
  lockfile::LockFile lock(dir + "/queue");
  {
    const std::scoped_lock guard(lock);
    EXPECT_TRUE(std::filesystem::exists(dir + "/queue.lock"));
  }
  lockfile::MkdirLockFile other(dir + "/queue2");
  other.acquire(5s);
  other.release();
  EXPECT_EQ(lockfile::with_lock(dir + "/queue", [] { return 42; }), 42);
  EXPECT_TRUE(std::filesystem::is_empty(dir));
  std::filesystem::remove_all(dir);
}

}  // namespace
