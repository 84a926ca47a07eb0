#include "conformance/digest/sha256.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "conformance/proc/temp_dir.h"

namespace locklab::digest {
namespace {

// The examples of FIPS 180-4.
constexpr char kOfNothing[] =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr char kOfAbc[] =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(Sha256Test, IsThatOfTheStandard) {
  EXPECT_EQ(Sha256Of(""), kOfNothing);
  EXPECT_EQ(Sha256Of("abc"), kOfAbc);
  Sha256 pieces;
  for (const char* piece : {"a", "", "bc"}) pieces.Add(piece);
  EXPECT_EQ(pieces.Finish(), kOfAbc);
}

TEST(Sha256Test, OfAFileIsThatOfItsBytes) {
  const proc::TempDir dir;
  const std::string text(200'001, 'x');
  std::ofstream(dir / "file") << text;
  EXPECT_EQ(DigestOfFile(dir / "file"),
            (FileDigest{.bytes = 200'001, .sha256 = Sha256Of(text)}));
}

TEST(Sha256Test, RefusesWhatIsNoFile) {
  const proc::TempDir dir;
  ASSERT_EQ(mkfifo((dir / "fifo").c_str(), 0600), 0);
  std::ofstream(dir / "file") << "x";
  std::filesystem::create_symlink("file", dir / "link");
  for (const std::string& path :
       {dir.path(), dir / "fifo", dir / "link", dir / "missing"}) {
    EXPECT_THROW((void)DigestOfFile(path), std::runtime_error) << path;
  }
}

}  // namespace
}  // namespace locklab::digest
