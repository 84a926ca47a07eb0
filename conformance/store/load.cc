// From rows to a report.
#include <fmt/format.h>

#include <array>

#include "conformance/store/save.h"
#include "conformance/store/state.h"
#include "conformance/store/store.h"

namespace locklab::store {
namespace {

using report::BackendReport;
using report::ClaimResult;
using report::RunReport;
using report::Worth;

constexpr std::array kWorths = {Worth::kSafe, Worth::kUnsafe,
                                Worth::kUnsupported, Worth::kInconclusive};
constexpr std::array kVerdicts = {
    Verdict::kPass,  Verdict::kFail,        Verdict::kXfail,
    Verdict::kXpass, Verdict::kUnsupported, Verdict::kInconclusive};
constexpr std::array kLevels = {Level::kMust, Level::kShould, Level::kReport};

// The reverse of the functions that name verdicts.
template <typename Values, typename Name>
auto Named(const Database& database, const Values& values, Name name_of,
           const std::string& name) {
  for (const auto value : values) {
    if (name_of(value) == name) return value;
  }
  database.FailDamaged(fmt::format("\"{}\" is no verdict and no level", name));
}

class Loader {
 public:
  Loader(Database* database, std::string run_id)
      : database_(*database), run_id_(std::move(run_id)) {}

  RunReport Load() {
    const RunState state = LoadRunRow();
    LoadLists();
    LoadPrimitives();
    LoadBackends();
    LoadRest();
    if (state != RunState::kFinished) {
      report_.cut_short = WhyCutShort(state);
      report::Judge(&report_);
    }
    return std::move(report_);
  }

 private:
  RunState LoadRunRow();
  void LoadLists();
  void LoadPrimitives();
  void LoadBackends();
  void LoadClaims(BackendReport* backend);
  void LoadNumbers(BackendReport* backend);
  void LoadDistributions(BackendReport* backend);
  void LoadCrash(BackendReport* backend);
  void LoadRest();
  ClaimResult ClaimIn(const Statement& row);

  Database& database_;
  std::string run_id_;
  int64_t run_ = 0;
  RunReport report_;
};

RunState Loader::LoadRunRow() {
  Statement row(database_, fmt::format("SELECT {} FROM runs WHERE run_id = ?",
                                       kContextColumns));
  if (!row.Bind(run_id_).Step()) database_.FailDamaged("a run is gone");
  run_ = row.Int(0);
  report_.context = ContextIn(database_, row, run_id_);
  report_.cut_short = row.Text(20);
  return StateOf(row.Text(1), row.Text(2));
}

void Loader::LoadLists() {
  Statement versions(database_,
                     "SELECT name, version FROM versions WHERE run = ? "
                     "ORDER BY entry");
  versions.Bind(run_);
  while (versions.Step()) {
    report_.context.versions.emplace_back(versions.Text(0), versions.Text(1));
  }
  Statement files(database_,
                  "SELECT path FROM expectation_files WHERE run = ? "
                  "ORDER BY entry");
  files.Bind(run_);
  while (files.Step()) report_.context.expectations.push_back(files.Text(0));
}

constexpr const char* kClaimsOf =
    "SELECT claim, id, level, verdict, reason, evidence, replay, duration_s, "
    "expected_reason, expected_link, expected_where FROM claims "
    "WHERE run = ? AND backend IS ? ORDER BY claim";

ClaimResult Loader::ClaimIn(const Statement& row) {
  ClaimResult claim;
  claim.id = row.Text(1);
  claim.level = Named(database_, kLevels, LevelName, row.Text(2));
  claim.finding.verdict = Named(database_, kVerdicts, VerdictName, row.Text(3));
  claim.finding.reason = row.Text(4);
  claim.finding.evidence = row.Text(5);
  claim.replay = row.Text(6);
  claim.duration_s = row.Real(7);
  if (!row.IsNull(8)) {
    claim.expected = {
        .reason = row.Text(8), .link = row.Text(9), .where = row.Text(10)};
  }
  return claim;
}

void Loader::LoadPrimitives() {
  Statement claims(database_, kClaimsOf);
  claims.Bind(run_, std::nullopt);
  while (claims.Step()) {
    report::Primitive primitive{.claim = ClaimIn(claims), .carries = {}};
    Statement carries(database_,
                      "SELECT backend FROM carries WHERE claim = ? "
                      "ORDER BY entry");
    carries.Bind(claims.Int(0));
    while (carries.Step()) primitive.carries.push_back(carries.Text(0));
    report_.primitives.push_back(std::move(primitive));
  }
}

void Loader::LoadBackends() {
  Statement row(
      database_,
      "SELECT name, verdict, reason, supported, complete, released_on_crash, "
      "floor_ns FROM backends WHERE run = ? ORDER BY backend");
  row.Bind(run_);
  while (row.Step()) {
    BackendReport backend;
    backend.name = row.Text(0);
    backend.worth = Named(database_, kWorths, report::WorthName, row.Text(1));
    backend.reason = row.Text(2);
    backend.supported = row.Bool(3);
    backend.complete = row.Bool(4);
    backend.released_on_crash = row.Bool(5);
    if (!row.IsNull(6)) backend.floor_ns = row.Int(6);
    LoadClaims(&backend);
    LoadNumbers(&backend);
    LoadDistributions(&backend);
    LoadCrash(&backend);
    report_.backends.push_back(std::move(backend));
  }
}

void Loader::LoadClaims(BackendReport* backend) {
  Statement claims(database_, kClaimsOf);
  claims.Bind(run_, backend->name);
  while (claims.Step()) backend->claims.push_back(ClaimIn(claims));
}

report::Percentiles PercentilesIn(const Statement& row, int first) {
  return {.p50 = row.Int(first),
          .p90 = row.Int(first + 1),
          .p99 = row.Int(first + 2),
          .p99_9 = row.Int(first + 3),
          .max = row.Int(first + 4)};
}

void Loader::LoadNumbers(BackendReport* backend) {
  Statement crowd(
      database_,
      "SELECT processes, acquisitions, violations, jain, wait_ns_p50, "
      "wait_ns_p90, wait_ns_p99, wait_ns_p99_9, wait_ns_max FROM contention "
      "WHERE run = ? AND backend = ?");
  if (crowd.Bind(run_, backend->name).Step()) {
    backend->contention =
        report::Contention{.processes = static_cast<int>(crowd.Int(0)),
                           .acquisitions = crowd.Int(1),
                           .violations = crowd.Int(2),
                           .wait_ns = PercentilesIn(crowd, 4),
                           .jain = crowd.Real(3)};
  }
  Statement latency(database_,
                    "SELECT ns_p50, ns_p90, ns_p99, ns_p99_9, ns_max "
                    "FROM latency WHERE run = ? AND backend = ?");
  if (latency.Bind(run_, backend->name).Step()) {
    backend->latency_ns = PercentilesIn(latency, 0);
  }
}

void Loader::LoadDistributions(BackendReport* backend) {
  Statement row(database_,
                "SELECT of, buckets FROM distributions "
                "WHERE run = ? AND backend = ? ORDER BY distribution");
  row.Bind(run_, backend->name);
  while (row.Step()) {
    auto buckets = UnpackBuckets(row.Text(1));
    if (!buckets) database_.FailDamaged("a distribution cannot be read");
    backend->distributions.push_back(
        {.of = row.Text(0), .buckets = std::move(*buckets)});
  }
}

void Loader::LoadCrash(BackendReport* backend) {
  Statement row(database_,
                "SELECT point, waiters, call, verdict, reason, recovery_ns "
                "FROM crash_points WHERE run = ? AND backend = ? "
                "ORDER BY entry");
  row.Bind(run_, backend->name);
  while (row.Step()) {
    report::CrashPoint& point = backend->crash.emplace_back();
    point.point = row.Text(0);
    point.waiters = static_cast<int>(row.Int(1));
    point.call = row.Text(2);
    point.verdict = Named(database_, kVerdicts, VerdictName, row.Text(3));
    point.reason = row.Text(4);
    if (!row.IsNull(5)) point.recovery_ns = row.Int(5);
  }
}

void Loader::LoadRest() {
  Statement canary(database_,
                   "SELECT name, caught, reason FROM canary WHERE run = ?");
  if (canary.Bind(run_).Step()) {
    report_.canary = report::Canary{.name = canary.Text(0),
                                    .caught = canary.Bool(1),
                                    .reason = canary.Text(2)};
  }
  Statement missing(database_,
                    "SELECT what FROM missing WHERE run = ? ORDER BY entry");
  missing.Bind(run_);
  while (missing.Step()) report_.missing.push_back(missing.Text(0));
  Statement advice(database_,
                   "SELECT backend, reason FROM recommendation WHERE run = ?");
  if (advice.Bind(run_).Step()) {
    report_.recommendation = report::Recommendation{.backend = advice.Text(0),
                                                    .reason = advice.Text(1)};
  }
}

}  // namespace

report::Context ContextIn(const Database& database, const Statement& row,
                          std::string_view run_id) {
  report::Context context;
  context.run_id = run_id;
  context.suite_version = row.Text(3);
  context.seed = SeedOf(database, row.Text(4));
  context.command_line = row.Text(5);
  context.dir = row.Text(6);
  context.other_mount = row.Text(7);
  context.profile = row.Text(8);
  context.claims_chosen = static_cast<int>(row.Int(9));
  context.claims_total = static_cast<int>(row.Int(10));
  context.filesystem = {.type = row.Text(11),
                        .source = row.Text(12),
                        .options = row.Text(13),
                        .shared = row.Bool(14)};
  context.kernel = row.Text(15);
  context.host = row.Text(16);
  context.processors = static_cast<int>(row.Int(17));
  context.started = row.Text(18);
  context.duration_s = row.Real(19);
  context.variant = row.Text(21);
  return context;
}

RunReport LoadRun(Store* store, std::string_view which) {
  const Snapshot snapshot(&store->database());
  return Loader(&store->database(), FindRun(store, which)).Load();
}

}  // namespace locklab::store
