// The result of one run, as plain data: what every reporter writes out, and
// what verdicts and exit codes are derived from. Nothing in here looks at a
// lock, a clock or a file.
#ifndef LOCKLAB_CONFORMANCE_REPORT_REPORT_H_
#define LOCKLAB_CONFORMANCE_REPORT_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/verdict/exit.h"
#include "conformance/verdict/verdict.h"

namespace locklab::report {

inline constexpr int kSchemaVersion = 1;

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

struct ClaimResult {
  std::string id;
  Level level = Level::kMust;
  Finding finding;
  std::string replay;  // the command that runs it again; empty: it passed
};

// Many processes on one lock.
struct Contention {
  int processes = 0;
  int64_t acquisitions = 0;
  int64_t violations = 0;  // times at which two of them held it
  Percentiles wait_ns{};   // from wanting the lock to having it
  double jain = 0;         // fairness: 1 is equal shares
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
};

struct Filesystem {
  std::string type;
  std::string source;
  std::string options;
};

struct Context {
  std::string suite_version;
  uint64_t seed = 0;
  std::string dir;
  std::string profile;
  Filesystem filesystem;
  std::string kernel;
  std::string host;
  int processors = 0;
  std::string started;  // UTC, "2026-01-02T03:04:05Z"
  double duration_s = 0;
};

// The lock that is broken on purpose: a run that does not catch it on the same
// directory cannot be believed.
struct Canary {
  std::string name;
  bool caught = false;
  std::string reason;
};

struct RunReport {
  Context context;
  std::vector<BackendReport> backends;
  std::optional<Canary> canary;  // nullopt: was not reached
  // Why the run ended before its plan; empty: it did not.
  std::string cut_short;
  // What was required on the command line and is not to be had.
  std::vector<std::string> missing;
};

// Sets `worth` and `reason` of every backend from what was found. The same
// findings always give the same verdict.
void Judge(RunReport* report);

// What the program exits with: 1 a MUST claim failed or an expected failure
// passed; else 4 something required is missing; else 3 no claim was examined
// in a run that reached its end; else 5 something could not be told; else 0.
// Failed SHOULD claims are reported and do not count. Call Judge first.
[[nodiscard]] Exit ExitCodeOf(const RunReport& report);

}  // namespace locklab::report

#endif  // LOCKLAB_CONFORMANCE_REPORT_REPORT_H_
