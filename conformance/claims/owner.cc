// What a lock tells: who holds it, whether anybody does, whether it is mine.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "conformance/claims/actor.h"
#include "conformance/claims/families.h"
#include "conformance/proc/temp_dir.h"

namespace locklab::claims {
namespace {

using lockfile::Life;

Finding IsReadable(const ClaimContext& context) {
  Actor holder(context);
  const auto reader = MakeJob(context);
  Expect(!OwnerOf(*reader), "owner() names somebody while the lock is free");
  ExpectOk(holder.Acquire(0ns), "the holder's acquire");
  const lockfile::Owner owner = ReadableOwner(*reader);
  Expect(lockfile::IsToken(owner.token), "the owner has no token");
  Expect(owner.pid == holder.pid(), "owner() says pid " +
                                        std::to_string(owner.pid) + ", it is " +
                                        std::to_string(holder.pid()));
  Expect(Inspect(*reader).HolderLife().life == Life::kAlive,
         "the live holder is not seen to live: " +
             Inspect(*reader).HolderLife().reason);
  ExpectOk(holder.Release(), "the holder's release");
  Expect(!OwnerOf(*reader), "owner() names somebody after the release");
  return Finding::Pass();
}

Finding IsTruthful(const ClaimContext& context) {
  auto& os = lockfile::os::Os::Real();
  const auto holder = MakeJob(context);
  ExpectOk(holder->Acquire(0ns), "acquire");
  const lockfile::Owner first = ReadableOwner(*holder);
  const auto self = os.Self();
  Expect(first.pid == self.pid, "the owner's pid is not the holder's");
  Expect(first.boot_id == self.boot_id, "the owner's boot id is not this boot");
  Expect(first.start_time == self.start_time,
         "the owner's start time is not the holder's");
  Expect(first.pid_ns == self.pid_ns,
         "the owner's PID namespace is not the holder's");
  Expect(lockfile::JudgeLife(os, first).life == Life::kAlive,
         "the owner's host is not this host: " + first.host);
  Expect(ReadableOwner(*holder) == first, "the owner changed while it held");
  ExpectOk(holder->Release(), "release");
  ExpectOk(holder->Acquire(0ns), "acquire again");
  Expect(!(ReadableOwner(*holder) == first),
         "two holds have one token: a breaker cannot tell them apart");
  ExpectOk(holder->Release(), "release again");
  Actor other(context);
  ExpectOk(other.Acquire(0ns), "another process's acquire");
  Expect(!ReadableOwner(*holder).SameObject(first),
         "two objects share one identity");
  ExpectOk(other.Release(), "another process's release");
  return Finding::Pass();
}

// --- garbage ---------------------------------------------------------------

struct Garbage {
  const char* name;
  std::string text;
};

// More than anybody would read of a record.
size_t LongText(const ClaimContext& context) {
  return size_t{context.quick ? 1U : 10U} << 20;
}

std::array<Garbage, 6> Garbages(const ClaimContext& context) {
  std::string binary;
  for (int i = 0; i < 4096; ++i) binary.push_back(static_cast<char>(i * 37));
  lockfile::Owner dead;
  dead.token = std::string(lockfile::kTokenLength, 'a');
  dead.pid = 1;
  const std::string record = lockfile::FormatRecord(dead);
  return {{{"nothing", ""},
           {"half a record", record.substr(0, record.size() / 2)},
           {"binary garbage", binary},
           {context.quick ? "1 MiB" : "10 MiB",
            std::string(LongText(context), 'x')},
           {"a hostile text",
            "lockfile1 token=../../etc/passwd host=%s%n pid=-1 start=99999999"
            "999999999999 tid=\x1b[2J\n"},
           {"a pid that was never", "2147483647\n"}}};
}

// Whether the filesystem kept somebody away from a file that is in use: SMB
// does, from one that is locked (EACCES), and from one that this client has
// open under another name (EINVAL).
bool IsGuarded(const std::system_error& error) {
  return error.code().value() == EACCES || error.code().value() == EINVAL;
}

// Opens and writes what is there, as a foreign program would. Whether it could.
bool Overwrite(const std::string& path, const std::string& text) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return true;
  bool could = true;
  try {
    if (S_ISREG(info.st_mode)) WriteText(path, text);
  } catch (const std::system_error& error) {
    if (!IsGuarded(error)) throw;
    could = false;
  }
  if (!S_ISDIR(info.st_mode)) return could;
  for (const std::string& name : Entries(path)) {
    std::string inner = path;
    could &= Overwrite(inner.append("/").append(name), text);
  }
  return could;
}

// A live holder whose record was overwritten keeps the lock, or learns that it
// is lost (where the record is the lock itself); no owner is invented. Returns
// whether it could be overwritten: what is asked for holds either way.
bool OverwriteHeld(const ClaimContext& context, const Garbage& garbage) {
  Step(std::string("the holder's record is overwritten by ") + garbage.name);
  const std::string when =
      std::string(" whose record was overwritten by ") + garbage.name;
  Actor holder(context);
  ExpectOk(holder.Acquire(kSoon), "the holder's acquire");
  const auto reader = MakeJob(context);
  const bool could = Overwrite(Inspect(*reader).lock_path(), garbage.text);
  std::optional<lockfile::Owner> owner;
  const Outcome read = Inspect(*reader).ReadOwner(&owner);
  Expect(!read.ok() || !owner || owner->pid == holder.pid(),
         "owner() invents an owner for a lock" + when);
  const Reply mine = holder.Do(Verb::kIAmLocking);
  const bool knows = !mine.outcome.ok() || !mine.flag;
  Expect(knows || Inspect(*reader).HolderLife().life != Life::kDead,
         "a live holder is called dead" + when);
  Expect(!reader->Acquire(0ns).ok() || knows,
         "the lock was taken from an unwitting holder" + when);
  return could;
}

// Whatever lies at the lock's path: an answer, no crash, no hang.
void FaceGarbage(const ClaimContext& context, const std::string& what) {
  Step("somebody put " + what + " at the lock's path");
  Actor actor(context);
  const Reply reply = actor.Do(Verb::kAcquire, 0ns);
  const auto reader = MakeJob(context);
  std::optional<lockfile::Owner> owner;
  const Outcome read = Inspect(*reader).ReadOwner(&owner);
  Expect(!read.ok() || !owner || reply.outcome.ok(),
         "owner() invents an owner out of " + what);
  if (reply.outcome.ok()) {
    ExpectRefused(reader->Acquire(0ns), "a second acquire over " + what);
    ExpectOk(actor.Release(), "release over " + what);
  }
}

void ClearLock(const std::string& path) {
  proc::RemoveTree(path);
  proc::RemoveTree(path + "-journal");
}

Finding GarbageIsSurvived(const ClaimContext& context) {
  const std::string path = Inspect(*MakeJob(context)).lock_path();
  const auto garbages = Garbages(context);
  const Sample sample = SampleOf(context);
  bool guarded = false;
  for (size_t i = sample.first; i < garbages.size(); i += sample.step) {
    const Garbage& garbage = garbages[i];
    guarded |= !OverwriteHeld(context, garbage);
    ClearLock(path);
    WriteText(path, garbage.text);
    FaceGarbage(context, std::string("a file with ") + garbage.name);
    ClearLock(path);
    MakeDirectory(path);
    WriteText(path + "/host.1-2", garbage.text);
    FaceGarbage(context, std::string("a directory with ") + garbage.name);
    ClearLock(path);
    if (garbage.text.empty() || garbage.text.size() > 4000) continue;
    if (TrySymlink(garbage.text, path)) {
      FaceGarbage(context, std::string("a symbolic link to ") + garbage.name);
    }
    ClearLock(path);
  }
  const auto after = MakeJob(context);
  ExpectOk(after->Acquire(kSoon), "acquire after all garbage was removed");
  ExpectOk(after->Release(), "release after all garbage was removed");
  return Finding::Pass(
      guarded ? "the filesystem lets nobody write to the record of a held lock"
              : "");
}

// --- held ------------------------------------------------------------------

Finding IAmLockingIsTruthful(const ClaimContext& context) {
  const auto mine = MakeJob(context);
  const auto sibling = MakeJob(context);
  Actor other(context);
  const auto expect_nobody = [&](const std::string& when) {
    Expect(!IAmLocking(*mine), "i_am_locking() is true " + when);
    Expect(!IAmLocking(*sibling), "a sibling's i_am_locking() is true " + when);
    Expect(!other.IAmLocking(),
           "another process's i_am_locking() is true " + when);
  };
  expect_nobody("before any acquire");
  ExpectOk(mine->Acquire(0ns), "acquire");
  Expect(IAmLocking(*mine), "i_am_locking() is false for the holder");
  Expect(!IAmLocking(*sibling), "a sibling says that it holds the lock");
  Expect(!other.IAmLocking(), "another process says that it holds the lock");
  ExpectOk(mine->Release(), "release");
  expect_nobody("after the release");
  if (!context.subject.traits().breakable) return Finding::Pass();
  ExpectOk(mine->Acquire(0ns), "acquire");
  Expect(Break(*sibling), "break_lock() found nothing to break");
  expect_nobody("after a break");
  ExpectOk(other.Acquire(kSoon), "a successor's acquire");
  Expect(!IAmLocking(*mine), "the broken holder believes that it holds");
  Expect(other.IAmLocking(), "the successor does not know that it holds");
  ExpectOk(other.Release(), "the successor's release");
  return Finding::Pass();
}

// Where nothing can be seen, no answer is right but an error.
void ExpectNoAnswerInTheDark(const ClaimContext& context) {
  const std::string dir = context.dir + "/dark";
  MakeDirectory(dir, 0777);
  Actor holder([&] { return context.subject.Make(dir + "/job"); });
  ExpectOk(holder.Acquire(0ns), "the holder's acquire");
  Actor stranger([&] {
    if (IsRoot()) BecomeNobody();
    return context.subject.Make(dir + "/job");
  });
  if (chmod(dir.c_str(), 0) != 0) return;
  const Reply reply = stranger.Do(Verb::kIsLocked);
  chmod(dir.c_str(), 0777);
  Expect(!reply.outcome.ok() || reply.flag,
         "is_locked() says no though it may not look (EACCES), and the lock is "
         "held");
  ExpectOk(holder.Release(), "the holder's release");
}

Finding IsLockedIsTruthful(const ClaimContext& context) {
  const auto mine = MakeJob(context);
  const auto sibling = MakeJob(context);
  Actor other(context);
  Expect(!IsLocked(*mine) && !other.IsLocked(),
         "is_locked() is true for a free lock");
  ExpectOk(mine->Acquire(0ns), "acquire");
  Expect(IsLocked(*mine), "is_locked() is false for the holder");
  Expect(IsLocked(*sibling), "is_locked() is false for a sibling");
  Expect(other.IsLocked(), "is_locked() is false in another process");
  ExpectOk(mine->Release(), "release");
  Expect(!IsLocked(*mine) && !IsLocked(*sibling) && !other.IsLocked(),
         "is_locked() is true after the release");
  ExpectOk(other.Acquire(0ns), "another process's acquire");
  Expect(IsLocked(*mine), "is_locked() is false though another holds it");
  ExpectOk(other.Release(), "another process's release");
  ExpectNoAnswerInTheDark(context);
  return Finding::Pass();
}

constexpr auto kRows = std::to_array<Claim>({
    {.id = "owner.is_readable",
     .level = Level::kMust,
     .statement = "others can read who holds the lock, and that it lives",
     .source = "git, Qt QLockFile: tell whether the recorded holder is alive",
     .excuse = nullptr,
     .body = IsReadable},
    {.id = "owner.is_truthful",
     .level = Level::kMust,
     .statement = "the recorded owner is the holder: host, boot, process, "
                  "start time, and a token of this hold alone",
     .source = "Python lockfile 0.12.2: two objects share an identity",
     .excuse = nullptr,
     .body = IsTruthful},
    {.id = "owner.garbage_is_survived",
     .level = Level::kMust,
     .statement = "whatever others write into or put at the lock's path, no "
                  "call crashes, hangs or robs a live holder",
     .source = "contents of a lock file are untrusted input",
     .excuse = nullptr,
     .body = GarbageIsSurvived},
    {.id = "held.i_am_locking_is_truthful",
     .level = Level::kMust,
     .statement = "i_am_locking() is true for the holder alone, also after a "
                  "break",
     .source = "Python lockfile 0.12.2, compliance test: i_am_locking",
     .excuse = nullptr,
     .body = IAmLockingIsTruthful},
    {.id = "held.is_locked_is_truthful",
     .level = Level::kMust,
     .statement = "is_locked() is true as long as anybody holds the lock, and "
                  "an error if that cannot be seen",
     .source = "Python lockfile 0.12.2: os.path.exists() hides EACCES",
     .excuse = nullptr,
     .body = IsLockedIsTruthful},
});

}  // namespace

std::span<const Claim> OwnerClaims() { return kRows; }

}  // namespace locklab::claims
