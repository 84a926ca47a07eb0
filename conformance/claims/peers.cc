// Never two holders, also where they are strangers to each other: on another
// mount, or of another language.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string>

#include "conformance/claims/actor.h"
#include "conformance/claims/contest.h"
#include "conformance/claims/families.h"
#include "conformance/compat/python_contender.h"
#include "conformance/proc/patience.h"

namespace locklab::claims {
namespace {

using compat::PythonContender;

// Held through one mount, refused through the other.
void ExpectRefusedThere(const ClaimContext& context, const std::string& here,
                        const std::string& there) {
  Actor holder([&] { return context.subject.Make(here + "/job"); });
  Actor other([&] { return context.subject.Make(there + "/job"); });
  ExpectOk(holder.Acquire(kSoon), "acquire through a mount");
  ExpectRefused(other.Acquire(0ns), "acquire through the other mount");
  ExpectRefused(other.Acquire(30ms), "a waiting acquire through the other");
  ExpectOk(holder.Release(), "release through a mount");
  ExpectOk(other.Acquire(kSoon), "acquire through the other mount afterwards");
  ExpectOk(other.Release(), "release through the other mount");
}

ContestResult ContendThere(const ClaimContext& context) {
  Contest contest = StandardContest(context.seed, context.quick);
  contest.other_dir = context.other_dir;
  contest.deadline = proc::Patient(contest.deadline);
  ContestResult result;
  const auto enough = proc::In(proc::Patient(15s));
  // A slow filesystem gets more time.
  for (int stretch = 1; stretch <= 64; stretch *= 4) {
    Step("processes contend through two mounts");
    result = context.arena.Contend(context.subject, context.dir, contest);
    const bool told = result.exclusion.verdict != Verdict::kInconclusive;
    if (told || proc::Clock::now() >= enough) break;
    contest.duration *= 4;
    contest.deadline += contest.duration;
  }
  return result;
}

Finding AcrossMounts(const ClaimContext& context) {
  Step("one mount holds, the other is refused");
  ExpectRefusedThere(context, context.dir, context.other_dir);
  ExpectRefusedThere(context, context.other_dir, context.dir);
  const ContestResult result = ContendThere(context);
  if (result.exclusion.verdict != Verdict::kPass) return result.exclusion;
  // Some filesystems let a client wait for another for tens of seconds. That
  // nobody waits for ever is asked elsewhere.
  if (result.progress.verdict != Verdict::kPass) {
    Inconclusive("nobody intruded, but " + result.progress.reason);
  }
  return Finding::Pass("processes on both mounts, " +
                       std::to_string(result.acquisitions) + " acquisitions");
}

Finding DataAcrossMounts(const ClaimContext& context) {
  return ContendThere(context).coherence;
}

// --- Python's lockfile -----------------------------------------------------

std::string_view UnlessPython(const lockfile::Traits& traits) {
  return traits.python_compatible
             ? ""
             : "Python's lockfile has no lock that is compatible to this one";
}

void ExpectAnswer(PythonContender* python, const std::string& request,
                  std::string_view wanted, const std::string& when) {
  const auto answer = python->Ask(request, proc::In(2 * kSoon));
  if (!answer) Inconclusive("Python does not answer");
  Expect(*answer == wanted, "Python's " + request.substr(0, request.find(' ')) +
                                " " + when + ": " + *answer + " instead of " +
                                std::string(wanted));
}

// Inside of the lock nobody else may be; Python makes the same file.
void EnterOften(const ClaimContext& context, const std::string& marker,
                int holds) {
  const auto subject = MakeJob(context);
  for (int i = 0; i < holds; ++i) {
    ExpectOk(subject->Acquire(2 * kSoon), "acquire beside Python");
    const int fd =
        open(marker.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    Expect(fd >= 0, "the lock was given while Python held it");
    close(fd);
    unlink(marker.c_str());
    ExpectOk(subject->Release(), "release beside Python");
  }
}

// Whatever else is compatible says so of Python's usual one.
std::string_view PythonsName(std::string_view name) {
  const lockfile::BackendRow* row = lockfile::FindBackend(name);
  return row != nullptr && row->traits.python_compatible ? name : "link";
}

Finding ForeignPeer(const ClaimContext& context) {
  PythonContender python(PythonsName(context.subject.name()), JobPath(context));
  const auto ours = MakeJob(context);
  Step("Python tries while this lock is held");
  ExpectOk(ours->Acquire(kSoon), "acquire");
  ExpectAnswer(&python, "try", "refused", "while we hold it");
  ExpectOk(ours->Release(), "release");
  ExpectAnswer(&python, "try", "ok", "of a free lock");
  Step("this lock is tried while Python holds");
  ExpectAnswer(&python, "acquire", "ok", "of a free lock");
  ExpectRefused(ours->Acquire(0ns), "acquire while Python holds the lock");
  ExpectRefused(ours->Acquire(30ms),
                "a waiting acquire while Python holds the lock");
  if (ours->inspector() != nullptr) {
    Expect(IsLocked(*ours), "is_locked() is false while Python holds the lock");
  }
  ExpectAnswer(&python, "release", "ok", "of its own lock");
  Step("both contend");
  const int holds = context.quick ? 20 : 1000;
  const std::string marker = context.dir + "/marker";
  python.Send("contend " + marker + " " + std::to_string(holds));
  EnterOften(context, marker, 2 * holds);
  const auto answer = python.Receive(proc::In(3 * kSoon));
  if (!answer) Inconclusive("Python does not answer");
  Expect(*answer == "ok", "Python, contending: " + *answer);
  return Finding::Pass(std::to_string(holds) + " holds of Python's among " +
                       std::to_string(2 * holds));
}

constexpr auto kRows = std::to_array<Claim>({
    {.id = "exclusion.across_mounts",
     .level = Level::kMust,
     .statement = "processes on two mounts of one filesystem never hold one "
                  "lock at once",
     .source = "nfs(5): local_lock=, nolock",
     .excuse = nullptr,
     .body = AcrossMounts,
     .needs = "second-mount"},
    {.id = "exclusion.data_across_mounts",
     .level = Level::kMust,
     .statement = "nor is an update of a counter file lost that is opened, "
                  "read, written and closed under it on two mounts",
     .source = "nfs(5): close-to-open consistency, by the times of files",
     .excuse = nullptr,
     .body = DataAcrossMounts,
     .needs = "second-mount"},
    {.id = "exclusion.foreign_peer",
     .level = Level::kShould,
     .statement = "this lock and that of Python's lockfile exclude each other "
                  "on one path",
     .source = "Python lockfile 0.12.2, whose files it shares",
     .excuse = UnlessPython,
     .body = ForeignPeer,
     .needs = "python3-lockfile"},
});

}  // namespace

std::span<const Claim> PeerClaims() { return kRows; }

}  // namespace locklab::claims
