#include "conformance/report/write_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace locklab::report {
namespace {

namespace fs = std::filesystem;

class WriteFileTest : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(dir_); }
  void TearDown() override { fs::remove_all(dir_); }
  [[nodiscard]] std::string Read(const std::string& name) const {
    std::ifstream in(dir_ + name);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }

  const std::string dir_ = testing::TempDir() + "/write_file/";
};

TEST_F(WriteFileTest, ReplacesTheWholeFileAndLeavesNothingBeside) {
  EXPECT_EQ(WriteFile(dir_ + "a", "a long text"), "");
  EXPECT_EQ(WriteFile(dir_ + "a", "short"), "");
  EXPECT_EQ(Read("a"), "short");
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_), {}), 1);
}

TEST_F(WriteFileTest, LeavesWhatWasThereIfItFails) {
  fs::create_directory(dir_ + "d");
  const std::string error = WriteFile(dir_ + "missing/a", "text");
  EXPECT_NE(error.find("ENOENT"), std::string::npos) << error;
  EXPECT_NE(WriteFile("/dev/full", "text").find("ENOSPC"), std::string::npos);
  EXPECT_NE(WriteFile(dir_ + "d", "text"), "");
  EXPECT_TRUE(fs::is_directory(dir_ + "d"));
}

TEST_F(WriteFileTest, NeverReplacesADevice) {
  EXPECT_EQ(WriteFile("/dev/null", "text"), "");
  struct stat status {};
  ASSERT_EQ(stat("/dev/null", &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode));
}

}  // namespace
}  // namespace locklab::report
