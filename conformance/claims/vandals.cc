// What is done to a lock from outside while it is held: a janitor that deletes
// its files, a directory that is moved away from under it. Exclusion is lost
// then, since nothing is left that others could see; what must not be lost is
// the truth.
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "conformance/claims/actor.h"
#include "conformance/claims/families.h"
#include "conformance/claims/kit.h"

namespace locklab::claims {
namespace {

namespace fs = std::filesystem;

// The holder, whose lock is not there any more, has to say so, and to leave
// alone whoever has the lock since.
void ExpectLostToSuccessor(Actor& holder, Subject& successor) {
  ExpectOk(successor.Acquire(kSoon), "acquire of the lock that is gone");
  Expect(!holder.IAmLocking(),
         "the holder believes that it holds what is gone");
  ExpectError(holder.Release(), lockfile::Errc::kLockLost,
              "the former holder's release");
  Expect(IAmLocking(successor),
         "the former holder's release took the lock of its successor");
}

void ExpectHeld(Subject& successor, Actor& third) {
  ExpectRefused(third.Acquire(0ns), "a third one's acquire");
  ExpectOk(successor.Release(), "the successor's release");
}

// The lock itself, whose name is the shortest, comes last: from then on all
// that comes is the next holder's.
void DeleteAll(const std::string& dir) {
  const std::vector<std::string> names = Entries(dir);
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    std::error_code gone_meanwhile;
    fs::remove_all(dir + "/" + *name, gone_meanwhile);
  }
}

// Deletes all, and returns whether the lock's file is there all the same.
bool SurvivesDeletion(const ClaimContext& context, const std::string& lock) {
  const auto inode = [&lock]() -> ino_t {
    struct stat info {};
    return lstat(lock.c_str(), &info) == 0 ? info.st_ino : 0;
  };
  const ino_t before = inode();
  DeleteAll(context.dir);
  return before != 0 && inode() == before;
}

// The same where nobody makes it anew meanwhile: also where a client makes up
// inode numbers and times (SMB).
bool IsThereAfterDeletion(const ClaimContext& context,
                          const std::string& lock) {
  struct stat info {};
  DeleteAll(context.dir);
  return lstat(lock.c_str(), &info) == 0;
}

[[noreturn]] void CannotBeDeleted() {
  Unsupported(
      "a file that somebody has open keeps its name here until it is closed: "
      "nobody can delete it");
}

Finding JanitorDeletes(const ClaimContext& context) {
  Actor holder(context);
  ExpectOk(holder.Acquire(0ns), "the holder's acquire");
  const auto successor = MakeJob(context);
  IsLocked(*successor);  // and it has seen that
  const std::string lock = Inspect(*successor).lock_path();
  Step("all files of a lock are deleted while it is held");
  if (IsThereAfterDeletion(context, lock)) CannotBeDeleted();
  ExpectLostToSuccessor(holder, *successor);
  Actor third(context);
  ExpectHeld(*successor, third);
  Step("they are deleted while another waits");
  ExpectOk(holder.Acquire(kSoon), "the holder's next acquire");
  third.Start(Verb::kAcquire, kSoon);
  third.AwaitStart();
  // It is to be in its wait, not at the making of its own files.
  Expect(!third.AwaitUnlessStuck(5ms).has_value(),
         "one that waits for a held lock came back");
  const bool survives = SurvivesDeletion(context, lock);
  // One that waits for a file without a name waits for its holder.
  const Outcome released = holder.Release();
  if (released.ok() && survives) CannotBeDeleted();
  ExpectError(released, lockfile::Errc::kLockLost, "the holder's next release");
  const auto got = third.Await(proc::In(2 * kSoon));
  Expect(got.has_value(), "the one who waited waits for ever");
  ExpectOk(got->outcome, "the acquire of the one who waited");
  ExpectOk(third.Release(), "its release");
  return Finding::Pass();
}

Finding DirectoryReplaced(const ClaimContext& context) {
  const std::string place = context.dir + "/place";
  const auto make = [&] { return context.subject.Make(place + "/job"); };
  const auto replace = [&](const std::string& aside) {
    std::error_code error;
    fs::rename(place, place + aside, error);
    // SMB: a directory stays where it is while a file in it is open.
    if (error == std::errc::permission_denied) {
      Unsupported(
          "a directory in which somebody has a file open cannot be "
          "moved away here (EACCES)");
    }
    if (error) throw fs::filesystem_error("rename", place, error);
    MakeDirectory(place);
  };
  MakeDirectory(place);
  Actor holder(make);
  ExpectOk(holder.Acquire(0ns), "the holder's acquire");
  Step("the directory of a held lock is moved away, and another put there");
  replace(".1");
  const auto successor = make();
  ExpectLostToSuccessor(holder, *successor);
  Actor third(make);
  ExpectHeld(*successor, third);
  Step("the same, and nobody has taken the lock there yet");
  Actor last(make);
  ExpectOk(last.Acquire(kSoon), "acquire in the new directory");
  replace(".2");
  ExpectError(last.Release(), lockfile::Errc::kLockLost,
              "release after the directory was replaced");
  const auto left = Entries(place);
  Expect(left.empty(), "a release after the directory was replaced made " +
                           (left.empty() ? "" : left.front()) +
                           " in the new one");
  return Finding::Pass();
}

constexpr auto kRows = std::to_array<Claim>({
    {.id = "stale.janitor_deletes",
     .level = Level::kMust,
     .statement = "a holder whose lock somebody deleted finds out, and leaves "
                  "the next holder's alone; who waited for it gets it",
     .source = "tmpreaper, systemd-tmpfiles: what is old in /tmp goes",
     .excuse = nullptr,
     .body = JanitorDeletes},
    {.id = "stale.directory_replaced",
     .level = Level::kMust,
     .statement = "a holder whose directory was moved away finds out, and "
                  "touches nothing in the one that is there now",
     .source = "deployments that swap directories",
     .excuse = nullptr,
     .body = DirectoryReplaced},
});

}  // namespace

std::span<const Claim> VandalClaims() { return kRows; }

}  // namespace locklab::claims
