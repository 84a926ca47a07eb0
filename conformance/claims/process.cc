// Fork, exec, descriptors and threads.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>

#include "conformance/claims/actor.h"
#include "conformance/claims/families.h"
#include "conformance/proc/child.h"
#include "conformance/proc/latch.h"

namespace locklab::claims {
namespace {

using lockfile::Errc;
using proc::Child;
using proc::Latch;

// Runs `body` in a forked child with a copy of `subject`, whose checks end
// this body, too. The copy is destroyed there as at the end of a program.
void InChild(std::unique_ptr<Subject>* subject,
             void (*body)(Subject& inherited)) {
  struct Verdictbox {
    bool thrown;
    Verdict verdict;
    char reason[512];
  };
  proc::Shared<Verdictbox> box;
  Child child = Child::Spawn([&] {
    try {
      body(**subject);
      subject->reset();
    } catch (const Finding& finding) {
      box->verdict = finding.verdict;
      finding.reason.copy(box->reason, sizeof box->reason - 1);
      box->thrown = true;
    }
    return 0;
  });
  const auto end = child.Wait(proc::In(kSoon));
  if (box->thrown) throw Finding{box->verdict, box->reason};
  Expect(end.has_value(), "a forked child hung in its use of the lock");
  Expect(end->ok(), "a forked child " + end->Describe());
}

Finding ChildDoesNotOwn(const ClaimContext& context) {
  auto subject = MakeJob(context);
  ExpectOk(subject->Acquire(0ns), "the parent's acquire");
  InChild(&subject, [](Subject& inherited) {
    if (inherited.inspector() != nullptr) {
      Expect(!IAmLocking(inherited), "a forked child says that it holds");
    }
    ExpectError(inherited.Release(), Errc::kNotMyLock,
                "a forked child's release");
    ExpectRefused(inherited.Acquire(0ns), "a forked child's acquire");
  });
  Actor other(context);
  ExpectRefused(other.Acquire(0ns),
                "another process's acquire after the forked child's end");
  // A child that does nothing but end.
  InChild(&subject, [](Subject&) {});
  ExpectRefused(other.Acquire(0ns),
                "another process's acquire after an idle child's end");
  ExpectOk(subject->Release(), "the parent's release");
  ExpectOk(other.Acquire(kSoon), "another process's acquire after it");
  ExpectOk(other.Release(), "another process's release");
  return Finding::Pass();
}

Finding ParentKeeps(const ClaimContext& context) {
  const auto subject = MakeJob(context);
  ExpectOk(subject->Acquire(0ns), "the parent's acquire");
  Child child = Child::Spawn([] {
    pause();
    return 0;
  });
  if (subject->inspector() != nullptr) {
    Expect(IAmLocking(*subject), "the parent lost its lock by fork()");
  }
  Actor other(context);
  ExpectRefused(other.Acquire(0ns), "another process's acquire");
  ExpectOk(subject->Release(), "the parent's release while a child lives");
  ExpectOk(other.Acquire(kSoon), "another process's acquire after it");
  ExpectOk(other.Release(), "another process's release");
  return Finding::Pass();
}

// --- exec ------------------------------------------------------------------

// What a spawned program has open in the claim's directory.
std::string OpenFilesBelow(pid_t pid, const std::string& dir) {
  std::string found;
  std::error_code error;
  const std::string fds = "/proc/" + std::to_string(pid) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(fds, error)) {
    const auto target = std::filesystem::read_symlink(entry.path(), error);
    if (!error && target.string().starts_with(dir)) found = target.string();
  }
  return found;
}

// Starts a program that lives on when this process dies; the end of the claim
// kills it with the claim's group. Returns its pid once it runs.
pid_t SpawnProgram() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  const pid_t pid = fork();
  if (pid == 0) {
    execlp("sleep", "sleep", "60", static_cast<char*>(nullptr));
    _exit(127);
  }
  close(ends[1]);
  char byte;
  // Ends when exec has closed the other side.
  while (read(ends[0], &byte, 1) < 0 && errno == EINTR) {
  }
  close(ends[0]);
  return pid;
}

Finding DescriptorDoesNotLeak(const ClaimContext& context) {
  proc::Shared<std::atomic<int>> program;
  Latch held;
  Child holder = Child::Spawn([&] {
    const auto subject = MakeJob(context);
    if (!subject->Acquire(kSoon).ok()) return 1;
    *program = SpawnProgram();
    held.Open();
    pause();
    return 0;
  });
  if (held.Wait(proc::In(2 * kSoon)) != Latch::kOpen || *program <= 0) {
    Inconclusive("no program could be started");
  }
  const std::string open = OpenFilesBelow(*program, context.dir);
  Expect(open.empty(), "a spawned program inherited " + open);
  Actor other(context);
  ExpectRefused(other.Acquire(0ns), "another's acquire");
  holder.Stop();
  if (kill(*program, 0) != 0) Inconclusive("the program has ended by itself");
  ExpectOk(other.Acquire(kSoon),
           "acquire after the holder's death, while a program it had spawned "
           "lives on,");
  ExpectOk(other.Release(), "release");
  kill(*program, SIGKILL);
  return Finding::Pass();
}

// --- descriptors -----------------------------------------------------------

void LookAsOthersDo(const ClaimContext& context) {
  const auto reader = MakeJob(context);
  if (reader->inspector() == nullptr) return;
  Expect(IsLocked(*reader), "is_locked() is false while the lock is held");
  (void)OwnerOf(*reader);
  (void)Inspect(*reader).HolderLife();
  (void)IAmLocking(*reader);
  ExpectRefused(reader->Acquire(0ns), "a second object's acquire");
  ExpectRefused(reader->Acquire(5ms), "a second object's waiting acquire");
}

Finding OtherDescriptorDoesNotFree(const ClaimContext& context) {
  const auto holder = MakeJob(context);
  Actor other(context);
  ExpectOk(holder->Acquire(0ns), "acquire");
  Step("other objects of the process look at the lock");
  LookAsOthersDo(context);
  ExpectRefused(other.Acquire(0ns),
                "another process's acquire, after objects of the holder's "
                "process looked at the lock,");
  Step("foreign code opens and closes the lock's file");
  const std::string path = Inspect(*holder).lock_path();
  close(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  const Outcome got = other.Acquire(0ns);
  if (!got.ok()) {
    ExpectRefused(got, "another process's acquire");
    ExpectOk(holder->Release(), "release");
    return Finding::Pass();
  }
  // POSIX: the close dropped the lock. The holder must not be deceived.
  Expect(!IAmLocking(*holder),
         "closing the file elsewhere freed the lock, and i_am_locking() is "
         "still true");
  ExpectError(holder->Release(), Errc::kLockLost,
              "release of a lock that a close elsewhere freed");
  Expect(other.IAmLocking(), "the successor lost its lock");
  return Finding::Pass(
      "foreign code that closes the lock's file frees it; the holder learns "
      "it");
}

// --- threads ---------------------------------------------------------------

Finding DestroyedObjectReleases(const ClaimContext& context) {
  Actor other(context);
  const auto expect_free = [&other](const std::string& after) {
    ExpectOk(other.Acquire(0ns), "another process's acquire after " + after);
    ExpectOk(other.Release(), "another process's release");
  };
  {
    const auto subject = MakeJob(context);
    ExpectOk(subject->Acquire(0ns), "acquire");
    ExpectRefused(other.Acquire(0ns), "another process's acquire");
  }
  expect_free("the object's end");
  try {
    const auto subject = MakeJob(context);
    ExpectOk(subject->Acquire(0ns), "acquire");
    throw std::runtime_error("as any code may");
  } catch (const std::runtime_error&) {
  }
  expect_free("an exception");
  std::thread([&context] {
    const auto subject = MakeJob(context);
    (void)subject->Acquire(0ns);
  }).join();
  expect_free("its thread's end");
  return Finding::Pass();
}

constexpr auto kRows = std::to_array<Claim>({
    {.id = "fork.child_does_not_own",
     .level = Level::kMust,
     .statement = "a forked child's release is refused, and its end frees "
                  "nothing",
     .source = "Python lockfile 0.12.2: the child's release drops the lock",
     .excuse = nullptr,
     .body = ChildDoesNotOwn,
     .local = true},
    {.id = "fork.parent_keeps",
     .level = Level::kMust,
     .statement = "the parent of a forked child keeps its lock and can give it "
                  "back",
     .source = "fork(2): record locks are not inherited, flock locks are",
     .excuse = nullptr,
     .body = ParentKeeps,
     .local = true},
    {.id = "exec.descriptor_does_not_leak",
     .level = Level::kMust,
     .statement = "a spawned program neither holds nor frees the lock",
     .source = "open(2): O_CLOEXEC",
     .excuse = nullptr,
     .body = DescriptorDoesNotLeak,
     .local = true},
    {.id = "close.other_descriptor_does_not_free",
     .level = Level::kMust,
     .statement = "no use of other objects in the process frees the lock; if "
                  "foreign code's close does, the holder learns it",
     .source = "fcntl(2): record locks go when any descriptor is closed",
     .excuse = nullptr,
     .body = OtherDescriptorDoesNotFree,
     .local = true},
    {.id = "threads.destroyed_object_releases",
     .level = Level::kMust,
     .statement = "an object's end gives its lock back, also by an exception "
                  "or in a thread",
     .source = "C++ Core Guidelines R.1: RAII",
     .excuse = nullptr,
     .body = DestroyedObjectReleases,
     .local = true},
});

}  // namespace

std::span<const Claim> ProcessClaims() { return kRows; }

}  // namespace locklab::claims
