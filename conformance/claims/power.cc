// What is left of a lock when the machine loses power: on a filesystem of the
// same kind in an image, which is copied as its disk is at that moment.
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "conformance/claims/actor.h"
#include "conformance/claims/families.h"
#include "conformance/image/snapshot.h"
#include "conformance/proc/child.h"
#include "conformance/proc/namespaces.h"

namespace locklab::claims {
namespace {

// What the next boot of the machine calls itself.
constexpr char kNextBoot[] = "00000000-0000-4000-8000-000000000001";
constexpr nanoseconds kPatience = 3s;  // for a lock that nobody holds

// A machine's disk, in memory that goes with the body's process. Ends the body
// where the machine cannot be had.
class Machine {
 public:
  explicit Machine(const ClaimContext& context)
      : subject_(context.subject), base_(context.dir + "/machine") {
    const image::Kind* kind = image::KindLike(context.dir);
    if (kind == nullptr) Unsupported("no image is made like this filesystem");
    kind_ = kind;
    const std::string why = proc::EnterMounts();
    if (!why.empty()) Unsupported(why);
    MakeDirectory(base_);
    Try([&] {
      image::MountOrThrow("memory", "tmpfs", base_, "tmpfs", 0, "mode=755");
      MakeDirectory(before_);
      MakeDirectory(after_);
      image::Make(*kind_, disk_);
    });
  }

  // The disk as it is now, before the power failure.
  void Boot() {
    Try([&] { image::Mount(*kind_, disk_, before_); });
  }
  [[nodiscard]] std::unique_ptr<Subject> Lock() const {
    return subject_.Make(before_ + "/job");
  }
  // All that was written until now reaches the disk.
  void SyncAll() const {
    const image::Fd fd(open(before_.c_str(), O_RDONLY | O_CLOEXEC));
    if (fd.get() < 0 || syncfs(fd.get()) != 0) Inconclusive("cannot sync");
  }
  // What another program does for a file of its own. The names in its
  // directory reach the disk with it, and not what other files hold.
  void SyncNames() const {
    const image::Fd fd(open((before_ + "/other").c_str(),
                            O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (fd.get() < 0 || write(fd.get(), "x", 1) != 1 || fsync(fd.get()) != 0) {
      Inconclusive("cannot sync another file");
    }
  }

  // The power fails. Nobody writes.
  void LosePower() {
    Try([&] {
      if (!image::Snapshot(disk_, before_, left_, proc::In(kSoon))) {
        Inconclusive("the disk did not come to rest");
      }
    });
  }
  // After the end of all that ran.
  void Reboot() {
    Try([&] {
      image::Unmount(before_);
      image::MountSnapshot(*kind_, left_, after_);
    });
  }
  // For a process of the next boot.
  [[nodiscard]] std::unique_ptr<Subject> LockAfter() const {
    const std::string why = proc::EnterBoot(kNextBoot);
    if (!why.empty()) Inconclusive(why);
    return subject_.Make(after_ + "/job");
  }
  void ShutDown() { image::Unmount(after_); }

 private:
  template <typename Action>
  static void Try(Action action) {
    try {
      action();
    } catch (const image::ImageError& error) {
      Inconclusive(error.what());
    }
  }

  const SubjectFactory& subject_;
  const std::string base_;
  const std::string before_ = base_ + "/before";
  const std::string after_ = base_ + "/after";
  const std::string disk_ = base_ + "/disk";
  const std::string left_ = base_ + "/left";
  const image::Kind* kind_ = nullptr;
};

// What happened until the power failed.
struct Moment {
  std::string_view name;
  void (*happen)(const Machine& machine, Actor* holder);
};

constexpr auto kMoments = std::to_array<Moment>({
    {"while the lock was held", [](const Machine&, Actor*) {}},
    {"while the lock was held, and its name had reached the disk",
     [](const Machine& machine, Actor*) { machine.SyncNames(); }},
    {"while the lock was held, and all had reached the disk",
     [](const Machine& machine, Actor*) { machine.SyncAll(); }},
    {"after its release, which had reached the disk in part",
     [](const Machine& machine, Actor* holder) {
       machine.SyncAll();
       ExpectOk(holder->Release(), "the holder's release");
       machine.SyncNames();
     }},
});

// Of the next boot: it gets the lock, and another does not.
void ExpectHadAgain(const Machine& machine, std::string_view when) {
  const auto make = [&machine] { return machine.LockAfter(); };
  Actor next(make);
  Actor other(make);
  const std::string failed = "power failed " + std::string(when);
  ExpectOk(next.Acquire(kPatience), failed + ": the next boot's acquire");
  ExpectRefused(other.Acquire(0ns), failed + ": another's acquire beside it");
  ExpectOk(next.Release(), failed + ": the next boot's release");
  ExpectOk(other.Acquire(kPatience), failed + ": another's acquire after it");
  other.Kill();
  next.Kill();
}

void FailAt(Machine* machine, const Moment& moment) {
  Step("the power fails " + std::string(moment.name));
  machine->Boot();
  {
    Actor holder([machine] { return machine->Lock(); });
    ExpectOk(holder.Acquire(kSoon), "the holder's acquire");
    moment.happen(*machine, &holder);
    machine->LosePower();
    holder.Kill();
  }
  machine->Reboot();
  ExpectHadAgain(*machine, moment.name);
  machine->ShutDown();
}

// Takes the lock and gives it back until it is killed.
int Busy(const Machine& machine) {
  const auto lock = machine.Lock();
  for (;;) {
    if (!lock->Acquire(kSoon).ok() || !lock->Release().ok()) return 1;
  }
}

void FailAmongMany(Machine* machine, std::mt19937_64* random) {
  Step("the power fails while several take the lock by turns");
  machine->Boot();
  std::vector<proc::Child> crowd;
  for (int i = 0; i < 3; ++i) {
    crowd.push_back(proc::Child::Spawn([machine] { return Busy(*machine); }));
  }
  for (int i = 0; i < 3; ++i) {
    usleep(static_cast<useconds_t>((*random)() % 20'000));
    machine->SyncNames();
  }
  for (proc::Child& child : crowd) child.Kill(SIGSTOP);
  for (proc::Child& child : crowd) {
    if (child.WaitStopped(proc::In(kSoon))) continue;
    Inconclusive("one of those who took the lock ended");
  }
  machine->LosePower();
  crowd.clear();
  machine->Reboot();
  ExpectHadAgain(*machine, "while several took the lock by turns");
  machine->ShutDown();
}

Finding LockIsHadAgain(const ClaimContext& context) {
  Machine machine(context);
  for (const Moment& moment : kMoments) FailAt(&machine, moment);
  std::mt19937_64 random(context.seed);
  const int rounds = context.quick ? 1 : 10;
  for (int i = 0; i < rounds; ++i) FailAmongMany(&machine, &random);
  return Finding::Pass(
      "the power failed " +
      std::to_string(kMoments.size() + static_cast<size_t>(rounds)) + " times");
}

Finding SyncedLockIsStale(const ClaimContext& context) {
  Machine machine(context);
  machine.Boot();
  {
    Actor holder([&machine] { return machine.Lock(); });
    ExpectOk(holder.Acquire(kSoon), "the holder's acquire");
    machine.SyncAll();
    machine.LosePower();
    holder.Kill();
  }
  machine.Reboot();
  Actor next([&machine] { return machine.LockAfter(); });
  Expect(next.IsLocked(), "a lock that had reached the disk is gone");
  const Reply life = next.Do(Verb::kIsDead);
  Expect(life.flag, "after the reboot its holder is not called dead: " +
                        life.outcome.message);
  return Finding::Pass();
}

constexpr auto kRows = std::to_array<Claim>({
    {.id = "power.lock_is_had_again",
     .level = Level::kShould,
     .statement = "whatever of a lock has reached the disk when the power "
                  "fails, it can be had again after the reboot, and by one",
     .source = "ext4: delayed allocation, files of no length after a crash "
               "(Linux, Documentation/filesystems/ext4, auto_da_alloc)",
     .excuse = nullptr,
     .body = LockIsHadAgain,
     .needs = "power-loss"},
    {.id = "power.synced_lock_is_stale",
     .level = Level::kMust,
     .statement = "a lock that had reached the disk when the power failed is "
                  "there after the reboot, and its holder is called dead",
     .source = "locks by pid alone: another process has the pid after a reboot",
     .excuse = UnlessSoft,
     .body = SyncedLockIsStale,
     .needs = "power-loss"},
});

}  // namespace

std::span<const Claim> PowerClaims() { return kRows; }

}  // namespace locklab::claims
