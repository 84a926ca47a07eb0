// The kernel's own locks, as this filesystem has them.
#include <fcntl.h>

#include <array>
#include <cerrno>
#include <string>

#include "conformance/claims/families.h"
#include "conformance/claims/fs_kit.h"

namespace locklab::claims {
namespace {

std::string_view NameOf(KernelLock kind) {
  switch (kind) {
    case KernelLock::kFlock:
      return "flock(2)";
    case KernelLock::kPosix:
      return "fcntl(2) F_SETLK";
    case KernelLock::kOfd:
      return "fcntl(2) F_OFD_SETLK";
  }
  return "";
}

// An open file to lock, closed at its end.
class LockedFile {
 public:
  LockedFile(Os& os, const std::string& path) : os_(os) {
    const SysResult opened =
        os.Open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    Need(opened, "open(2)");
    fd_ = static_cast<int>(opened.value);
  }
  ~LockedFile() { os_.Close(fd_); }
  LockedFile(const LockedFile&) = delete;
  LockedFile& operator=(const LockedFile&) = delete;

  // True: got it; false: another holds it. Anything else ends the body.
  bool Try(KernelLock kind) {
    const SysResult result = os_.TryLock(fd_, kind);
    if (!result.ok() && result.error != EAGAIN) {
      Unsupported(CallFailed(NameOf(kind), result.error) +
                  ": this filesystem has no such locks");
    }
    return result.ok();
  }
  void Unlock(KernelLock kind) { Need(os_.Unlock(fd_, kind), NameOf(kind)); }

 private:
  Os& os_;
  int fd_ = -1;
};

// What the other process is asked for.
constexpr int64_t kTryFlock = 1;
constexpr int64_t kTryPosix = 2;
constexpr int64_t kTryOfd = 3;
constexpr int64_t kUndo = 10;  // and one of them

KernelLock KindOf(int64_t question) {
  constexpr std::array<KernelLock, 3> kKinds = {
      KernelLock::kFlock, KernelLock::kPosix, KernelLock::kOfd};
  return kKinds.at(static_cast<size_t>(question - 1));
}

int64_t QuestionOf(KernelLock kind) {
  for (const int64_t question : {kTryFlock, kTryPosix, kTryOfd}) {
    if (KindOf(question) == kind) return question;
  }
  return 0;
}

// Another process that has a file open and locks it as it is asked to.
class OtherLocker {
 public:
  OtherLocker(Os& os, const std::string& path)
      : observer_([&os, path](int64_t question) -> int64_t {
          // Opened there, at the first question: open files are shared by fork.
          static LockedFile file(os, path);
          if (question <= kUndo) return file.Try(KindOf(question)) ? 1 : 0;
          file.Unlock(KindOf(question - kUndo));
          return 1;
        }) {}
  bool Try(KernelLock kind) { return observer_.Ask(QuestionOf(kind)) == 1; }
  void Unlock(KernelLock kind) { observer_.Ask(kUndo + QuestionOf(kind)); }
  void Kill() { observer_.Kill(); }

 private:
  Observer observer_;
};

template <KernelLock kKind>
Finding ReleasedOnKill(const ClaimContext& context) {
  const std::string name(NameOf(kKind));
  const std::string path = context.dir + "/locked";
  const int rounds = context.quick ? 10 : 300;
  LockedFile file(context.os, path);
  Delays delays;
  for (int round = 0; round < rounds; ++round) {
    OtherLocker holder(context.os, path);
    Expect(holder.Try(kKind), name + ": a free lock is refused");
    Expect(!file.Try(kKind), name + ": two processes hold one lock");
    holder.Kill();
    const auto killed = proc::Clock::now();
    const bool got =
        proc::Eventually([&] { return file.Try(kKind); }, proc::In(5s), 100us);
    Expect(got, name +
                    ": the lock of a process that was killed is still "
                    "held " +
                    Millis(5s) + " after its end");
    delays.Add(proc::Clock::now() - killed);
    file.Unlock(kKind);
  }
  return Finding::Pass(name + ": free after " + std::to_string(rounds) +
                       " deaths, " + delays.Text());
}

template <KernelLock kKind>
Finding SharedBetweenMounts(const ClaimContext& context) {
  const std::string name(NameOf(kKind));
  const std::string path = context.dir + "/locked";
  LockedFile here(context.os, path);
  OtherLocker there(context.os, context.other_dir + "/locked");
  Observer passer_by([&](int64_t) -> int64_t {
    const LockedFile opened(context.os, path);
    return 1;
  });
  const int rounds = context.quick ? 10 : 300;
  for (int round = 0; round < rounds; ++round) {
    Expect(here.Try(kKind), name + ": a free lock is refused");
    Expect(!there.Try(kKind),
           name +
               ": a lock that is held on one mount is given on the other: "
               "it is local to each");
    passer_by.Ask(0);
    Expect(!there.Try(kKind),
           name +
               ": a lock that is held on one mount is given on the other once "
               "somebody has opened the file beside the holder, and closed it");
    here.Unlock(kKind);
    Expect(there.Try(kKind),
           name +
               ": a lock that was given back on one mount is refused on "
               "the other");
    Expect(!here.Try(kKind),
           name + ": a lock that is held on the other mount is given");
    there.Unlock(kKind);
  }
  return Finding::Pass(name + ": held on one mount, refused on the other, " +
                       std::to_string(rounds) + " times each way");
}

// Each is asked for while the other is held by another process.
Finding FlockExcludesFcntl(const ClaimContext& context) {
  const std::string path = context.dir + "/locked";
  LockedFile file(context.os, path);
  OtherLocker other(context.os, path);
  const auto excludes = [&](KernelLock held, KernelLock asked) {
    Expect(other.Try(held),
           std::string(NameOf(held)) + ": a free lock is refused");
    Expect(!file.Try(held),
           std::string(NameOf(held)) + ": two processes hold one lock");
    const bool got = file.Try(asked);
    if (got) file.Unlock(asked);
    other.Unlock(held);
    return !got;
  };
  const bool one = excludes(KernelLock::kFlock, KernelLock::kPosix);
  const bool two = excludes(KernelLock::kPosix, KernelLock::kFlock);
  Expect(one == two, std::string("a lock of ") +
                         (one ? "flock(2) excludes fcntl(2)"
                              : "fcntl(2) excludes flock(2)") +
                         ", but not the other way round");
  return Finding::Pass(one ? "flock(2) and fcntl(2) locks exclude each other "
                             "here: programs may mix them on this filesystem "
                             "only"
                           : "flock(2) and fcntl(2) locks do not see each "
                             "other");
}

constexpr std::string_view kKillSource =
    "close(2), fcntl(2), flock(2): locks go with the process";
constexpr std::string_view kMountSource =
    "nfs(5): local_lock=; nolock; mount.cifs(8): nobrl";

constexpr auto kRows = std::to_array<Claim>({
    {.id = "fs.flock_excludes_fcntl",
     .level = Level::kReport,
     .statement = "flock(2) and fcntl(2) either exclude each other or do not "
                  "see each other",
     .source = "flock(2): NFS emulates it by fcntl(2) locks",
     .excuse = nullptr,
     .body = FlockExcludesFcntl,
     .primitive = true},
    {.id = "fs.flock_released_on_kill",
     .level = Level::kMust,
     .statement = "a killed process's flock(2) lock is free after its end",
     .source = kKillSource,
     .excuse = nullptr,
     .body = ReleasedOnKill<KernelLock::kFlock>,
     .primitive = true,
     .carries = "flock"},
    {.id = "fs.fcntl_released_on_kill",
     .level = Level::kMust,
     .statement = "a killed process's record lock is free after its end",
     .source = kKillSource,
     .excuse = nullptr,
     .body = ReleasedOnKill<KernelLock::kPosix>,
     .primitive = true,
     .carries = "fcntl"},
    {.id = "fs.ofd_released_on_kill",
     .level = Level::kMust,
     .statement = "a killed process's open file description lock is free after "
                  "its end",
     .source = kKillSource,
     .excuse = nullptr,
     .body = ReleasedOnKill<KernelLock::kOfd>,
     .primitive = true,
     .carries = "ofd"},
    {.id = "fs.flock_is_shared_between_mounts",
     .level = Level::kMust,
     .statement = "a flock(2) lock of one mount is held for the other, too",
     .source = kMountSource,
     .excuse = nullptr,
     .body = SharedBetweenMounts<KernelLock::kFlock>,
     .primitive = true,
     .carries = "flock",
     .needs = "second-mount"},
    {.id = "fs.fcntl_is_shared_between_mounts",
     .level = Level::kMust,
     .statement = "a record lock of one mount is held for the other, too",
     .source = kMountSource,
     .excuse = nullptr,
     .body = SharedBetweenMounts<KernelLock::kPosix>,
     .primitive = true,
     .carries = "fcntl sqlite",
     .needs = "second-mount"},
    {.id = "fs.ofd_is_shared_between_mounts",
     .level = Level::kMust,
     .statement = "an open file description lock of one mount is held for the "
                  "other, too",
     .source = kMountSource,
     .excuse = nullptr,
     .body = SharedBetweenMounts<KernelLock::kOfd>,
     .primitive = true,
     .carries = "ofd",
     .needs = "second-mount"},
});

}  // namespace

std::span<const Claim> FsLockClaims() { return kRows; }

}  // namespace locklab::claims
