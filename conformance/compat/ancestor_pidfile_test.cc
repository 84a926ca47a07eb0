// The tests of the ancestor's pid lock file (test_pidlockfile.py), active and
// commented-out, as claims about what happens on a real directory. The
// ancestor's tests replace open() and getpid(); here real files are written.
// What tests internal helpers there (pidfile_exists, read_pid_from_pidfile,
// write_pid_to_pidfile, remove_existing_pidfile) is tested by its effect.

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>

#include "conformance/compat/lock_fixture.h"
#include "conformance/seam/intercepting_os.h"
#include "gtest/gtest.h"
#include "lib/lock_file.h"

namespace locklab::compat {
namespace {

using lockfile::PidLockFile;
using namespace std::chrono_literals;  // NOLINT

class AncestorPidFile : public LockTest {
 protected:
  [[nodiscard]] std::string backend() const override { return "pid"; }
  [[nodiscard]] bool FileExists() const {
    return access(path().c_str(), F_OK) == 0;
  }
};

// test_instantiate, test_has_specified_path
TEST_F(AncestorPidFile, LockLivesAtThePathItself) {
  PidLockFile lock(path());
  EXPECT_EQ(lock.path(), path());
  EXPECT_EQ(lock.lock_path(), path());
}

// is_locked, pidfile_exists: the file is the lock.
TEST_F(AncestorPidFile, IsLockedWhileTheFileExists) {
  PidLockFile lock(path());
  EXPECT_FALSE(lock.is_locked());
  WriteFile(path(), "8642\n");
  EXPECT_TRUE(lock.is_locked());
}

// test_writes_pid_to_specified_file, test_writes_pid_to_file: a reader takes
// the first line for the pid and needs no more.
TEST_F(AncestorPidFile, FirstLineIsThePid) {
  PidLockFile lock(path());
  lock.acquire();
  const std::string text = ReadFile(path());
  EXPECT_EQ(text.substr(0, text.find('\n') + 1),
            std::to_string(getpid()) + "\n");
}

// test_opens_specified_filename: created exclusively, so never through a
// symbolic link that somebody planted.
TEST_F(AncestorPidFile, PlantedSymlinkIsNotFollowed) {
  const std::string victim = dir() + "/victim";
  ASSERT_EQ(symlink(victim.c_str(), path().c_str()), 0);
  PidLockFile lock(path());
  EXPECT_ANY_THROW(lock.acquire(20ms));
  EXPECT_NE(access(victim.c_str(), F_OK), 0) << "created through the link";
}

// test_raises_already_locked_if_file_exists (commented out there): in the
// documented form, with a timeout that does not wait.
TEST_F(AncestorPidFile, ExistingFileIsAlreadyLocked) {
  WriteFile(path(), std::to_string(getppid()) + "\n");
  PidLockFile lock(path());
  EXPECT_THROW(lock.acquire(0s), lockfile::AlreadyLocked);
  EXPECT_THROW(lock.acquire(20ms), lockfile::LockTimeout);
}

// i_am_locking: no file, a bogus pid, another pid; and, a deviation, this
// process's own pid in a file that this object did not write.
TEST_F(AncestorPidFile, FilesOfOthersAreNeverMine) {
  PidLockFile lock(path());
  EXPECT_FALSE(lock.i_am_locking());
  for (const std::string& text :
       {std::string("bogus\n"), std::string("0\n"), std::string("8642\n"),
        std::to_string(getpid()) + "\n"}) {
    WriteFile(path(), text);
    EXPECT_FALSE(lock.i_am_locking()) << text;
    EXPECT_TRUE(lock.is_locked()) << text;
  }
}

// test_returns_true_if_pid_file_contains_current_pid
TEST_F(AncestorPidFile, OwnFileIsMine) {
  PidLockFile lock(path());
  lock.acquire();
  EXPECT_TRUE(lock.i_am_locking());
}

// test_raises_not_locked_if_no_pid_file
TEST_F(AncestorPidFile, ReleaseWithoutFileIsNotLocked) {
  EXPECT_THROW(PidLockFile(path()).release(), lockfile::NotLocked);
}

// test_raises_not_my_lock_if_pid_file_not_locked_by_this_lock
TEST_F(AncestorPidFile, ReleaseOfAnothersFileIsNotMyLock) {
  WriteFile(path(), "8642\n");
  PidLockFile lock(path());
  EXPECT_THROW(lock.release(), lockfile::NotMyLock);
  EXPECT_EQ(ReadFile(path()), "8642\n");
}

// release: test_removes_existing_pidfile
TEST_F(AncestorPidFile, ReleaseRemovesTheFile) {
  PidLockFile lock(path());
  lock.acquire();
  EXPECT_TRUE(FileExists());
  lock.release();
  EXPECT_FALSE(FileExists());
}

// break_lock: test_returns_none_if_no_pid_file, test_ignores_file_not_exist
TEST_F(AncestorPidFile, BreakWithoutFileDoesNothing) {
  EXPECT_FALSE(PidLockFile(path()).break_lock());
}

// break_lock: test_removes_existing_pidfile
TEST_F(AncestorPidFile, BreakRemovesAnothersFile) {
  WriteFile(path(), "8642\n");
  EXPECT_TRUE(PidLockFile(path()).break_lock());
  EXPECT_FALSE(FileExists());
}

// read_pid_from_pidfile, valid and invalid inputs: whatever it says, a file
// that somebody wrote is a lock that somebody holds, and never proof of death.
TEST_F(AncestorPidFile, ForeignContentsAreHeldByAnUnknown) {
  const std::string pid = std::to_string(getppid());
  for (const std::string& text :
       {pid + "\n", "00" + pid + "\n", pid, "  00" + pid + "  \n", pid + "\t",
        pid + "\n\n", pid + "\nFOO\n", std::string("B0GUS\n"),
        std::string("0x42\n"), std::string("  1e17  \n"),
        std::string("\0\xff\n", 3), std::string(1 << 20, '7')}) {
    WriteFile(path(), text);
    PidLockFile lock(path());
    EXPECT_TRUE(lock.is_locked()) << text.substr(0, 40);
    EXPECT_NE(lock.holder_liveness().life, lockfile::Life::kDead)
        << text.substr(0, 40);
    EXPECT_THROW(lock.acquire(0s), lockfile::AlreadyLocked)
        << text.substr(0, 40);
    EXPECT_EQ(ReadFile(path()), text);
  }
}

bool Makes(const seam::Call& call) {
  return call.name == "Open" || call.name == "Link";
}
bool Removes(const seam::Call& call) {
  return call.name == "Unlink" || call.name.starts_with("Rename");
}

// An operating system that cannot make, or cannot remove, any file.
struct Disk {
  int making = 0;  // the errno of every attempt; 0: it works
  int removing = 0;
  seam::InterceptingOs os{[this](const seam::Call& call) {
    if (Makes(call)) return seam::Fault{.before = making};
    if (Removes(call)) return seam::Fault{.before = removing};
    return seam::Fault{};
  }};

  [[nodiscard]] lockfile::Options options() {
    lockfile::Options options;
    options.os = &os;
    return options;
  }
};

// test_raises_lock_failed_on_write_error
TEST_F(AncestorPidFile, ErrorOnCreationIsLockFailedWithItsErrno) {
  Disk disk;
  disk.making = EBUSY;
  PidLockFile lock(path(), disk.options());
  try {
    lock.acquire(kPatience);
    FAIL() << "acquired, though no file could be made";
  } catch (const lockfile::LockFailed& error) {
    EXPECT_EQ(error.sys_errno(), EBUSY) << error.what();
  }
}

// test_propagates_arbitrary_oserror
TEST_F(AncestorPidFile, ErrorOnRemovalIsReportedByBreak) {
  WriteFile(path(), "8642\n");
  Disk disk;
  disk.removing = EACCES;
  PidLockFile lock(path(), disk.options());
  try {
    lock.break_lock();
    FAIL() << "broken, though no file could be removed";
  } catch (const lockfile::Error& error) {
    EXPECT_EQ(error.sys_errno(), EACCES) << error.what();
  }
  EXPECT_TRUE(FileExists());
}

TEST_F(AncestorPidFile, ErrorOnRemovalIsReportedByReleaseWhichMayBeRepeated) {
  Disk disk;
  PidLockFile lock(path(), disk.options());
  lock.acquire();
  disk.removing = EACCES;
  try {
    lock.release();
    FAIL() << "released, though no file could be removed";
  } catch (const lockfile::UnlockError& error) {
    EXPECT_EQ(error.sys_errno(), EACCES) << error.what();
  }
  disk.removing = 0;
  EXPECT_NO_THROW(lock.release());
  EXPECT_FALSE(FileExists());
}

}  // namespace
}  // namespace locklab::compat
