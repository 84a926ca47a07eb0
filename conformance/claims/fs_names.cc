// What the filesystem tells of names and inodes, and when others see it.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include "conformance/claims/families.h"
#include "conformance/claims/fs_kit.h"

namespace locklab::claims {
namespace {

// --- link counts -----------------------------------------------------------

void ExpectCount(int64_t count, int64_t wanted, const std::string& who,
                 const std::string& when) {
  Expect(count == wanted, "after " + when + " " + who + " a link count of " +
                              std::to_string(count) + " instead of " +
                              std::to_string(wanted));
}

Finding LinkCountIsFresh(const ClaimContext& context) {
  const int rounds = context.quick ? 50 : 1000;
  const auto name = [](int64_t round) { return "/f" + std::to_string(round); };
  Observer other([&](int64_t round) -> int64_t {
    FileInfo info;
    const std::string path = OtherSide(context) + name(round);
    const SysResult result = context.os.Lstat(path.c_str(), &info);
    return result.ok() ? static_cast<int64_t>(info.nlink) : -result.error;
  });
  for (int round = 0; round < rounds; ++round) {
    const std::string path = context.dir + name(round);
    const std::string second = path + "-second";
    const auto count = [&] {
      return static_cast<int64_t>(Look(context.os, path).nlink);
    };
    MakeFile(context.os, path);
    ExpectCount(count(), 1, "its maker sees", "a file is made");
    ExpectCount(other.Ask(round), 1, "another process sees", "a file is made");
    Need(context.os.Link(path.c_str(), second.c_str()), "link(2)");
    ExpectCount(count(), 2, "its maker sees", "link(2)");
    ExpectCount(other.Ask(round), 2, "another process sees", "link(2)");
    Need(context.os.Unlink(second.c_str()), "unlink(2)");
    ExpectCount(count(), 1, "its maker sees", "unlink(2)");
    ExpectCount(other.Ask(round), 1, "another process sees", "unlink(2)");
    Need(context.os.Unlink(path.c_str()), "unlink(2)");
  }
  return Finding::Pass(std::to_string(rounds) + " links, counted by two");
}

// --- removed names ---------------------------------------------------------

// Ways for a name to go.
struct Removal {
  std::string_view name;
  bool directory;
  SysResult (*remove)(Os& os, const std::string& path);
};

constexpr auto kRemovals = std::to_array<Removal>({
    {"unlink(2)", false,
     [](Os& os, const std::string& path) { return os.Unlink(path.c_str()); }},
    {"rmdir(2)", true,
     [](Os& os, const std::string& path) {
       return os.RemoveDir(path.c_str());
     }},
    {"rename(2)", false,
     [](Os& os, const std::string& path) {
       return os.Rename(path.c_str(), (path + "-away").c_str());
     }},
});

struct Sightings {
  Delays delays;
  int late = 0;         // seen though they had been removed
  std::string_view by;  // the removal of the slowest
  bool gave_up = false;
};

// In each round another process has looked at a name when it is removed, and
// looks again after that until it is gone, at most for `patience`.
Sightings WatchRemovals(const ClaimContext& context, const std::string& there,
                        int rounds, nanoseconds patience) {
  const auto name = [](int64_t round) { return "/n" + std::to_string(round); };
  Observer other([&](int64_t round) -> int64_t {
    FileInfo info;
    return context.os.Lstat((there + name(round)).c_str(), &info).error;
  });
  Sightings seen;
  for (int round = 0; round < rounds && !seen.gave_up; ++round) {
    const Removal& removal =
        kRemovals[static_cast<size_t>(round) % kRemovals.size()];
    const std::string path = context.dir + name(round);
    if (removal.directory) {
      Need(context.os.MakeDir(path.c_str(), 0777), "mkdir(2)");
    } else {
      MakeFile(context.os, path);
    }
    const bool shown = proc::Eventually([&] { return other.Ask(round) == 0; },
                                        proc::In(patience));
    if (!shown) Fail("another process does not see a name that was made");
    Need(removal.remove(context.os, path), removal.name);
    const auto removed = proc::Clock::now();
    bool at_once = true;
    while (other.Ask(round) != ENOENT) {
      at_once = false;
      if (proc::Clock::now() - removed > patience) {
        seen.gave_up = true;
        break;
      }
    }
    const nanoseconds delay = proc::Clock::now() - removed;
    if (!at_once) ++seen.late;
    if (delay >= seen.delays.Max()) seen.by = removal.name;
    seen.delays.Add(delay);
  }
  return seen;
}

Finding Seen(const Sightings& seen, const std::string& who) {
  const std::string rounds = std::to_string(seen.delays.count());
  if (seen.late == 0) {
    return Finding::Pass(who + " sees " + rounds +
                         " removals at its first look: " + seen.delays.Text());
  }
  return Finding::Fail(who + " still sees " + std::to_string(seen.late) +
                       " of " + rounds + " removed names" +
                       (seen.gave_up ? " and one does not go" : "") + ": " +
                       seen.delays.Text() + " (" + std::string(seen.by) + ")");
}

Finding UnlinkIsSeen(const ClaimContext& context) {
  return Seen(
      WatchRemovals(context, context.dir, context.quick ? 60 : 3000, 2s),
      "another process");
}

Finding UnlinkIsSeenAcrossMounts(const ClaimContext& context) {
  return Seen(WatchRemovals(context, context.other_dir, context.quick ? 9 : 30,
                            context.quick ? 2s : 70s),
              "the other mount");
}

// --- inodes ----------------------------------------------------------------

// By an open descriptor, which it closes.
FileInfo LookByOpening(Os& os, const std::string& path) {
  const SysResult opened =
      os.Open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
  Need(opened, "open(2)");
  FileInfo info;
  Need(os.Fstat(static_cast<int>(opened.value), &info), "fstat(2)");
  os.Close(static_cast<int>(opened.value));
  return info;
}

void ExpectSame(const FileInfo& before, const FileInfo& now,
                const std::string& when) {
  Expect(now.ino == before.ino, "the inode number of a file is another " +
                                    when + ": " + std::to_string(before.ino) +
                                    ", then " + std::to_string(now.ino));
  Expect(now.dev == before.dev, "the device number of a file is another " +
                                    when + ": " + std::to_string(before.dev) +
                                    ", then " + std::to_string(now.dev));
}

Finding InodeIsStable(const ClaimContext& context) {
  Os& os = context.os;
  const std::string path = context.dir + "/file";
  const std::string moved = context.dir + "/moved";
  // Another client may well number files in its own way: locks compare what
  // one client shows.
  Observer other([&](int64_t) -> int64_t {
    return static_cast<int64_t>(Look(os, path).ino);
  });
  MakeFile(os, path);
  const FileInfo first = Look(os, path);
  ExpectSame(first, LookByOpening(os, path), "by an open descriptor");
  const auto seen = static_cast<uint64_t>(other.Ask(0));
  Expect(seen == first.ino,
         "the inode number of a file is another in another process: " +
             std::to_string(first.ino) + " and " + std::to_string(seen));
  // Others come and go, so that what is cached of it may be dropped.
  const int turnover = context.quick ? 100 : 5000;
  for (int i = 0; i < turnover; ++i) {
    const std::string name = context.dir + "/other" + std::to_string(i);
    MakeFile(os, name);
    Expect(Look(os, name).ino != first.ino,
           "two files have the inode number " + std::to_string(first.ino));
    if (i >= 10) Need(os.Unlink(name.c_str()), "unlink(2)");
  }
  std::this_thread::sleep_for(context.quick ? 30ms : 3s);
  ExpectSame(first, Look(os, path), "some time later");
  ExpectSame(first, LookByOpening(os, path), "when it is opened again");
  Need(os.Touch(path.c_str()), "utimensat(2)");
  ExpectSame(first, Look(os, path), "after a change");
  Expect(static_cast<uint64_t>(other.Ask(0)) == first.ino,
         "the inode number of a file changes for another process");
  Need(os.Rename(path.c_str(), moved.c_str()), "rename(2)");
  ExpectSame(first, Look(os, moved), "after rename(2)");
  return Finding::Pass("inode " + std::to_string(first.ino) + " among " +
                       std::to_string(turnover) + " others");
}

// By both names, here and where the second process works, each of which may
// have a cache of its own.
Finding LinkKeepsInode(const ClaimContext& context) {
  Os& os = context.os;
  const auto name = [](int64_t round) { return "/f" + std::to_string(round); };
  const auto second = [&](int64_t round) { return name(round) + "-second"; };
  const auto one_number = [&](const std::string& dir, int64_t round) {
    return Look(os, dir + name(round)).SameFile(Look(os, dir + second(round)));
  };
  Observer other([&](int64_t round) -> int64_t {
    return one_number(OtherSide(context), round) ? 1 : 0;
  });
  const int rounds = context.quick ? 50 : 1000;
  for (int round = 0; round < rounds; ++round) {
    const std::string path = context.dir + name(round);
    MakeFile(os, path);
    Need(os.Link(path.c_str(), (context.dir + second(round)).c_str()),
         "link(2)");
    const std::string has =
        "a file has an inode number for each of its two names";
    Expect(one_number(context.dir, round), has);
    Expect(other.Ask(round) == 1, has + " in another process");
  }
  return Finding::Pass(std::to_string(rounds) +
                       " files of two names had one number each");
}

// --- names -----------------------------------------------------------------

Finding CaseSensitive(const ClaimContext& context) {
  Os& os = context.os;
  const std::string upper = context.dir + "/Job";
  const std::string lower = context.dir + "/job";
  MakeFile(os, upper);
  FileInfo info;
  Expect(os.Lstat(lower.c_str(), &info).error == ENOENT,
         "Job and job are one file: locks whose names differ in case alone "
         "are one lock");
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  const SysResult opened = os.Open(lower.c_str(), kFlags, 0666);
  Expect(opened.ok(), "beside Job, creating job fails with " +
                          lockfile::ErrnoName(opened.error));
  os.Close(static_cast<int>(opened.value));
  Expect(Look(os, upper).ino != Look(os, lower).ino,
         "Job and job have one inode number");
  return Finding::Pass("Job and job are two files");
}

// Whether a file of a name of that many bytes can be made, and is listed so.
bool NameWorks(const ClaimContext& context, size_t bytes, int* error) {
  Os& os = context.os;
  const std::string name(bytes, 'n');
  const std::string path = context.dir + "/" + name;
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  const SysResult opened = os.Open(path.c_str(), kFlags, 0666);
  *error = opened.error;
  if (!opened.ok()) return false;
  os.Close(static_cast<int>(opened.value));
  std::vector<std::string> names;
  Need(os.ListDir(context.dir.c_str(), 16, &names), "listing the directory");
  Need(os.Unlink(path.c_str()), "unlink(2)");
  const bool listed =
      std::find(names.begin(), names.end(), name) != names.end();
  Expect(listed, "a file with a name of " + std::to_string(bytes) +
                     " bytes is not listed by that name");
  return true;
}

Finding NameMax(const ClaimContext& context) {
  const long told = pathconf(context.dir.c_str(), _PC_NAME_MAX);
  if (told <= 0) Unsupported("the filesystem tells no limit (pathconf)");
  const auto limit = static_cast<size_t>(told);
  int error = 0;
  if (!NameWorks(context, limit, &error)) {
    size_t works = 0;
    for (size_t fails = limit; fails - works > 1;) {
      const size_t middle = works + (fails - works) / 2;
      (NameWorks(context, middle, &error) ? works : fails) = middle;
    }
    Fail("names of more than " + std::to_string(works) + " bytes fail with " +
         lockfile::ErrnoName(error) + ", where pathconf(3) promises " +
         std::to_string(limit));
  }
  const bool beyond = NameWorks(context, limit + 1, &error);
  Expect(beyond || error == ENAMETOOLONG,
         "a name of " + std::to_string(limit + 1) + " bytes fails with " +
             lockfile::ErrnoName(error) + " instead of ENAMETOOLONG");
  return Finding::Pass(
      "names work up to " + std::to_string(limit) + " bytes" +
      (beyond ? " and beyond" : ", and one more is ENAMETOOLONG"));
}

constexpr auto kRows = std::to_array<Claim>({
    {.id = "fs.link_count_is_fresh",
     .level = Level::kShould,
     .statement = "after link(2) and unlink(2) every process reads the new "
                  "link count",
     .source = "open(2): \"use stat(2) ... its link count is increased to 2\"; "
               "Python's lockfile and liblockfile decide by it",
     .excuse = nullptr,
     .body = LinkCountIsFresh,
     .primitive = true,
     .needs = "hard-links"},
    {.id = "fs.unlink_is_seen",
     .level = Level::kMust,
     .statement = "a removed name is gone for the next look of another process "
                  "that has looked at it before",
     .source = "unlink(2), rmdir(2), rename(2)",
     .excuse = nullptr,
     .body = UnlinkIsSeen,
     .primitive = true,
     .carries = "link mkdir symlink pid excl"},
    {.id = "fs.unlink_is_seen_across_mounts",
     .level = Level::kReport,
     .statement = "a removed name is gone at once for the other mount, too",
     .source = "nfs(5): attribute and directory entry caches, lookupcache=",
     .excuse = nullptr,
     .body = UnlinkIsSeenAcrossMounts,
     .primitive = true,
     .needs = "second-mount"},
    {.id = "fs.inode_is_stable",
     .level = Level::kMust,
     .statement = "a file keeps its inode number, for every process, and "
                  "shares it with no other",
     .source = "stat(2): st_dev and st_ino; FUSE without use_ino invents them",
     .excuse = nullptr,
     .body = InodeIsStable,
     .primitive = true,
     .carries = "link pid flock fcntl ofd"},
    {.id = "fs.link_keeps_inode",
     .level = Level::kShould,
     .statement = "all names of a file have one inode number, by which a "
                  "program knows that the lock is its own file",
     .source = "link(2): \"both names refer to the same file\"; mount.cifs(8): "
               "noserverino",
     .excuse = nullptr,
     .body = LinkKeepsInode,
     .primitive = true,
     .needs = "hard-links"},
    {.id = "fs.case_sensitive",
     .level = Level::kReport,
     .statement = "names that differ in case are different files",
     .source = "path_resolution(7); FAT, SMB, casefold directories differ",
     .excuse = nullptr,
     .body = CaseSensitive,
     .primitive = true},
    {.id = "fs.name_max",
     .level = Level::kReport,
     .statement = "names work up to the length that pathconf(3) promises, and "
                  "beyond it comes ENAMETOOLONG",
     .source = "pathconf(3): _PC_NAME_MAX; eCryptfs has less than it says",
     .excuse = nullptr,
     .body = NameMax,
     .primitive = true},
});

}  // namespace

std::span<const Claim> FsNameClaims() { return kRows; }

}  // namespace locklab::claims
