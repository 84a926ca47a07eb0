// What "correct" means, one row a claim. Lists, help, reports and the
// catalogue's tests are made from the rows; bodies are run by the caller
// through ClaimRun, each in a fresh directory.
#ifndef LOCKLAB_CONFORMANCE_CLAIMS_CLAIM_H_
#define LOCKLAB_CONFORMANCE_CLAIMS_CLAIM_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "conformance/subject/subject.h"
#include "conformance/verdict/verdict.h"
#include "lib/os/os.h"

namespace locklab {

// Many processes on one lock, as a claim asks for it. Claims see this
// interface only; stress/run implements it.
struct Contest {
  int processes = 8;
  int acquisitions = 0;  // in all; 0: until `duration`
  std::chrono::milliseconds duration{0};
  std::chrono::microseconds hold{0};
  std::chrono::milliseconds deadline{30000};  // then it is inconclusive
  uint64_t seed = 0;
  // The directory through another mount, where half of the processes work;
  // empty: all work in the one.
  std::string other_dir = {};

  bool operator==(const Contest&) const = default;
};
struct ContestResult {
  Finding exclusion;  // never two holders (witness and history agree)
  Finding coherence;  // the counter file lost no update
  Finding progress;   // every process got it, none hung
  Finding fairness;   // the slowest process got half of its share
  int64_t acquisitions = 0;
  int64_t violations = 0;
};
// What a run may do once with each lock, for claims to judge.
enum class Trial {
  kDeaths,     // a process dies at every step of the lock's operations
  kScenarios,  // the scenarios of stress/scenarios
};
class Arena {
 public:
  virtual ~Arena() = default;
  virtual ContestResult Contend(const SubjectFactory& subject,
                                const std::string& dir,
                                const Contest& contest) = 0;
  // What the run found out by a trial of the lock; nullopt: it made none.
  [[nodiscard]] virtual std::optional<Finding> Tried(
      Trial trial, const SubjectFactory& subject) {
    (void)trial;
    (void)subject;
    return std::nullopt;
  }
};

// What a body gets. Bodies know the lock by its subject alone, so that a canary
// or a foreign lock is judged by the same code as the library's backends.
struct ClaimContext {
  const SubjectFactory& subject;
  Arena& arena;
  std::string dir;  // fresh and empty; removed by the caller
  uint64_t seed = 0;
  bool quick = true;
  // `dir` as another mount of the same filesystem shows it, with caches of its
  // own; empty: there is none.
  std::string other_dir = {};
  // What primitives call: a test's may lie.
  lockfile::os::Os& os = lockfile::os::Os::Real();
};

struct Claim {
  std::string_view id;  // "release.twice_is_not_locked"
  Level level;
  std::string_view statement;
  std::string_view source;  // standard, manual page, known bug
  // Why the claim does not apply to a lock that declares these traits; empty:
  // it does. nullptr: applies to every lock.
  std::string_view (*excuse)(const lockfile::Traits& traits);
  Finding (*body)(const ClaimContext& context);
  // Judges the standard contest (contest.h), which a run may have held already.
  bool contest = false;
  // Judges this trial (Arena::Tried), if the run made it.
  std::optional<Trial> trial = std::nullopt;
  // Asks the directory and not a lock: `context.subject` means nothing to its
  // body, and a run examines it once, whatever locks it examines.
  bool primitive = false;
  // The backends that stand on this primitive, separated by blanks: where it
  // fails they are not safe, whatever else was seen of them.
  std::string_view carries = "";
  // Features (features.h) without which it is unsupported, separated by blanks.
  std::string_view needs = "";
  // Is about what a process does that has the lock in it: its forks, threads,
  // signals, descriptors. Does not apply to a lock that another process holds
  // for it.
  bool local = false;
  // Disturbs whatever else uses the filesystem: examined by itself, at the end.
  bool alone = false;
};

// Why `claim` does not apply to `subject`; empty: it does.
[[nodiscard]] std::string_view ExcuseOf(const Claim& claim,
                                        const SubjectFactory& subject);

// All rows, in the order of the catalogue.
[[nodiscard]] std::span<const Claim> Claims();
[[nodiscard]] const Claim* FindClaim(std::string_view id);

// One claim being examined: in a process of its own, in a fresh directory below
// `context.dir` that is removed again. A body that crashes is kFail and says
// with which signal; one that outlives `deadline` is kFail ("hung"); both say
// which step they were at. All processes that a body started end with it.
//
// Used by one thread, which has to live as long as the claim. A claim that is
// destroyed before its end is killed.
class ClaimRun {
 public:
  // Starts it, unless it does not apply: then Wait tells so at once. `context`
  // refers to a subject and an arena that outlive this.
  ClaimRun(const Claim& claim, const ClaimContext& context,
           std::chrono::milliseconds deadline);
  ~ClaimRun();
  ClaimRun(const ClaimRun&) = delete;
  ClaimRun& operator=(const ClaimRun&) = delete;

  // Waits for the finding; nullopt: it is not there by then. kForever is
  // allowed: a claim ends by its own deadline.
  std::optional<Finding> Wait(lockfile::os::TimePoint until);

  [[nodiscard]] const Claim& claim() const;
  // From its start to its finding; zero before that, or if it did not apply.
  [[nodiscard]] std::chrono::nanoseconds took() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// ClaimRun from start to end.
[[nodiscard]] Finding RunClaim(const Claim& claim, const ClaimContext& context,
                               std::chrono::milliseconds deadline);

}  // namespace locklab

#endif  // LOCKLAB_CONFORMANCE_CLAIMS_CLAIM_H_
