// Paths, names and permissions.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <filesystem>
#include <string>
#include <vector>

#include "conformance/claims/actor.h"
#include "conformance/claims/families.h"

namespace locklab::claims {
namespace {

namespace fs = std::filesystem;

Finding RelativeThenChdir(const ClaimContext& context) {
  const std::string elsewhere = context.dir + "/elsewhere";
  MakeDirectory(elsewhere);
  fs::current_path(context.dir);
  const auto relative = context.subject.Make("job");
  const auto before = Entries(elsewhere);
  fs::current_path(elsewhere);
  ExpectOk(relative->Acquire(0ns), "acquire after chdir");
  Expect(Entries(elsewhere) == before,
         "the lock of a relative path follows chdir()");
  Actor other(context);
  ExpectRefused(other.Acquire(0ns), "acquire by the absolute path");
  fs::current_path("/");
  ExpectOk(relative->Release(), "release after another chdir");
  ExpectOk(other.Acquire(kSoon), "acquire by the absolute path");
  ExpectOk(other.Release(), "release by the absolute path");
  return Finding::Pass();
}

// Whether the filesystem has such a name at all.
bool NameIsPossible(const std::string& path) {
  const int fd =
      open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return false;
  close(fd);
  return unlink(path.c_str()) == 0;
}

void UseName(const ClaimContext& context, const std::string& name) {
  const std::string path = context.dir + "/" + name;
  if (!NameIsPossible(path)) return;
  const std::string of = " of a lock named \"" + name.substr(0, 40) + "\"";
  Step("use" + of);
  const auto subject = context.subject.Make(path);
  Actor other([&] { return context.subject.Make(path); });
  ExpectOk(subject->Acquire(0ns), "acquire" + of);
  ExpectRefused(other.Acquire(0ns), "another's acquire" + of);
  ExpectOk(subject->Release(), "release" + of);
  ExpectOk(other.Acquire(kSoon), "another's acquire" + of);
  ExpectOk(other.Release(), "another's release" + of);
}

// How long a name may be so that the lock's own name still fits. A kept file
// may need as much again for a companion: a database has its "-journal".
size_t LongestName(const ClaimContext& context) {
  const auto subject = context.subject.Make(context.dir + "/n");
  const fs::path lock(Inspect(*subject).lock_path());
  const bool kept = context.subject.traits().keeps_file;
  const size_t suffix = lock.filename().string().size() - 1 + (kept ? 8 : 0);
  const long limit = pathconf(context.dir.c_str(), _PC_NAME_MAX);
  const size_t name = static_cast<size_t>(limit > 0 ? limit : 255) - suffix;
  const size_t path = context.subject.traits().longest_path;
  const size_t others = lock.string().size() - 1;
  if (path == 0 || path >= others + name) return name;
  if (path <= others) Unsupported("this directory's own path is too long");
  return path - others;
}

Finding UnicodeSpacesLong(const ClaimContext& context) {
  constexpr auto kNames = std::to_array<const char*>(
      {"with space", " leading and trailing ", "na\xc3\xafve \xe2\x98\x83",
       "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", "quote'\"`$(x)", "-dash",
       "tab\tand\nnewline", "%s%n%d", "#;&|<>*?[]{}!~", "...", "x.lock"});
  const Sample sample = SampleOf(context);
  for (size_t i = sample.first; i < kNames.size(); i += sample.step) {
    UseName(context, kNames[i]);
  }
  const size_t longest = LongestName(context);
  UseName(context, std::string(longest, 'l'));
  const auto beyond =
      context.subject.Make(context.dir + "/" + std::string(longest + 9, 'l'));
  const Outcome outcome = beyond->Acquire(1s);
  Expect(outcome.got == Got::kError,
         "acquire of a name that is too long " + Describe(outcome));
  Expect(outcome.sys == 0 || outcome.sys == ENAMETOOLONG,
         "acquire of a name that is too long " + Describe(outcome));
  return Finding::Pass("names of up to " + std::to_string(longest) + " bytes");
}

Finding TwoLocksInOneDirectory(const ClaimContext& context) {
  // Each is a beginning of the next, which a careless clean-up would match.
  static constexpr std::array<const char*, 4> kNames = {"job", "job2", "job-1",
                                                        "job.1"};
  std::vector<std::unique_ptr<Subject>> locks;
  for (const char* name : kNames) {
    locks.push_back(context.subject.Make(context.dir + "/" + name));
    ExpectOk(locks.back()->Acquire(0ns), std::string("acquire of ") + name);
  }
  std::deque<Actor> others;  // one for each name
  for (const char* name : kNames) {
    others.emplace_back(
        [&] { return context.subject.Make(context.dir + "/" + name); });
  }
  for (size_t freed = 0; freed < kNames.size(); ++freed) {
    ExpectOk(locks[freed]->Release(),
             std::string("release of ") + kNames[freed]);
    for (size_t i = 0; i < kNames.size(); ++i) {
      const Outcome got = others[i].Acquire(0ns);
      const std::string what = std::string("acquire of ") + kNames[i] +
                               " after the release of " + kNames[freed];
      if (i > freed) {
        ExpectRefused(got, what);
      } else {
        ExpectOk(got, what);
        ExpectOk(others[i].Release(), std::string("release of ") + kNames[i]);
      }
    }
  }
  return Finding::Pass();
}

// --- a hostile link --------------------------------------------------------

std::string ReadText(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  char text[256];
  const ssize_t size = read(fd, text, sizeof text);
  close(fd);
  return {text, size > 0 ? static_cast<size_t>(size) : 0};
}

void MeetPlantedLink(const ClaimContext& context, const std::string& target,
                     const std::string& what) {
  Step("a symbolic link to " + what + " is at the lock's path");
  const auto subject = MakeJob(context);
  const std::string path = Inspect(*subject).lock_path();
  Expect(TrySymlink(target, path), "a symbolic link cannot be made");
  const Outcome got = subject->Acquire(50ms);
  Expect(!got.ok(),
         "acquire followed or ignored a planted symbolic link to " + what);
  Expect(fs::is_symlink(fs::symlink_status(path)),
         "acquire removed a planted symbolic link to " + what);
  unlink(path.c_str());
}

Finding PlantedSymlinkIsNotFollowed(const ClaimContext& context) {
  const std::string victim = context.dir + "/victim";
  const std::string nothing = context.dir + "/nothing";
  const std::string directory = context.dir + "/directory";
  WriteText(victim, "precious");
  MakeDirectory(directory);
  MeetPlantedLink(context, victim, "a file");
  Expect(ReadText(victim) == "precious",
         "the file behind the link was changed");
  MeetPlantedLink(context, nothing, "nothing");
  Expect(!fs::exists(nothing), "acquire made a file where the link points");
  MeetPlantedLink(context, directory, "a directory");
  Expect(Entries(directory).empty(), "acquire made a file behind the link");
  return Finding::Pass();
}

// --- permissions -----------------------------------------------------------

void ExpectErrorAtOnce(Actor* actor, const std::array<int, 3>& errors,
                       const std::string& where) {
  const Reply reply = actor->Do(Verb::kAcquire, 20s);
  Expect(reply.outcome.got == Got::kError,
         "acquire in " + where + " " + Describe(reply.outcome));
  const int sys = reply.outcome.sys;
  Expect(
      sys == 0 || std::find(errors.begin(), errors.end(), sys) != errors.end(),
      "acquire in " + where + " " + Describe(reply.outcome));
  Expect(reply.took() < 5s, "acquire in " + where + " waited " +
                                Millis(reply.took()) + " for an error");
}

Finding ReadOnlyDirectory(const ClaimContext& context) {
  const std::string dir = context.dir + "/read-only";
  MakeDirectory(dir, 0555);
  Step("a directory without write permission");
  Actor user([&] {
    if (IsRoot()) BecomeNobody();
    return context.subject.Make(dir + "/job");
  });
  ExpectErrorAtOnce(&user, {EACCES, EPERM, EROFS}, "a read-only directory");
  Step("a directory that is mounted read-only");
  if (!TryBindMount(dir, dir, /*read_only=*/true)) {
    return Finding::Pass("without a read-only mount, which is not permitted");
  }
  Actor mounted([&] { return context.subject.Make(dir + "/job"); });
  ExpectErrorAtOnce(&mounted, {EROFS, EROFS, EROFS}, "a read-only mount");
  return Finding::Pass();
}

Finding SecondUserWaits(const ClaimContext& context) {
  const std::string dir = context.dir + "/shared";
  MakeDirectory(dir, 0777);
  const std::string path = dir + "/job";
  Actor second([&] {
    BecomeNobody();
    if (access(dir.c_str(), W_OK | X_OK) != 0) {
      Unsupported("another user cannot reach the directory");
    }
    return context.subject.Make(path);
  });
  umask(0022);
  const auto holder = context.subject.Make(path);
  ExpectOk(holder->Acquire(0ns), "root's acquire");
  ExpectRefused(second.Acquire(0ns), "a second user's acquire");
  ExpectRefused(second.Acquire(30ms), "a second user's waiting acquire");
  ExpectOk(holder->Release(), "root's release");
  ExpectOk(second.Acquire(kSoon), "a second user's acquire after the release");
  ExpectOk(second.Release(), "a second user's release");
  return Finding::Pass();
}

constexpr auto kRows = std::to_array<Claim>({
    {.id = "path.relative_then_chdir",
     .level = Level::kMust,
     .statement = "a relative path means the directory of the object's making",
     .source = "Python lockfile 0.12.2: os.path.abspath at construction",
     .excuse = nullptr,
     .body = RelativeThenChdir,
     .local = true},
    {.id = "path.unicode_spaces_long",
     .level = Level::kMust,
     .statement = "any name of the filesystem will do, up to NAME_MAX less the "
                  "lock's own suffix or what it declares; beyond it comes a "
                  "clear error",
     .source = "pathname(7)",
     .excuse = nullptr,
     .body = UnicodeSpacesLong},
    {.id = "path.two_locks_in_one_directory",
     .level = Level::kMust,
     .statement = "locks of one directory do not disturb each other",
     .source = "clean-up by a name's beginning",
     .excuse = nullptr,
     .body = TwoLocksInOneDirectory},
    {.id = "path.planted_symlink_is_not_followed",
     .level = Level::kMust,
     .statement = "a symbolic link that others put at the lock's path is "
                  "neither followed nor removed",
     .source = "CWE-59; open(2): O_NOFOLLOW",
     .excuse = nullptr,
     .body = PlantedSymlinkIsNotFollowed,
     .needs = "symlinks"},
    {.id = "permission.read_only_directory",
     .level = Level::kMust,
     .statement = "a directory that cannot be written is an error at once",
     .source = "Python lockfile 0.12.2, symlink: reported as a timeout",
     .excuse = nullptr,
     .body = ReadOnlyDirectory},
    {.id = "permission.second_user_waits",
     .level = Level::kShould,
     .statement = "another user waits instead of failing with EACCES",
     .source = "lock files of mode 0644 refuse the second user",
     .excuse = nullptr,
     .body = SecondUserWaits,
     .needs = "other-users"},
});

}  // namespace

std::span<const Claim> NameClaims() { return kRows; }

}  // namespace locklab::claims
