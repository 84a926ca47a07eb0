// What the filesystem makes exclusively: of many who try, one succeeds.
#include <fcntl.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string>

#include "conformance/claims/families.h"
#include "conformance/claims/fs_race.h"

namespace locklab::claims {
namespace {

constexpr char kEntry[] = "/entry";

int LookAtInode(Os& os, const std::string& path, uint64_t* mark) {
  FileInfo info;
  const int error = os.Lstat(path.c_str(), &info).error;
  *mark = info.ino;
  return error;
}

SysResult Unlink(Os& os, const std::string& path) {
  return os.Unlink(path.c_str());
}

SysResult RemoveDir(Os& os, const std::string& path) {
  return os.RemoveDir(path.c_str());
}

// What the racer tries to put in place: a new name for each.
std::string Own(const Racer& racer) {
  return racer.own + "-" + std::to_string(racer.used);
}

void MakeOwnFile(Racer* racer) {
  if (racer->ready) return;
  MakeFile(racer->os, Own(*racer), std::to_string(racer->number) + "\n");
  racer->mark = Look(racer->os, Own(*racer)).ino;
  racer->ready = true;
}

int TryLink(Racer* racer, const std::string& path) {
  MakeOwnFile(racer);
  return racer->os.Link(Own(*racer).c_str(), path.c_str()).error;
}

// A rename uses up what it renames.
int TryRename(Racer* racer, const std::string& path) {
  const int error =
      racer->os.RenameNoReplace(Own(*racer).c_str(), path.c_str()).error;
  if (error == 0) {
    racer->ready = false;
    ++racer->used;
  }
  return error;
}

int TryRenameFile(Racer* racer, const std::string& path) {
  MakeOwnFile(racer);
  return TryRename(racer, path);
}

// Empty ones: of those with something in them rename(2) replaces none, either.
int TryRenameDir(Racer* racer, const std::string& path) {
  if (!racer->ready) {
    Need(racer->os.MakeDir(Own(*racer).c_str(), 0777), "mkdir(2)");
    racer->mark = Look(racer->os, Own(*racer)).ino;
    racer->ready = true;
  }
  return TryRename(racer, path);
}

// Directories with something in them: those no rename(2) replaces.
int TryRenameFull(Racer* racer, const std::string& path) {
  if (!racer->ready) {
    Need(racer->os.MakeDir(Own(*racer).c_str(), 0777), "mkdir(2)");
    MakeFile(racer->os, Own(*racer) + kEntry);
    racer->mark = Look(racer->os, Own(*racer)).ino;
    racer->ready = true;
  }
  const int error = racer->os.Rename(Own(*racer).c_str(), path.c_str()).error;
  if (error == 0) {
    racer->ready = false;
    ++racer->used;
  }
  return error == ENOTEMPTY ? EEXIST : error;
}

SysResult RemoveFull(Os& os, const std::string& path) {
  os.Unlink((path + kEntry).c_str());
  return os.RemoveDir(path.c_str());
}

// One file, which each renames to a name of its own: it is taken away once.
std::string TakenBy(const std::string& path, uint64_t number) {
  return path + "-by-" + std::to_string(number);
}

void MakeForTaking(Os& os, const std::string& path) { MakeFile(os, path); }

int TryTake(Racer* racer, const std::string& path) {
  racer->mark = static_cast<uint64_t>(racer->number);
  const std::string mine = TakenBy(path, racer->mark);
  const int error = racer->os.Rename(path.c_str(), mine.c_str()).error;
  return error == ENOENT ? EEXIST : error;
}

int LookWhoTook(Os& os, const std::string& path, uint64_t* mark) {
  FileInfo info;
  int error = ENOENT;
  for (uint64_t number = 1; number <= kRacers; ++number) {
    if (!os.Lstat(TakenBy(path, number).c_str(), &info).ok()) continue;
    error = 0;
    *mark = number;
  }
  return error;
}

SysResult RemoveTaken(Os& os, const std::string& path) {
  for (uint64_t number = 1; number <= kRacers; ++number) {
    os.Unlink(TakenBy(path, number).c_str());
  }
  return os.Unlink(path.c_str());
}

int TryMakeDir(Racer* racer, const std::string& path) {
  const int error = racer->os.MakeDir(path.c_str(), 0777).error;
  return error != 0 ? error : LookAtInode(racer->os, path, &racer->mark);
}

uint64_t NumberIn(std::string_view text) {
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

int TrySymbolic(Racer* racer, const std::string& path) {
  racer->mark = static_cast<uint64_t>(racer->number);
  const std::string text = std::to_string(racer->number);
  return racer->os.Symlink(text.c_str(), path.c_str()).error;
}

int LookAtText(Os& os, const std::string& path, uint64_t* mark) {
  std::array<char, 64> text;
  const SysResult read = os.ReadLink(path.c_str(), text.data(), text.size());
  if (read.ok()) {
    *mark = NumberIn({text.data(), static_cast<size_t>(read.value)});
  }
  return read.error;
}

int TryCreate(Racer* racer, const std::string& path) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  const SysResult opened = racer->os.Open(path.c_str(), kFlags, 0666);
  if (!opened.ok()) return opened.error;
  const int fd = static_cast<int>(opened.value);
  racer->mark = static_cast<uint64_t>(racer->number);
  const std::string text = std::to_string(racer->number) + "\n";
  const int error = racer->os.WriteStart(fd, text.data(), text.size()).error;
  const int closed = racer->os.Close(fd).error;
  return error != 0 ? error : closed;
}

int LookAtContents(Os& os, const std::string& path, uint64_t* mark) {
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW;
  const SysResult opened = os.Open(path.c_str(), kFlags, 0);
  if (!opened.ok()) return opened.error;
  const int fd = static_cast<int>(opened.value);
  std::array<char, 64> text;
  const SysResult read = os.ReadStart(fd, text.data(), text.size());
  os.Close(fd);
  if (read.ok()) {
    *mark = NumberIn({text.data(), static_cast<size_t>(read.value)});
  }
  return read.error;
}

// Not all clients of network filesystems have one number for all the names of a
// file (fs.link_keeps_inode); what is in it tells there.
constexpr RaceCall kLink{"link(2)", TryLink, LookAtInode,
                         Unlink,    nullptr, LookAtContents};
constexpr RaceCall kMakeDir{"mkdir(2)", TryMakeDir, LookAtInode, RemoveDir};
constexpr RaceCall kSymlink{"symlink(2)", TrySymbolic, LookAtText, Unlink};
constexpr RaceCall kCreate{"open(2) with O_EXCL", TryCreate, LookAtContents,
                           Unlink};
constexpr RaceCall kRenameFile{"renameat2(2) of files", TryRenameFile,
                               LookAtInode, Unlink};
constexpr RaceCall kRenameDir{"renameat2(2) of directories", TryRenameDir,
                              LookAtInode, RemoveDir};
constexpr RaceCall kRenameFull{"rename(2) of directories to one name",
                               TryRenameFull, LookAtInode, RemoveFull};
constexpr RaceCall kTake{"rename(2) of one file", TryTake, LookWhoTook,
                         RemoveTaken, MakeForTaking};

template <const RaceCall& kCall>
Finding RaceFor(const ClaimContext& context) {
  return Race(context, kCall);
}

template <const RaceCall& kFirst, const RaceCall& kSecond>
Finding RaceForBoth(const ClaimContext& context) {
  const Finding first = Race(context, kFirst, 2);
  if (first.verdict != Verdict::kPass) return first;
  const Finding second = Race(context, kSecond, 2);
  if (second.verdict != Verdict::kPass) return second;
  return Finding::Pass(first.reason + "; " + second.reason);
}

constexpr auto kRows = std::to_array<Claim>({
    {.id = "fs.link_is_atomic",
     .level = Level::kMust,
     .statement = "of the processes that make one hard link, one succeeds, and "
                  "its file is what all see there",
     .source = "link(2): EEXIST; open(2): link() for locks on NFS",
     .excuse = nullptr,
     .body = RaceFor<kLink>,
     .primitive = true,
     .carries = "link pid",
     .needs = "hard-links"},
    {.id = "fs.mkdir_is_atomic",
     .level = Level::kMust,
     .statement = "of the processes that make one directory, one succeeds",
     .source = "mkdir(2): EEXIST",
     .excuse = nullptr,
     .body = RaceFor<kMakeDir>,
     .primitive = true,
     .carries = "mkdir"},
    {.id = "fs.symlink_is_atomic",
     .level = Level::kMust,
     .statement = "of the processes that make one symbolic link, one succeeds, "
                  "and its text is what all read there",
     .source = "symlink(2): EEXIST",
     .excuse = nullptr,
     .body = RaceFor<kSymlink>,
     .primitive = true,
     .carries = "symlink",
     .needs = "symlinks"},
    {.id = "fs.excl_is_atomic",
     .level = Level::kMust,
     .statement = "of the processes that create one file with O_EXCL, one "
                  "succeeds, and what it wrote is what all read there",
     .source = "open(2): O_EXCL; broken over NFSv2",
     .excuse = nullptr,
     .body = RaceFor<kCreate>,
     .primitive = true,
     .carries = "excl"},
    {.id = "fs.rename_noreplace",
     .level = Level::kMust,
     .statement = "of the processes that rename to one name without replacing, "
                  "one succeeds",
     .source = "rename(2): RENAME_NOREPLACE",
     .excuse = nullptr,
     .body = RaceForBoth<kRenameFile, kRenameDir>,
     .primitive = true,
     .carries = "mkdir",
     .needs = "rename-noreplace"},
    {.id = "fs.rename_is_atomic",
     .level = Level::kMust,
     .statement = "of the processes that rename one file, one succeeds, and so "
                  "does one of those that rename directories with something in "
                  "them to one name",
     .source = "rename(2): ENOENT, ENOTEMPTY; copying gateways differ",
     .excuse = nullptr,
     .body = RaceForBoth<kTake, kRenameFull>,
     .primitive = true,
     .carries = "link mkdir symlink pid excl"},
});

}  // namespace

std::span<const Claim> FsAtomicClaims() { return kRows; }

}  // namespace locklab::claims
