#include "conformance/proc/filesystem.h"

#include <gtest/gtest.h>

namespace locklab::proc {
namespace {

constexpr char kMounts[] =
    "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard\n"
    "30 22 0:5 / /mnt/a rw - tmpfs none rw,size=1k\n"
    "31 22 0:6 / /mnt/a\\040b ro,nosuid master:1 shared:2 - nfs4 srv:/x ro\n"
    "32 22 0:7 / /mnt/a rw,noexec - overlay overlay rw\n"
    "garbage\n"
    "33 22 0:8 / /short rw - tmpfs\n"
    "34 22 0:9 / /bare rw - proc proc";

struct Case {
  const char* path;
  Filesystem want;
};

TEST(FindMount, FindsTheInnermostMountThatIsNotHidden) {
  const Filesystem root{"ext4", "/dev/vda", "rw,relatime,rw,discard", "/"};
  const Case cases[] = {
      {"/", root},
      {"/home", root},
      {"/mnt/abc", root},
      {"/short/x", root},
      {"/mnt/a", {"overlay", "overlay", "rw,noexec,rw", "/mnt/a"}},
      {"/mnt/a/deep/er", {"overlay", "overlay", "rw,noexec,rw", "/mnt/a"}},
      {"/mnt/a b/c", {"nfs4", "srv:/x", "ro,nosuid,ro", "/mnt/a b"}},
      {"/bare", {"proc", "proc", "rw", "/bare"}},
      {"relative", {}},
  };
  for (const Case& test : cases) {
    EXPECT_EQ(FindMount(kMounts, test.path), test.want) << test.path;
  }
}

TEST(FindMount, OfNothingIsNothing) {
  EXPECT_EQ(FindMount("", "/"), Filesystem{});
}

TEST(MayBeShared, IsWhatOneMachineDoesNotOwn) {
  for (const char* type : {"tmpfs", "ext4", "xfs", "btrfs", "overlay"}) {
    EXPECT_FALSE(MayBeShared(type)) << type;
  }
  for (const char* type : {"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs",
                           "fuse", "hostfs", ""}) {
    EXPECT_TRUE(MayBeShared(type)) << type;
  }
}

TEST(FilesystemOf, KnowsProc) { EXPECT_EQ(FilesystemOf("/proc").type, "proc"); }

TEST(FilesystemOf, AMissingPathIsUnknown) {
  EXPECT_EQ(FilesystemOf("/nonexistent/path"), Filesystem{});
}

}  // namespace
}  // namespace locklab::proc
