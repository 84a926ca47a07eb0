// Archives that no bundle is, made by the library that reads them.
#include "conformance/bundle/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "conformance/proc/temp_dir.h"

namespace locklab::bundle {
namespace {

namespace fs = std::filesystem;

struct Raw {
  std::string name;
  mode_t type = AE_IFREG;
  std::string text = "x";
  std::string link = {};  // its target
  int copies = 1;         // of the text
};

// Anything that a tar can hold.
void WriteRaw(const std::string& path, const std::vector<Raw>& entries,
              int (*filter)(archive*) = archive_write_add_filter_gzip,
              int (*format)(archive*) = archive_write_set_format_pax) {
  archive* out = archive_write_new();
  filter(out);
  format(out);
  ASSERT_EQ(archive_write_open_filename(out, path.c_str()), ARCHIVE_OK);
  for (const Raw& raw : entries) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, raw.name.c_str());
    archive_entry_set_filetype(entry, raw.type);
    archive_entry_set_perm(entry, 0644);
    const bool has_text = raw.type == AE_IFREG && raw.link.empty();
    archive_entry_set_size(
        entry,
        has_text ? static_cast<int64_t>(raw.text.size()) * raw.copies : 0);
    if (raw.type == AE_IFLNK)
      archive_entry_set_symlink(entry, raw.link.c_str());
    if (raw.type == AE_IFREG && !raw.link.empty()) {
      archive_entry_set_hardlink(entry, raw.link.c_str());
    }
    archive_write_header(out, entry);
    for (int i = 0; has_text && i < raw.copies; ++i) {
      archive_write_data(out, raw.text.data(), raw.text.size());
    }
    archive_entry_free(entry);
  }
  archive_write_close(out);
  archive_write_free(out);
}

class ArchiveTest : public testing::Test {
 protected:
  void SetUp() override { fs::create_directory(dir_ / "to"); }
  // What ReadArchive says of it; "": it took it.
  [[nodiscard]] std::string Complaint(const Limits& limits = {}) const {
    try {
      (void)ReadArchive(path_, dir_ / "to", limits);
    } catch (const BundleError& error) {
      return error.what();
    }
    return "";
  }

  proc::TempDir dir_;
  const std::string path_ = dir_ / "a.tar.gz";
};

TEST_F(ArchiveTest, GivesBackWhatWasPutIn) {
  const std::string big(300'000, 'b');
  std::ofstream(dir_ / "file") << big;
  WriteArchive(path_, {{.name = "a", .path = "", .text = "alpha"},
                       {.name = "b/c/d.hist", .path = dir_ / "file"},
                       {.name = "b/empty", .path = ""}});
  EXPECT_EQ(ReadArchive(path_, dir_ / "to"),
            (std::vector<std::string>{"a", "b/c/d.hist", "b/empty"}));
  EXPECT_EQ(fs::file_size(dir_ / "to/b/c/d.hist"), big.size());
  EXPECT_EQ(fs::file_size(dir_ / "to/b/empty"), 0u);
}

TEST_F(ArchiveTest, KnowsNamesThatStayInside) {
  for (const char* good : {"a", "a.b-c_d", "a/b/c", "A/0", "a:b/c"}) {
    EXPECT_TRUE(IsMemberName(good)) << good;
  }
  for (const char* bad :
       {"", ".", "..", "/a", "a/", "a//b", "../a", "a/../b", "a/.b", "a/b/c/d",
        "a b", "a\\b", "-a", "a\nb", "ä"}) {
    EXPECT_FALSE(IsMemberName(bad)) << bad;
  }
  EXPECT_FALSE(IsMemberName(std::string(101, 'a')));
}

struct Hostile {
  const char* what;
  std::vector<Raw> entries;
  const char* message;
};

TEST_F(ArchiveTest, RefusesWhatIsHostileAndWritesNothingOutside) {
  const std::string outside = dir_ / "outside";
  const Hostile cases[] = {
      {"a way out",
       {{.name = "../outside"}},
       "\"../outside\", which no bundle"},
      {"a way out later",
       {{.name = "a"}, {.name = "a/../../outside"}},
       "which no bundle has"},
      {"an absolute name", {{.name = outside}}, "which no bundle has"},
      {"a symbolic link",
       {{.name = "a", .type = AE_IFLNK, .text = "", .link = ".."},
        {.name = "a/outside"}},
       "its member a is no regular file"},
      {"a hard link",
       {{.name = "a", .link = "/etc/passwd"}},
       "its member a is no regular file"},
      {"a directory", {{.name = "a", .type = AE_IFDIR}}, "which no bundle has"},
      {"a fifo", {{.name = "a", .type = AE_IFIFO}}, "no regular file"},
      {"a device", {{.name = "a", .type = AE_IFCHR}}, "no regular file"},
      {"one twice", {{.name = "a"}, {.name = "a"}}, "a is there twice"},
      {"a file where a directory must be",
       {{.name = "a"}, {.name = "a/b"}},
       "cannot create"},
      {"nothing", {}, "is no bundle"},
  };
  for (const Hostile& hostile : cases) {
    WriteRaw(path_, hostile.entries);
    const std::string complaint = Complaint();
    EXPECT_NE(complaint.find(hostile.message), std::string::npos)
        << hostile.what << ": " << complaint;
    EXPECT_FALSE(fs::exists(outside)) << hostile.what;
    fs::remove_all(dir_ / "to");
    fs::create_directory(dir_ / "to");
  }
}

TEST_F(ArchiveTest, RefusesBombsBeforeTheyBurst) {
  const std::string zeros(1 << 20, '\0');
  WriteRaw(path_, {{.name = "a", .text = zeros, .copies = 64}});
  EXPECT_NE(Complaint().find("a unpacks to far more"), std::string::npos);
  EXPECT_LT(fs::file_size(dir_ / "to/a"), 48u << 20);
  fs::remove(dir_ / "to/a");
  EXPECT_NE(Complaint({.bytes = 1000}).find("a is too large"),
            std::string::npos);
  WriteRaw(path_, {{.name = "b"}, {.name = "c"}, {.name = "d"}});
  EXPECT_NE(Complaint({.members = 2}).find("d is one too many"),
            std::string::npos);
}

TEST_F(ArchiveTest, RefusesOtherFormats) {
  WriteRaw(path_, {{.name = "a"}}, archive_write_add_filter_bzip2);
  EXPECT_NE(Complaint().find("is no bundle"), std::string::npos);
  WriteRaw(path_, {{.name = "a"}}, archive_write_add_filter_none,
           archive_write_set_format_zip);
  EXPECT_NE(Complaint().find("is no bundle"), std::string::npos);
  std::ofstream(path_) << "hello\n";
  EXPECT_NE(Complaint().find("is no bundle"), std::string::npos);
}

TEST_F(ArchiveTest, SaysWhyAFileCannotBeRead) {
  EXPECT_NE(Complaint().find("ENOENT"), std::string::npos) << Complaint();
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_NE(Complaint().find("is no regular file"), std::string::npos);
}

TEST_F(ArchiveTest, SaysWhyAFileCannotBeWritten) {
  const std::vector<Member> members = {{.name = "a", .path = "", .text = "x"}};
  EXPECT_THROW(WriteArchive(dir_ / "no/a.tar.gz", members), BundleError);
  EXPECT_THROW(WriteArchive(dir_.path(), members), BundleError);
  EXPECT_THROW(WriteArchive(path_, {{.name = "../a", .path = ""}}),
               BundleError);
  EXPECT_THROW(WriteArchive(path_, {{.name = "a", .path = dir_ / "none"}}),
               BundleError);
  EXPECT_FALSE(fs::exists(path_));
}

}  // namespace
}  // namespace locklab::bundle
