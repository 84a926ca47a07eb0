// What the bodies of claims are written with. Every check that does not hold
// ends the body: it throws the Finding, which ClaimRun catches.
#ifndef LOCKLAB_CONFORMANCE_CLAIMS_KIT_H_
#define LOCKLAB_CONFORMANCE_CLAIMS_KIT_H_

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/claims/claim.h"
#include "conformance/claims/step.h"
#include "conformance/proc/patience.h"
#include "conformance/proc/poll_until.h"
#include "conformance/subject/subject.h"
#include "lib/os/os.h"
#include "lib/owner.h"

namespace locklab::claims {

using std::chrono::nanoseconds;
using namespace std::chrono_literals;  // NOLINT: the bodies' vocabulary

// What comes at once on a good day has this long before the body gives up.
inline const nanoseconds kSoon = proc::Patient<nanoseconds>(10s);
inline constexpr nanoseconds kForever = -1ns;  // as Subject::Acquire has it

// --- ends of a body --------------------------------------------------------
[[noreturn]] void Fail(std::string reason);
[[noreturn]] void Unsupported(std::string reason);
[[noreturn]] void Inconclusive(std::string reason);

// Fails with `otherwise` unless `holds`.
void Expect(bool holds, std::string_view otherwise);

// --- what an operation has to end with -------------------------------------
// `what` names it: "the waiter's acquire".

// "got the lock", "was refused", "failed: ...": what happened instead.
std::string Describe(const Outcome& outcome);
void ExpectOk(const Outcome& outcome, std::string_view what);
// Somebody else holds the lock. `code`: which of the two ways to say so,
// where the lock tells them apart.
void ExpectRefused(const Outcome& outcome, std::string_view what,
                   lockfile::Errc code = lockfile::Errc::kOk);
// An error of the lock's own; if the lock tells them apart: this one.
void ExpectError(const Outcome& outcome, lockfile::Errc code,
                 std::string_view what);

// --- subjects --------------------------------------------------------------
// The path that is locked, unless a body is about paths.
std::string JobPath(const ClaimContext& context);
// Warm: to be used in this process.
std::unique_ptr<Subject> MakeJob(const ClaimContext& context);
// On another operating system; ends the body if the lock has no seam.
std::unique_ptr<Subject> MakeJobOn(const ClaimContext& context,
                                   lockfile::os::Os& os);
// The inspector; ends the body if the lock has none.
Inspector& Inspect(Subject& subject);
// These answer or end the body.
bool IsLocked(Subject& subject);
bool IAmLocking(Subject& subject);
bool Break(Subject& subject);
bool BreakIf(Subject& subject, const lockfile::Owner& owner);
std::optional<lockfile::Owner> OwnerOf(Subject& subject);
// The owner, who has to be readable.
lockfile::Owner ReadableOwner(Subject& subject);

// --- how much --------------------------------------------------------------
// How often something is done: a quick run on a slow machine (LOCKLAB_PATIENCE)
// does less of it.
int Times(const ClaimContext& context, int quick, int full);
// Of many cases of one kind a quick run on a slow machine looks at one in so
// many, beginning with the seed's.
struct Sample {
  size_t first = 0;
  size_t step = 1;
};
Sample SampleOf(const ClaimContext& context);
// `meet` does something before the n-th call of something, and says whether it
// has so many. Inconclusive if it never had; unsupported for locks whose calls
// cannot be seen.
Finding EachCall(const ClaimContext& context, std::string_view what,
                 const std::function<bool(int nth)>& meet);

// --- excuses, for Claim::excuse --------------------------------------------
std::string_view UnlessSoft(const lockfile::Traits& traits);
std::string_view UnlessKernel(const lockfile::Traits& traits);
std::string_view UnlessBreakable(const lockfile::Traits& traits);
std::string_view UnlessThreads(const lockfile::Traits& traits);

// --- the directory ---------------------------------------------------------
// Names in a directory, sorted.
std::vector<std::string> Entries(const std::string& dir);
// Fails if more is in the claim's directory than the lock keeps on purpose.
void ExpectNoLitter(const ClaimContext& context, std::string_view when);
// Throws std::system_error.
void WriteText(const std::string& path, std::string_view text);
void MakeDirectory(const std::string& path, unsigned mode = 0755);
// False: this filesystem has no symbolic links.
bool TrySymlink(const std::string& target, const std::string& path);

// --- users and mounts ------------------------------------------------------
[[nodiscard]] bool IsRoot();
// For good, in this process: the user nobody. Throws std::system_error.
void BecomeNobody();
// Mounts `from` on `to` in a mount namespace of this process's own. False: not
// permitted here.
bool TryBindMount(const std::string& from, const std::string& to,
                  bool read_only);

// --- descriptors -----------------------------------------------------------
// Lowers this process's limit so far that there is none to be had.
void UseUpDescriptors();

// --- time ------------------------------------------------------------------
// How late a plain sleep of the same length ends, measured at the same time in
// a thread of its own: the machine's part of every delay.
class SleepControl {
 public:
  explicit SleepControl(nanoseconds duration);
  ~SleepControl();
  SleepControl(const SleepControl&) = delete;
  SleepControl& operator=(const SleepControl&) = delete;
  // Waits for the sleep to end.
  nanoseconds Lateness();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// "12.3 ms", for reasons.
std::string Millis(nanoseconds duration);

}  // namespace locklab::claims

#endif  // LOCKLAB_CONFORMANCE_CLAIMS_KIT_H_
