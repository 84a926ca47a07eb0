// What a lock does where something runs out, or where very many want it.
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <string>
#include <vector>

#include "conformance/claims/crowd.h"
#include "conformance/claims/families.h"
#include "conformance/claims/seam.h"
#include "conformance/proc/barrier.h"
#include "conformance/proc/child.h"
#include "conformance/proc/patience.h"
#include "conformance/proc/shared.h"

namespace locklab::claims {
namespace {

// --- a full disk -----------------------------------------------------------

bool NeedsSpace(Change change) {
  return change == Change::kCreate || change == Change::kWrite ||
         change == Change::kLink || change == Change::kSymlink ||
         change == Change::kMakeDir;
}

// A lock together with the operating system that it stands on.
class OnOwnOs : public Subject {
 public:
  OnOwnOs(const ClaimContext& context, HookOs::Hook hook)
      : os_(std::move(hook)), subject_(MakeJobOn(context, os_)) {}
  Outcome Acquire(nanoseconds timeout) override {
    return subject_->Acquire(timeout);
  }
  Outcome Release() override { return subject_->Release(); }

 private:
  HookOs os_;
  std::unique_ptr<Subject> subject_;
};

// The soft limit of this process.
void Limit(__rlimit_resource resource, rlim_t most) {
  rlimit limit{};
  getrlimit(resource, &limit);
  limit.rlim_cur = std::min(most, limit.rlim_max);
  setrlimit(resource, &limit);
}

Finding FullDisk(const ClaimContext& context) {
  std::string text;
  if (context.subject.MakeOn(lockfile::os::Os::Real(), JobPath(context))) {
    const Endured endured =
        Endure(context, {.what = "the disk is full",
                         .errors = {ENOSPC},
                         .make = [&](const std::atomic<bool>& hard) {
                           return std::make_unique<OnOwnOs>(
                               context, [&hard](Change change) {
                                 return hard && NeedsSpace(change) ? ENOSPC : 0;
                               });
                         }});
    text = std::to_string(endured.errors) + " acquires failed with ENOSPC; ";
  }
  // The kernel itself refuses what would need room in a file: also to locks
  // that write by calls of their own.
  const Endured endured = Endure(
      context,
      {.what = "no file can grow",
       .errors = {EFBIG, ENOSPC, EIO},
       .make =
           [&](const std::atomic<bool>&) {
             signal(SIGXFSZ, SIG_IGN);
             return MakeJob(context);
           },
       .change =
           [](bool hard) { Limit(RLIMIT_FSIZE, hard ? 0 : RLIM_INFINITY); }});
  return Finding::Pass(text + std::to_string(endured.errors) +
                       " where no file could grow");
}

// --- descriptors -----------------------------------------------------------

Finding FdExhaustion(const ClaimContext& context) {
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const Endured endured =
      Endure(context, {.what = "no file descriptor is left",
                       .errors = {EMFILE},
                       .make =
                           [&](const std::atomic<bool>&) {
                             // What a program around the lock needs once (a
                             // loader, a sanitizer), it gets before: here an
                             // acquire fails.
                             (void)context.subject
                                 .Make(context.dir + "/missing/other")
                                 ->Acquire(0ns);
                             return MakeJob(context);
                           },
                       .change =
                           [&before](bool hard) {
                             if (hard) {
                               UseUpDescriptors();
                             } else {
                               Limit(RLIMIT_NOFILE, before.rlim_cur);
                             }
                           }});
  return Finding::Pass(std::to_string(endured.errors) +
                       " acquires failed with EMFILE");
}

// --- very many -------------------------------------------------------------

constexpr int kMany = 50;

struct Hall {
  std::atomic<uint32_t> ready;
  std::atomic<uint32_t> go;
  std::atomic<int> asking;  // who began to ask for the lock
  std::atomic<int> owner;
  std::atomic<int64_t> opened;  // when the lock was let go for all of them
  std::atomic<int> got;
  std::atomic<int> clashes;
  std::atomic<int> late;    // who did not get it in time
  std::atomic<int> failed;  // or got an error
  std::atomic<int64_t> longest_ns;
  char reason[256];  // of the first error
};

int64_t Ticks(proc::TimePoint time) { return time.time_since_epoch().count(); }

int WaitForTurn(const ClaimContext& context, Hall* hall, nanoseconds bound) {
  const auto subject = MakeJob(context);
  ++hall->ready;
  while (hall->go == 0) proc::FutexWait(hall->go, 0, proc::kForever);
  ++hall->asking;
  const Outcome got = subject->Acquire(bound);
  const int64_t took = Ticks(proc::Clock::now()) - hall->opened;
  if (!got.ok()) {
    if (got.got == Got::kTimeout) {
      ++hall->late;
    } else if (hall->failed.fetch_add(1) == 0) {
      got.message.copy(hall->reason, sizeof hall->reason - 1);
    }
    return 0;
  }
  int nobody = 0;
  if (!hall->owner.compare_exchange_strong(nobody, 1)) ++hall->clashes;
  // Nobody else writes it: this process holds the lock.
  if (took > hall->longest_ns) hall->longest_ns = took;
  ++hall->got;
  hall->owner = 0;
  const Outcome given = subject->Release();
  if (!given.ok() && hall->failed.fetch_add(1) == 0) {
    given.message.copy(hall->reason, sizeof hall->reason - 1);
  }
  return 0;
}

// As many as there can be.
std::vector<proc::Child> Gather(const ClaimContext& context, Hall* hall,
                                size_t count, nanoseconds bound) {
  std::vector<proc::Child> crowd;
  try {
    while (crowd.size() < count) {
      crowd.push_back(proc::Child::Spawn([&context, hall, bound] {
        return WaitForTurn(context, hall, bound);
      }));
    }
  } catch (const std::system_error&) {
    if (crowd.size() < kMany) throw;
    // Room for what the harness still has to start.
    crowd.resize(crowd.size() - kMany / 2);
  }
  return crowd;
}

// Holds the lock until many ask for it: however slowly they come, they meet.
void OpenToAll(const ClaimContext& context, Hall* hall, int count) {
  const auto holder = MakeJob(context);
  ExpectOk(holder->Acquire(kSoon), "the first holder's acquire");
  hall->owner = -1;
  hall->go = 1;
  proc::FutexWakeAll(hall->go);
  const int many = std::min(count, kMany);
  const bool asking =
      proc::Eventually([&] { return hall->asking >= many; }, proc::In(kSoon));
  if (!asking) Inconclusive("the processes do not come to ask for the lock");
  int first = -1;
  if (!hall->owner.compare_exchange_strong(first, 0)) ++hall->clashes;
  hall->opened = Ticks(proc::Clock::now());
  ExpectOk(holder->Release(), "the first holder's release");
}

Finding ThousandProcesses(const ClaimContext& context) {
  const auto wanted = static_cast<size_t>(Times(context, kMany, 1000));
  // Less than what a claim has, so that those who are late can be counted.
  const nanoseconds bound =
      proc::Patient<nanoseconds>(context.quick ? 15s : 40s);
  const proc::Shared<Hall> hall;
  Step("starting " + std::to_string(wanted) + " processes");
  auto crowd = Gather(context, &*hall, wanted, bound);
  const int count = static_cast<int>(crowd.size());
  const bool ready = proc::Eventually(
      [&] { return hall->ready >= crowd.size(); }, proc::In(kSoon));
  if (!ready) Inconclusive("the processes do not start");
  Step(std::to_string(count) + " processes want the lock at once");
  OpenToAll(context, &*hall, count);
  const auto start = proc::Clock::now();
  std::string trouble;
  for (proc::Child& member : crowd) {
    const auto end = member.Wait(start + bound + kSoon / 2);
    Expect(end.has_value(), "a process hangs in an acquire with a timeout");
    if (!end->ok()) trouble = end->Describe();
  }
  const std::string of = " of " + std::to_string(count) + " processes";
  Expect(hall->clashes == 0,
         std::to_string(hall->clashes) + of + " found another in the lock");
  Expect(hall->failed == 0,
         std::to_string(hall->failed) + of + " got an error: " + hall->reason);
  Expect(hall->late == 0, std::to_string(hall->late) + of +
                              " did not get the lock within " + Millis(bound));
  if (hall->got != count) Inconclusive("one of the processes " + trouble);
  ExpectNoLitter(context, "after the last release");
  return Finding::Pass(
      std::to_string(count) + " processes" +
      (crowd.size() < wanted ? " (no more could be started)" : "") +
      " got it in " + Millis(proc::Clock::now() - start) + ", the last after " +
      Millis(nanoseconds(hall->longest_ns)));
}

constexpr auto kRows = std::to_array<Claim>({
    {.id = "load.thousand_processes",
     .level = Level::kShould,
     .statement = "a thousand processes that want the lock at once (in a quick "
                  "run: fifty) all get it",
     .source = "thundering herds: each release wakes all who wait",
     .excuse = nullptr,
     .body = ThousandProcesses},
    {.id = "load.full_disk",
     .level = Level::kMust,
     .statement = "on a full disk calls fail with ENOSPC at once, nobody is "
                  "let in beside another, nothing is left behind, and with "
                  "room again everybody gets the lock",
     .source = "write(2): ENOSPC, EFBIG",
     .excuse = nullptr,
     .body = FullDisk,
     .local = true},
    {.id = "load.fd_exhaustion",
     .level = Level::kMust,
     .statement = "the same for a process that has no file descriptor left: "
                  "EMFILE",
     .source = "getrlimit(2): RLIMIT_NOFILE",
     .excuse = nullptr,
     .body = FdExhaustion,
     .local = true},
});

}  // namespace

std::span<const Claim> ExhaustionClaims() { return kRows; }

}  // namespace locklab::claims
