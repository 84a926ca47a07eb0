#include "conformance/proc/temp_dir.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "conformance/proc/child.h"
#include "conformance/proc/latch.h"

namespace locklab::proc {
namespace {

using std::chrono_literals::operator""s;
namespace fs = std::filesystem;

TEST(TempDir, IsEmptyPrivateAndRemovedWithItsContents) {
  std::string path;
  {
    const TempDir dir;
    path = dir.path();
    EXPECT_TRUE(fs::is_empty(path));
    struct stat info {};
    ASSERT_EQ(stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700u);
    fs::create_directories(dir / "a/b");
    std::ofstream(dir / "a/b/c") << "text";
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(TempDir, IsRemovedEvenIfWriteProtected) {
  const TempDir parent;
  {
    const TempDir dir(parent.path());
    fs::create_directories(dir / "a/b");
    fs::permissions(dir / "a/b", fs::perms::none);
    fs::permissions(dir / "a", fs::perms::owner_read);
  }
  EXPECT_TRUE(fs::is_empty(parent.path()));
}

TEST(TempDir, DoesNotFollowLinksOutOfItself) {
  const TempDir outside;
  std::ofstream(outside / "precious") << "text";
  {
    const TempDir dir;
    fs::create_directory_symlink(outside.path(), dir / "link");
  }
  EXPECT_TRUE(fs::exists(outside / "precious"));
}

TEST(TempDir, IsNotRemovedByAFork) {
  const TempDir parent;
  auto dir = std::make_unique<TempDir>(parent.path());
  Child child = Child::Spawn([&] {
    dir.reset();
    return 0;
  });
  EXPECT_TRUE(child.Wait(In(10s))->ok());
  EXPECT_TRUE(fs::exists(dir->path()));
}

TEST(TempDir, SaysWhereItCouldNotBeMade) {
  try {
    const TempDir dir("/nonexistent/parent");
    FAIL() << "made " << dir.path();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
    EXPECT_NE(std::string(error.what()).find("/nonexistent/parent"),
              std::string::npos);
  }
}

TEST(SweepDead, RemovesWhatASigkilledProcessLeft) {
  const TempDir parent;
  Latch made;
  Child child = Child::Spawn([&]() -> int {
    const TempDir dir(parent.path());
    std::ofstream(dir / "file") << "text";
    made.Open();
    for (;;) pause();
  });
  ASSERT_EQ(made.Wait(In(10s)), Latch::kOpen);
  EXPECT_EQ(SweepDead(parent.path()), 0) << "its maker lives";
  child.Stop();
  EXPECT_EQ(SweepDead(parent.path()), 1);
  EXPECT_TRUE(fs::is_empty(parent.path()));
}

TEST(SweepDead, LeavesAloneWhatItCannotJudge) {
  const TempDir parent;
  const TempDir mine(parent.path());
  const std::string name = fs::path(mine.path()).filename().string();
  // The same maker on another host: its pid says nothing here.
  std::string foreign = name;
  const size_t host = foreign.find('-', foreign.find('-', 8) + 1) + 1;
  foreign.replace(host, 8, foreign[host] == '0' ? "11111111" : "00000000");
  foreign.replace(8, foreign.find('-', 8) - 8, "999999999");
  for (const std::string& other :
       {std::string("precious"), std::string("locklab-"),
        std::string("locklab-1-2-3"), foreign}) {
    fs::create_directory(parent / other);
  }
  EXPECT_EQ(SweepDead(parent.path()), 0);
  EXPECT_EQ(std::distance(fs::directory_iterator(parent.path()),
                          fs::directory_iterator()),
            5);
}

TEST(SweepDead, OfAMissingDirectoryDoesNothing) {
  EXPECT_EQ(SweepDead("/nonexistent/parent"), 0);
}

TEST(RemoveTree, ReportsWhatItCouldNotRemove) {
  EXPECT_TRUE(RemoveTree("/nonexistent/parent/child"));
  EXPECT_FALSE(RemoveTree("/proc/self/fd"));
}

}  // namespace
}  // namespace locklab::proc
