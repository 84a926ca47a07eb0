// The result of one run, as plain data: what every reporter writes out, and
// what verdicts and exit codes are derived from. Nothing in here looks at a
// lock, a clock or a file.
#ifndef LOCKLAB_CONFORMANCE_REPORT_REPORT_H_
#define LOCKLAB_CONFORMANCE_REPORT_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conformance/verdict/exit.h"
#include "conformance/verdict/verdict.h"

namespace locklab::report {

// Of the JSON document: schema.json describes it.
inline constexpr int kSchemaVersion = 4;

// What a lock is worth on the filesystem that was examined.
enum class Worth {
  kSafe,         // no MUST claim failed, and enough was examined
  kUnsafe,       // a MUST claim failed
  kUnsupported,  // the directory cannot carry it
  kInconclusive,
};
// "safe", "unsafe", ...
[[nodiscard]] std::string_view WorthName(Worth worth);

// Of a distribution, in nanoseconds.
struct Percentiles {
  int64_t p50 = 0;
  int64_t p90 = 0;
  int64_t p99 = 0;
  int64_t p99_9 = 0;
  int64_t max = 0;
};

// A whole distribution: how many values in each bucket, named by the largest
// value that belongs to it.
struct Distribution {
  std::string of;  // "wait_ns": what was measured, and its unit
  std::vector<std::pair<int64_t, int64_t>> buckets;

  bool operator==(const Distribution&) const = default;
};

// The line of an expectations file that says of a failure that it is known.
struct Expectation {
  std::string reason;
  std::string link;   // where to read of it; may be empty
  std::string where;  // "ext4.expect:12"

  bool operator==(const Expectation&) const = default;
};

struct ClaimResult {
  std::string id;
  Level level = Level::kMust;
  Finding finding;
  std::string replay;  // the command that runs it again; empty: it passed
  double duration_s = 0;
  std::optional<Expectation> expected = {};
};

// A claim about the directory itself, examined once for all locks.
struct Primitive {
  ClaimResult claim;
  std::vector<std::string> carries;  // backends that stand on it
};

// Many processes on one lock.
struct Contention {
  int processes = 0;
  int64_t acquisitions = 0;
  int64_t violations = 0;  // times at which two of them held it
  Percentiles wait_ns{};   // from wanting the lock to having it
  double jain = 0;         // fairness: 1 is equal shares
};

// A process died at a system call of an operation: did the others get on?
struct CrashPoint {
  std::string point;  // "acquire:3:before", as locklab crash --point names it
  int waiters = 0;    // processes that wanted the lock meanwhile
  std::string call;   // "Link job.lock": what it was about to do, or had done
  Verdict verdict = Verdict::kInconclusive;
  std::string reason;  // empty: pass
  // From the death, or from when somebody wanted the lock if that was later,
  // to the next grant; nullopt: it was not granted.
  std::optional<int64_t> recovery_ns;

  bool operator==(const CrashPoint&) const = default;
};

// Of all points of one lock.
struct CrashSum {
  int64_t points = 0;
  int64_t recovered = 0;
  int64_t failed = 0;
  int64_t worst_ns = 0;
  std::string worst;  // where that was
};

struct BackendReport {
  std::string name;
  Worth worth = Worth::kInconclusive;
  std::string reason;  // why not simply safe; empty: nothing to say
  // Set by the probe; `reason` then says why.
  bool supported = true;
  // Set when all that was planned for it was done.
  bool complete = false;
  std::vector<ClaimResult> claims;
  std::optional<Contention> contention;
  std::optional<Percentiles> latency_ns;  // acquire + release, nobody else
  // The same system calls with no library around them, median.
  std::optional<int64_t> floor_ns;
  // Of what the percentiles above are percentiles of, and more.
  std::vector<Distribution> distributions;
  // As it declares: the kernel frees it when its holder dies.
  bool released_on_crash = false;
  // Empty: no process was made to die. A sample, unless the profile is full.
  std::vector<CrashPoint> crash;
};

struct Filesystem {
  std::string type;
  std::string source;
  std::string options;
  bool shared = false;  // other hosts may have it mounted, too
};

struct Context {
  std::string run_id;  // 32 hexadecimal digits: of this run and no other
  std::string suite_version;
  uint64_t seed = 0;
  std::string command_line;
  std::string dir;
  std::string other_mount;  // `dir` through another mount; empty: was not given
  // The row of the lab that made the filesystem, "nfs3-noac"; empty: none did.
  std::string variant;
  std::string profile;
  // How many claims the filter left, of all: fewer make the run a partial one.
  int claims_chosen = 0;
  int claims_total = 0;
  std::vector<std::string> expectations;  // the files that were given
  Filesystem filesystem;
  std::string kernel;
  std::string host;
  int processors = 0;
  std::string started;  // UTC, "2026-01-02T03:04:05Z"
  double duration_s = 0;
  // Of what else had a part in it: "sqlite" "3.40.1".
  std::vector<std::pair<std::string, std::string>> versions;

  [[nodiscard]] bool partial() const { return claims_chosen < claims_total; }
  // Where it was, for people: a variant is remade elsewhere each time.
  [[nodiscard]] const std::string& place() const {
    return variant.empty() ? dir : variant;
  }
};

// The lock that is broken on purpose: a run that does not catch it on the same
// directory cannot be believed.
struct Canary {
  std::string name;
  bool caught = false;
  std::string reason;
};

// Which lock to use in the directory.
struct Recommendation {
  std::string backend;  // empty: none can be recommended
  std::string reason;
};

struct RunReport {
  Context context;
  std::vector<Primitive> primitives;
  std::vector<BackendReport> backends;
  std::optional<Canary> canary;  // nullopt: was not reached
  // Why the run ended before its plan; empty: it did not.
  std::string cut_short;
  // What was required on the command line and is not to be had.
  std::vector<std::string> missing;
  // nullopt: too little was examined to recommend anything.
  std::optional<Recommendation> recommendation;
};

// Sets `worth` and `reason` of every backend from what was found, and the
// recommendation. The same findings always give the same verdict.
void Judge(RunReport* report);

[[nodiscard]] CrashSum SumOf(const std::vector<CrashPoint>& points);

// The claims that decide on a backend: its own, and the primitives that carry
// it.
[[nodiscard]] std::vector<const ClaimResult*> Bearing(
    const RunReport& report, const BackendReport& backend);

// Whether many processes contended, two held the lock at once, and no failure
// of that claim was expected: the exit code counts it, whatever claims say.
[[nodiscard]] bool HeldTwice(const BackendReport& backend);

// Whether the exit code says that of this backend something could not be told.
// A partial run may have left a lock out altogether: that is no doubt. Call
// Judge first.
[[nodiscard]] bool InDoubt(const RunReport& report,
                           const BackendReport& backend);

// What the program exits with: 1 a MUST claim failed or an expected failure
// passed; else 4 something required is missing; else 3 no claim was examined
// in a run that reached its end; else 5 something could not be told; else 0.
// Failed SHOULD claims are reported and do not count. Call Judge first.
[[nodiscard]] Exit ExitCodeOf(const RunReport& report);

}  // namespace locklab::report

#endif  // LOCKLAB_CONFORMANCE_REPORT_REPORT_H_
