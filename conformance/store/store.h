// The results store: one SQLite database in a results directory, for any
// number of runs. schema.sql says what is in it.
//
//   DIR/results.db        the database
//   DIR/runs/RUN_ID/      what a run left beside it: histories
//
// On a local disk it is in WAL mode: readers and one writer at a time do not
// disturb each other. Where other hosts may have the filesystem mounted it has
// a rollback journal instead, since WAL needs memory that all share. In both,
// a process that is killed takes with it what was not yet committed, and
// nothing else.
#ifndef LOCKLAB_CONFORMANCE_STORE_STORE_H_
#define LOCKLAB_CONFORMANCE_STORE_STORE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/report/report.h"
#include "conformance/store/database.h"

namespace locklab::store {

inline constexpr std::string_view kFileName = "results.db";

enum class Mode {
  kRead,   // what is there, also on a read-only disk
  kWrite,  // makes the directory (not its parents) and the store if missing
};

enum class Journal {
  kThatFits,  // the filesystem: kWal or kRollback, as said above
  kWal,
  kRollback,
};

class Store {
 public:
  // Throws StoreError. May wait for other processes, up to kPatience. A store
  // of an older schema is migrated first, also to read it.
  static Store Open(const std::string& dir, Mode mode,
                    Journal journal = Journal::kThatFits);

  // Reads the whole database and throws StoreError if it is damaged.
  void QuickCheck();

  [[nodiscard]] const std::string& dir() const { return dir_; }
  [[nodiscard]] Database& database() { return database_; }

 private:
  Store(std::string dir, Database database)
      : dir_(std::move(dir)), database_(std::move(database)) {}

  std::string dir_;
  Database database_;
};

// Where the files of a run lie.
[[nodiscard]] std::string RunDirectory(const std::string& dir,
                                       std::string_view run_id);

enum class RunState {
  kFinished,
  kRunning,
  kKilled,   // its process is gone, and it never reached its end
  kUnknown,  // kRunning or kKilled: its process is on another host
};
// "finished", "running", "killed", "unknown".
[[nodiscard]] std::string_view RunStateName(RunState state);

// A line of the list of runs.
struct RunSummary {
  std::string run_id;
  RunState state = RunState::kUnknown;
  std::string suite_version;
  std::string dir;
  std::string filesystem;
  std::string variant;  // see report::Context
  std::string profile;
  std::string host;
  std::string started;
  double duration_s = 0;
  uint64_t seed = 0;
  std::string cut_short;
  std::optional<int> exit_code;  // of a finished one
  // How many backends are what, in the order of report::Worth; all zero for
  // runs that did not finish.
  int safe = 0;
  int unsafe = 0;
  int unsupported = 0;
  int inconclusive = 0;
};

// In the order in which they were begun. Throws StoreError.
[[nodiscard]] std::vector<RunSummary> ListRuns(Store* store);

// The whole id of the run that `which` means: "latest", an id, or the
// beginning of one that no other run shares. Throws StoreError (kNoRun).
[[nodiscard]] std::string FindRun(Store* store, std::string_view which);

// The report of a run, as FindRun finds it; what was saved, field for field. A
// run that did not finish is judged by what it had found, with cut_short set.
// Throws StoreError.
[[nodiscard]] report::RunReport LoadRun(Store* store, std::string_view which);

// A file below RunDirectory().
struct Artifact {
  std::string path;  // relative to it
  int64_t bytes = 0;
  std::string sha256;  // 64 hexadecimal digits

  bool operator==(const Artifact&) const = default;
};

// The files that a finished run left, by path. Throws StoreError.
[[nodiscard]] std::vector<Artifact> ListArtifacts(Store* store,
                                                  std::string_view which);

}  // namespace locklab::store

#endif  // LOCKLAB_CONFORMANCE_STORE_STORE_H_
