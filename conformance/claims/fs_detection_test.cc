// Each fault of a filesystem is found by the claim that is about it: operating
// systems that lie, one lie each, and SQLite without locks.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "conformance/claims/claim.h"
#include "conformance/proc/temp_dir.h"
#include "lib/os/forwarding_os.h"

namespace locklab {
namespace {

using namespace std::chrono_literals;
using lockfile::os::Call;
using lockfile::os::FileInfo;
using lockfile::os::ForwardingOs;
using lockfile::os::KernelLock;
using lockfile::os::Os;
using lockfile::os::SysResult;
using lockfile::os::TimePoint;

class NoArena : public Arena {
 public:
  ContestResult Contend(const SubjectFactory&, const std::string&,
                        const Contest&) override {
    return {};
  }
};

Finding Examine(const std::string& id, Os& os) {
  const Claim* claim = FindClaim(id);
  if (claim == nullptr || !claim->primitive) {
    return Finding::Inconclusive("there is no primitive " + id);
  }
  const auto subject = BackendSubject("link");
  const proc::TempDir dir;
  NoArena arena;
  return RunClaim(*claim,
                  {.subject = *subject,
                   .arena = arena,
                   .dir = dir.path(),
                   .other_dir = dir.path() + "/.",
                   .os = os},
                  60s);
}

// `wanted` has to be in the reason.
void ExpectFound(const std::string& id, Os& os, const std::string& wanted) {
  const Finding finding = Examine(id, os);
  EXPECT_EQ(VerdictName(finding.verdict), "fail") << finding.reason;
  testing::Test::RecordProperty("reason", finding.reason);
  EXPECT_NE(finding.reason.find(wanted), std::string::npos) << finding.reason;
}

// Where others may come between the look and what follows.
bool Exists(const char* path) {
  struct stat info;
  const bool there = lstat(path, &info) == 0;
  std::this_thread::yield();
  return there;
}

// --- calls that are not exclusive ------------------------------------------

// Says that it made what another had made before.
class TakesExistsForSuccess : public ForwardingOs {
 protected:
  SysResult Around(const Call& call,
                   const std::function<SysResult()>& next) override {
    const SysResult result = next();
    const bool makes = call.name == "Link" || call.name == "MakeDir" ||
                       call.name == "Symlink" || call.name == "RenameNoReplace";
    return makes && result.error == EEXIST ? SysResult::Ok() : result;
  }
};

// Looks first and then replaces whatever has come since: seen only by those
// who come at one moment.
class LooksThenReplaces : public ForwardingOs {
 public:
  SysResult Link(const char* from, const char* to) override {
    if (Exists(to)) return SysResult::Fail(EEXIST);
    const std::string aside = std::string(from) + "-aside";
    ForwardingOs::Link(from, aside.c_str());
    return ForwardingOs::Rename(aside.c_str(), to);
  }
  SysResult Symlink(const char* text, const char* path) override {
    if (Exists(path)) return SysResult::Fail(EEXIST);
    const std::string aside = std::string(path) + "-aside" + text;
    ForwardingOs::Symlink(text, aside.c_str());
    return ForwardingOs::Rename(aside.c_str(), path);
  }
  SysResult MakeDir(const char* path, mode_t mode) override {
    if (Exists(path)) return SysResult::Fail(EEXIST);
    const SysResult made = ForwardingOs::MakeDir(path, mode);
    return made.error == EEXIST ? SysResult::Ok() : made;
  }
  SysResult RenameNoReplace(const char* from, const char* to) override {
    if (Exists(to)) return SysResult::Fail(EEXIST);
    return ForwardingOs::Rename(from, to);
  }
  SysResult Open(const char* path, int flags, mode_t mode) override {
    if ((flags & O_EXCL) == 0) return ForwardingOs::Open(path, flags, mode);
    if (Exists(path)) return SysResult::Fail(EEXIST);
    return ForwardingOs::Open(path, flags & ~O_EXCL, mode);
  }
};

class MakesNothing : public ForwardingOs {
 public:
  SysResult Link(const char*, const char*) override {
    return SysResult::Fail(EEXIST);
  }
};

class FailsNowAndThen : public ForwardingOs {
 public:
  SysResult MakeDir(const char* path, mode_t mode) override {
    if (++calls_ % 50 == 0) return SysResult::Fail(EIO);
    return ForwardingOs::MakeDir(path, mode);
  }

 private:
  int calls_ = 0;
};

class ShowsOldText : public ForwardingOs {
 public:
  SysResult ReadLink(const char* path, char* buffer, size_t size) override {
    const SysResult read = ForwardingOs::ReadLink(path, buffer, size);
    if (read.ok()) buffer[0] = '9';
    return read;
  }
};

// --- renames -----------------------------------------------------------------

// As gateways do that have no rename: both who come at one moment succeed.
class CopiesThenRemoves : public ForwardingOs {
 public:
  SysResult Rename(const char* from, const char* to) override {
    const SysResult copied = ForwardingOs::Link(from, to);
    if (!copied.ok()) return ForwardingOs::Rename(from, to);
    std::this_thread::yield();
    ForwardingOs::Unlink(from);
    return copied;
  }
};

class RemovesThenRenames : public ForwardingOs {
 public:
  SysResult Rename(const char* from, const char* to) override {
    ForwardingOs::Unlink(to);
    std::this_thread::yield();
    return ForwardingOs::Rename(from, to);
  }
};

// Says that a directory was put in the place of a full one.
class RenamesToFull : public ForwardingOs {
 public:
  SysResult Rename(const char* from, const char* to) override {
    const SysResult result = ForwardingOs::Rename(from, to);
    return result.error == ENOTEMPTY ? SysResult::Ok() : result;
  }
};

class WritesInPlace : public ForwardingOs {
 public:
  SysResult Rename(const char* from, const char* to) override {
    const int fd = open(to, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (fd >= 0) close(fd);
    std::this_thread::yield();
    return ForwardingOs::Rename(from, to);
  }
};

class ReplacesNothingThatIsRead : public ForwardingOs {
 public:
  SysResult Rename(const char* from, const char* to) override {
    return Exists(to) ? SysResult::Fail(EACCES)
                      : ForwardingOs::Rename(from, to);
  }
};

// --- what is told of files --------------------------------------------------

// Changes what Lstat and Fstat tell.
template <void (*kLie)(FileInfo* info)>
class Tells : public ForwardingOs {
 public:
  SysResult Lstat(const char* path, FileInfo* info) override {
    const SysResult result = ForwardingOs::Lstat(path, info);
    if (result.ok()) kLie(info);
    return result;
  }
  SysResult Fstat(int fd, FileInfo* info) override {
    const SysResult result = ForwardingOs::Fstat(fd, info);
    if (result.ok()) kLie(info);
    return result;
  }
};

void OneLink(FileInfo* info) { info->nlink = 1; }
void SomeInode(FileInfo* info) {
  static uint64_t next = 1000;
  info->ino = ++next;
}
// Of each name another one, and another's text in it.
class OthersFile : public Tells<SomeInode> {
 public:
  SysResult ReadStart(int fd, void* buffer, size_t size) override {
    const SysResult read = ForwardingOs::ReadStart(fd, buffer, size);
    if (read.ok()) static_cast<char*>(buffer)[0] = '9';
    return read;
  }
};
// As SMB without the server's numbers does.
class InodeOfName : public ForwardingOs {
 public:
  SysResult Lstat(const char* path, FileInfo* info) override {
    const SysResult result = ForwardingOs::Lstat(path, info);
    info->ino = std::hash<std::string>{}(path);
    return result;
  }
};
void OneInode(FileInfo* info) { info->ino = 4711; }
void InodeOfProcess(FileInfo* info) {
  info->ino += static_cast<uint64_t>(getpid());
}
void OldTime(FileInfo* info) { info->mtime_ns = 1'600'000'000'000'000'000; }
void TimeGoesBack(FileInfo* info) {
  info->mtime_ns = 2'000'000'000'000'000'000 - info->mtime_ns;
}
void AnHourAhead(FileInfo* info) { info->mtime_ns += 3'600'000'000'000; }

// Another process goes on seeing a name for 50 ms.
class RemembersNames : public ForwardingOs {
 public:
  SysResult Lstat(const char* path, FileInfo* info) override {
    const SysResult result = ForwardingOs::Lstat(path, info);
    const TimePoint now = std::chrono::steady_clock::now();
    if (result.ok()) {
      last_ = path;
      missing_since_ = TimePoint::max();
      info_ = *info;
    } else if (last_ == path) {
      missing_since_ = std::min(missing_since_, now);
      if (now - missing_since_ < 50ms) {
        *info = info_;
        return SysResult::Ok();
      }
    }
    return result;
  }

 private:
  std::string last_;
  TimePoint missing_since_ = TimePoint::max();
  FileInfo info_;
};

// Bends the last component of every path.
template <std::string (*kBend)(std::string name)>
class Names : public ForwardingOs {
 public:
  SysResult Open(const char* path, int flags, mode_t mode) override {
    return ForwardingOs::Open(Bend(path).c_str(), flags, mode);
  }
  SysResult Lstat(const char* path, FileInfo* info) override {
    return ForwardingOs::Lstat(Bend(path).c_str(), info);
  }
  SysResult Unlink(const char* path) override {
    return ForwardingOs::Unlink(Bend(path).c_str());
  }

 private:
  static std::string Bend(const std::string& path) {
    const size_t name = path.rfind('/') + 1;
    return path.substr(0, name) + kBend(path.substr(name));
  }
};

std::string InLowerCase(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}
std::string CutShort(std::string name) { return name.substr(0, 100); }

class HasShortNames : public ForwardingOs {
 public:
  SysResult Open(const char* path, int flags, mode_t mode) override {
    const std::string name(path);
    return name.size() - name.rfind('/') - 1 > 143
               ? SysResult::Fail(ENAMETOOLONG)
               : ForwardingOs::Open(path, flags, mode);
  }
};

class TellsNoEvents : public ForwardingOs {
 public:
  SysResult WaitEvent(int, int, TimePoint deadline) override {
    std::this_thread::sleep_until(deadline);
    return SysResult::Ok(0);
  }
};

class TellsOfNothing : public ForwardingOs {
 public:
  SysResult WaitEvent(int, int, TimePoint) override {
    return SysResult::Ok(kWatchEvent);
  }
};

// --- kernel locks ----------------------------------------------------------

class EverybodyLocks : public ForwardingOs {
 public:
  SysResult TryLock(int, KernelLock) override { return SysResult::Ok(); }
  SysResult Unlock(int, KernelLock) override { return SysResult::Ok(); }
};

// A server that does not hear of a client's death: a file beside the lock
// stands for it. Works for one file in one directory.
class LocksOutliveProcesses : public ForwardingOs {
 public:
  SysResult Open(const char* path, int flags, mode_t mode) override {
    mark_ = std::string(path) + "-held";
    return ForwardingOs::Open(path, flags, mode);
  }
  SysResult TryLock(int, KernelLock) override {
    const int fd = open(mark_.c_str(), O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return SysResult::Fail(EAGAIN);
    close(fd);
    return SysResult::Ok();
  }
  SysResult Unlock(int, KernelLock) override {
    unlink(mark_.c_str());
    return SysResult::Ok();
  }

 private:
  std::string mark_;
};

// Each mount has locks of its own: those of a file beside.
class LocksAreLocal : public ForwardingOs {
 public:
  SysResult Open(const char* path, int flags, mode_t mode) override {
    std::string own(path);
    if (own.find("/./") != std::string::npos) own += "-local";
    return ForwardingOs::Open(own.c_str(), flags, mode);
  }
};

// Between mounts a lock is lost when anybody closes the file.
class LocksGoWithAnyClose : public ForwardingOs {
 public:
  SysResult Open(const char* path, int flags, mode_t mode) override {
    const SysResult opened = ForwardingOs::Open(path, flags, mode);
    if (opened.ok()) paths_[static_cast<int>(opened.value)] = path;
    return opened;
  }
  SysResult Close(int fd) override {
    const std::string closed = paths_[fd] + "-closed";
    close(open(closed.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    return ForwardingOs::Close(fd);
  }
  SysResult TryLock(int fd, KernelLock kind) override {
    const bool other = paths_[fd].find("/./") != std::string::npos;
    return other && Exists((paths_[fd] + "-closed").c_str())
               ? SysResult::Ok()
               : ForwardingOs::TryLock(fd, kind);
  }

 private:
  std::map<int, std::string> paths_;
};

// fcntl() is refused while flock() is held, and not the other way round.
class ExcludesOneWay : public ForwardingOs {
 public:
  SysResult TryLock(int fd, KernelLock kind) override {
    if (kind == KernelLock::kPosix) {
      if (!ForwardingOs::TryLock(fd, KernelLock::kFlock).ok()) {
        return SysResult::Fail(EAGAIN);
      }
      ForwardingOs::Unlock(fd, KernelLock::kFlock);
    }
    return ForwardingOs::TryLock(fd, kind);
  }
};

struct LieRow {
  const char* lie;
  Os& (*make)();
  std::vector<const char*> found_by;
  const char* reason;
};

template <typename Liar>
Os& The() {
  static Liar os;
  return os;
}

const std::vector<LieRow> kLies = {
    {"TakesExistsForSuccess",
     The<TakesExistsForSuccess>,
     {"fs.link_is_atomic", "fs.mkdir_is_atomic", "fs.symlink_is_atomic",
      "fs.rename_noreplace"},
     "more than one succeeded, 4 at most"},
    {"LooksThenReplaces",
     The<LooksThenReplaces>,
     {"fs.link_is_atomic", "fs.mkdir_is_atomic", "fs.symlink_is_atomic",
      "fs.excl_is_atomic", "fs.rename_noreplace"},
     "more than one succeeded"},
    {"MakesNothing",
     The<MakesNothing>,
     {"fs.link_is_atomic"},
     "nobody succeeded and nothing is there"},
    {"FailsNowAndThen", The<FailsNowAndThen>, {"fs.mkdir_is_atomic"}, "EIO"},
    {"ShowsOldText",
     The<ShowsOldText>,
     {"fs.symlink_is_atomic"},
     "not for all to see"},
    {"CopiesThenRemoves",
     The<CopiesThenRemoves>,
     {"fs.rename_is_atomic"},
     "more than one succeeded"},
    {"RenamesToFull",
     The<RenamesToFull>,
     {"fs.rename_is_atomic"},
     "rename(2) of directories to one name"},
    {"RemovesThenRenames",
     The<RemovesThenRenames>,
     {"fs.rename_replaces_at_once"},
     "found no file"},
    {"WritesInPlace",
     The<WritesInPlace>,
     {"fs.rename_replaces_at_once"},
     "found neither the old text nor the new"},
    {"ReplacesNothingThatIsRead",
     The<ReplacesNothingThatIsRead>,
     {"fs.rename_replaces_at_once"},
     "cannot be replaced: rename(2): EACCES"},
    {"OneLink",
     The<Tells<OneLink>>,
     {"fs.link_count_is_fresh"},
     "a link count of 1 instead of 2"},
    {"SomeInode",
     The<Tells<SomeInode>>,
     {"fs.inode_is_stable", "fs.link_keeps_inode"},
     ""},
    {"OthersFile",
     The<OthersFile>,
     {"fs.link_is_atomic"},
     "not for all to see"},
    {"InodeOfName",
     The<InodeOfName>,
     {"fs.link_keeps_inode"},
     "for each of its two names"},
    {"OneInode",
     The<Tells<OneInode>>,
     {"fs.inode_is_stable"},
     "two files have the inode number 4711"},
    {"InodeOfProcess",
     The<Tells<InodeOfProcess>>,
     {"fs.inode_is_stable"},
     "in another process"},
    {"RemembersNames",
     The<RemembersNames>,
     {"fs.unlink_is_seen", "fs.unlink_is_seen_across_mounts"},
     "still sees"},
    {"OldTime",
     The<Tells<OldTime>>,
     {"fs.mtime_granularity", "fs.server_clock_skew"},
     ""},
    {"TimeGoesBack",
     The<Tells<TimeGoesBack>>,
     {"fs.mtime_granularity"},
     "goes back"},
    {"AnHourAhead",
     The<Tells<AnHourAhead>>,
     {"fs.server_clock_skew"},
     "ahead of"},
    {"InLowerCase",
     The<Names<InLowerCase>>,
     {"fs.case_sensitive"},
     "Job and job are one file"},
    {"CutShort", The<Names<CutShort>>, {"fs.name_max"}, "not listed"},
    {"HasShortNames",
     The<HasShortNames>,
     {"fs.name_max"},
     "names of more than 143 bytes"},
    {"TellsNoEvents", The<TellsNoEvents>, {"fs.inotify_works"}, "no event"},
    {"TellsOfNothing",
     The<TellsOfNothing>,
     {"fs.inotify_works"},
     "nobody did anything"},
    {"EverybodyLocks",
     The<EverybodyLocks>,
     {"fs.flock_released_on_kill", "fs.fcntl_released_on_kill",
      "fs.ofd_released_on_kill", "fs.flock_excludes_fcntl"},
     "two processes hold one lock"},
    {"LocksOutliveProcesses",
     The<LocksOutliveProcesses>,
     {"fs.flock_released_on_kill", "fs.fcntl_released_on_kill",
      "fs.ofd_released_on_kill"},
     "still held"},
    {"LocksAreLocal",
     The<LocksAreLocal>,
     {"fs.flock_is_shared_between_mounts", "fs.fcntl_is_shared_between_mounts",
      "fs.ofd_is_shared_between_mounts"},
     "local to each"},
    {"LocksGoWithAnyClose",
     The<LocksGoWithAnyClose>,
     {"fs.flock_is_shared_between_mounts", "fs.fcntl_is_shared_between_mounts",
      "fs.ofd_is_shared_between_mounts"},
     "once somebody has opened the file"},
    {"ExcludesOneWay",
     The<ExcludesOneWay>,
     {"fs.flock_excludes_fcntl"},
     "not the other way round"},
};

struct Case {
  const LieRow* row;
  const char* claim;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.row->lie << " / " << c.claim;
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const LieRow& row : kLies) {
    for (const char* claim : row.found_by) cases.push_back({&row, claim});
  }
  return cases;
}

std::string NameOf(const testing::TestParamInfo<Case>& info) {
  std::string name = std::string(info.param.row->lie) + "_";
  for (const char c : std::string(info.param.claim)) {
    name += c == '.' ? '_' : c;
  }
  return name;
}

class Lie : public testing::TestWithParam<Case> {};

TEST_P(Lie, IsFound) {
  const Case& c = GetParam();
  ExpectFound(c.claim, c.row->make(), c.row->reason);
}

INSTANTIATE_TEST_SUITE_P(Lies, Lie, testing::ValuesIn(Cases()), NameOf);

TEST(Race, LinkIsKnownByWhatIsInIt) {
  const Finding finding = Examine("fs.link_is_atomic", The<InodeOfName>());
  EXPECT_EQ(VerdictName(finding.verdict), "pass") << finding.reason;
}

// --- not enough to tell ----------------------------------------------------

class IsVerySlow : public ForwardingOs {
 public:
  SysResult MakeDir(const char* path, mode_t mode) override {
    std::this_thread::sleep_for(160ms);
    return ForwardingOs::MakeDir(path, mode);
  }
};

TEST(Race, TooFewRoundsAreInconclusive) {
  const Finding finding = Examine("fs.mkdir_is_atomic", The<IsVerySlow>());
  EXPECT_EQ(VerdictName(finding.verdict), "inconclusive");
  EXPECT_NE(finding.reason.find("100 are the least"), std::string::npos)
      << finding.reason;
}

// --- SQLite ----------------------------------------------------------------

// SQLite comes with a way to the files that takes no locks at all.
TEST(SqliteLie, LostLocksAreFound) {
  ASSERT_EQ(sqlite3_initialize(), SQLITE_OK);
  sqlite3_vfs* lockless = sqlite3_vfs_find("unix-none");
  ASSERT_NE(lockless, nullptr);
  sqlite3_vfs* sound = sqlite3_vfs_find(nullptr);
  sqlite3_vfs_register(lockless, /*makeDflt=*/1);
  ExpectFound("fs.sqlite_locking_works", Os::Real(), "");
  sqlite3_vfs_register(sound, /*makeDflt=*/1);
}

// A VFS whose locks on shared memory are all granted.
sqlite3_io_methods g_methods;
sqlite3_vfs g_vfs;

int GrantShmLock(sqlite3_file*, int, int, int) { return SQLITE_OK; }

int OpenWithLooseMemory(sqlite3_vfs* vfs, const char* name, sqlite3_file* file,
                        int flags, int* out) {
  auto* sound = static_cast<sqlite3_vfs*>(vfs->pAppData);
  const int code = sound->xOpen(sound, name, file, flags, out);
  if (code != SQLITE_OK || (flags & SQLITE_OPEN_MAIN_DB) == 0) return code;
  g_methods = *file->pMethods;
  g_methods.xShmLock = GrantShmLock;
  file->pMethods = &g_methods;
  return code;
}

TEST(SqliteLie, SharedMemoryWithoutLocksIsFound) {
  ASSERT_EQ(sqlite3_initialize(), SQLITE_OK);
  sqlite3_vfs* sound = sqlite3_vfs_find(nullptr);
  g_vfs = *sound;
  g_vfs.zName = "loose";
  g_vfs.pAppData = sound;
  g_vfs.xOpen = OpenWithLooseMemory;
  sqlite3_vfs_register(&g_vfs, /*makeDflt=*/1);
  ExpectFound("fs.sqlite_wal_works", Os::Real(), "");
  sqlite3_vfs_register(sound, /*makeDflt=*/1);
}

}  // namespace
}  // namespace locklab
