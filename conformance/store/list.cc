// What runs there are, and which one is meant.
#include <fmt/format.h>

#include <charconv>

#include "conformance/store/state.h"
#include "conformance/store/store.h"
#include "lib/os/os.h"
#include "lib/owner.h"

namespace locklab::store {
namespace {

[[noreturn]] void NoRun(const Store& store, const std::string& why) {
  throw StoreError(
      Trouble::kNoRun,
      fmt::format("{} in the results store of {}: see locklab report "
                  "--results=DIR --list",
                  why, store.dir()));
}

RunSummary SummaryIn(const Database& database, const Statement& row) {
  RunSummary run;
  run.run_id = row.Text(0);
  run.state = StateOf(row.Text(1), row.Text(2));
  run.suite_version = row.Text(3);
  run.dir = row.Text(4);
  run.filesystem = row.Text(5);
  run.profile = row.Text(6);
  run.host = row.Text(7);
  run.started = row.Text(8);
  run.duration_s = row.Real(9);
  run.seed = SeedOf(database, row.Text(10));
  run.cut_short = row.Text(11);
  run.variant = row.Text(17);
  if (!row.IsNull(12)) run.exit_code = static_cast<int>(row.Int(12));
  if (run.state != RunState::kFinished) {
    run.cut_short = WhyCutShort(run.state);
    return run;
  }
  run.safe = static_cast<int>(row.Int(13));
  run.unsafe = static_cast<int>(row.Int(14));
  run.unsupported = static_cast<int>(row.Int(15));
  run.inconclusive = static_cast<int>(row.Int(16));
  return run;
}

}  // namespace

uint64_t SeedOf(const Database& database, const std::string& text) {
  uint64_t seed = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, seed);
  if (error != std::errc() || stop != end) {
    database.FailDamaged(fmt::format("\"{}\" is no seed", text));
  }
  return seed;
}

RunState StateOf(const std::string& state, const std::string& writer) {
  if (state == "finished") return RunState::kFinished;
  const auto owner = lockfile::ParseRecord(writer);
  if (!owner) return RunState::kUnknown;
  switch (lockfile::JudgeLife(lockfile::os::Os::Real(), *owner).life) {
    case lockfile::Life::kAlive:
      return RunState::kRunning;
    case lockfile::Life::kDead:
      return RunState::kKilled;
    case lockfile::Life::kUnknown:
      break;
  }
  return RunState::kUnknown;
}

std::string WhyCutShort(RunState state) {
  switch (state) {
    case RunState::kFinished:
      return "";
    case RunState::kRunning:
      return "the run still goes on: this is what it has found so far";
    case RunState::kKilled:
      return "the run was killed: it never reached its end";
    case RunState::kUnknown:
      break;
  }
  return "the run has not reached its end: it was killed, or it still goes on "
         "on another host";
}

std::string_view RunStateName(RunState state) {
  switch (state) {
    case RunState::kFinished:
      return "finished";
    case RunState::kRunning:
      return "running";
    case RunState::kKilled:
      return "killed";
    case RunState::kUnknown:
      break;
  }
  return "unknown";
}

std::vector<RunSummary> ListRunsOfKind(Store* store, std::string_view kind) {
  Statement row(
      store->database(),
      "SELECT run_id, state, writer, suite_version, dir, filesystem_type, "
      "profile, host, started, duration_s, seed, cut_short, exit_code, "
      "(SELECT count(*) FROM backends b WHERE b.run = runs.run AND "
      " b.verdict = 'safe'), "
      "(SELECT count(*) FROM backends b WHERE b.run = runs.run AND "
      " b.verdict = 'unsafe'), "
      "(SELECT count(*) FROM backends b WHERE b.run = runs.run AND "
      " b.verdict = 'unsupported'), "
      "(SELECT count(*) FROM backends b WHERE b.run = runs.run AND "
      " b.verdict = 'inconclusive'), variant FROM runs WHERE kind = ? "
      "ORDER BY run");
  row.Bind(kind);
  std::vector<RunSummary> runs;
  while (row.Step()) runs.push_back(SummaryIn(store->database(), row));
  return runs;
}

std::vector<RunSummary> ListRuns(Store* store) {
  return ListRunsOfKind(store, kCheck);
}

std::string FindRunOfKind(Store* store, std::string_view which,
                          std::string_view kind, std::string_view latest) {
  Database& database = store->database();
  if (which == "latest") {
    Statement last(database, fmt::format("SELECT run_id FROM runs WHERE kind = "
                                         "? {} ORDER BY run DESC",
                                         latest));
    if (!last.Bind(kind).Step()) {
      NoRun(*store, fmt::format("there is no run of locklab {}", kind));
    }
    return last.Text(0);
  }
  Statement row(database,
                "SELECT run_id FROM runs "
                "WHERE substr(run_id, 1, length(?1)) = ?1 AND kind = ?2 "
                "ORDER BY run_id <> ?1, run LIMIT 2");
  if (which.empty() || !row.Bind(which, kind).Step()) {
    NoRun(*store,
          fmt::format("there is no run \"{}\" of locklab {}", which, kind));
  }
  std::string found = row.Text(0);
  if (found != which && row.Step()) {
    NoRun(*store, fmt::format("there are several runs \"{}...\"", which));
  }
  return found;
}

std::string FindRun(Store* store, std::string_view which) {
  return FindRunOfKind(store, which, kCheck, "");
}

std::vector<Artifact> ListArtifacts(Store* store, std::string_view which) {
  Statement row(store->database(),
                "SELECT path, bytes, sha256 FROM artifacts JOIN runs USING "
                "(run) WHERE run_id = ? ORDER BY path");
  row.Bind(FindRun(store, which));
  std::vector<Artifact> artifacts;
  while (row.Step()) {
    artifacts.push_back({row.Text(0), row.Int(1), row.Text(2)});
  }
  return artifacts;
}

}  // namespace locklab::store
