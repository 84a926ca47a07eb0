// How far a run has come, from its row.
#ifndef LOCKLAB_CONFORMANCE_STORE_STATE_H_
#define LOCKLAB_CONFORMANCE_STORE_STATE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/store/database.h"
#include "conformance/store/store.h"

namespace locklab::store {

// `state` and `writer` are the columns of runs; asks whether the writer lives.
[[nodiscard]] RunState StateOf(const std::string& state,
                               const std::string& writer);

// For report::RunReport::cut_short; empty: it was not.
[[nodiscard]] std::string WhyCutShort(RunState state);

// runs.kind.
inline constexpr std::string_view kCheck = "check";
inline constexpr std::string_view kBench = "bench";

// FindRun and ListRuns, of one kind; `latest`: what "latest" means, in SQL.
[[nodiscard]] std::string FindRunOfKind(Store* store, std::string_view which,
                                        std::string_view kind,
                                        std::string_view latest);
[[nodiscard]] std::vector<RunSummary> ListRunsOfKind(Store* store,
                                                     std::string_view kind);

// One state of the database for several questions.
class Snapshot {
 public:
  explicit Snapshot(Database* database) : database_(*database) {
    database_.Exec("BEGIN");
  }
  ~Snapshot() {
    try {
      database_.Exec("END");
    } catch (const StoreError&) {
      // What was read was read.
    }
  }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

 private:
  Database& database_;
};

// A row of these columns of runs into what it was made of.
inline constexpr std::string_view kContextColumns =
    "run, state, writer, suite_version, seed, command_line, dir, "
    "other_mount, profile, claims_chosen, claims_total, filesystem_type, "
    "filesystem_source, filesystem_options, filesystem_shared, kernel, host, "
    "processors, started, duration_s, cut_short, variant";
[[nodiscard]] report::Context ContextIn(const Database& database,
                                        const Statement& row,
                                        std::string_view run_id);

// A seed as it is stored, in decimal. Throws StoreError for anything else.
[[nodiscard]] uint64_t SeedOf(const Database& database,
                              const std::string& text);

}  // namespace locklab::store

#endif  // LOCKLAB_CONFORMANCE_STORE_STATE_H_
