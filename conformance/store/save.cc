#include "conformance/store/save.h"

namespace locklab::store {
namespace {

using report::BackendReport;
using report::ClaimResult;
using report::Context;
using report::RunReport;

constexpr const char* kRunning = "running";
constexpr const char* kFinished = "finished";

void PutLists(Database* database, int64_t run, const Context& context) {
  database->Run("DELETE FROM versions WHERE run = ?", run);
  for (const auto& [name, version] : context.versions) {
    database->Run("INSERT INTO versions (run, name, version) VALUES (?, ?, ?)",
                  run, name, version);
  }
  database->Run("DELETE FROM expectation_files WHERE run = ?", run);
  for (const std::string& path : context.expectations) {
    database->Run("INSERT INTO expectation_files (run, path) VALUES (?, ?)",
                  run, path);
  }
}

// `run`: nullopt to be given one.
int64_t PutRun(Database* database, std::optional<int64_t> run,
               const Context& context, const char* state,
               const std::string& writer) {
  database->Run(
      "INSERT INTO runs (run, run_id, state, writer, suite_version, seed, "
      "command_line, dir, other_mount, profile, claims_chosen, claims_total, "
      "filesystem_type, filesystem_source, filesystem_options, "
      "filesystem_shared, kernel, host, processors, started, duration_s, "
      "cut_short, variant) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
      "?, ?, ?, ?, ?, ?, ?, '', ?)",
      run, context.run_id, state, writer, context.suite_version,
      std::to_string(context.seed), context.command_line, context.dir,
      context.other_mount, context.profile, context.claims_chosen,
      context.claims_total, context.filesystem.type, context.filesystem.source,
      context.filesystem.options, context.filesystem.shared, context.kernel,
      context.host, context.processors, context.started, context.duration_s,
      context.variant);
  const int64_t put = run.value_or(database->last_rowid());
  PutLists(database, put, context);
  return put;
}

void InsertContention(Database* database, int64_t run,
                      const BackendReport& backend) {
  const report::Contention& crowd = *backend.contention;
  const report::Percentiles& wait = crowd.wait_ns;
  database->Run(
      "INSERT INTO contention (run, backend, processes, acquisitions, "
      "violations, jain, wait_ns_p50, wait_ns_p90, wait_ns_p99, "
      "wait_ns_p99_9, wait_ns_max) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      run, backend.name, crowd.processes, crowd.acquisitions, crowd.violations,
      crowd.jain, wait.p50, wait.p90, wait.p99, wait.p99_9, wait.max);
}

void InsertLatency(Database* database, int64_t run,
                   const BackendReport& backend) {
  const report::Percentiles& ns = *backend.latency_ns;
  database->Run(
      "INSERT INTO latency (run, backend, ns_p50, ns_p90, ns_p99, ns_p99_9, "
      "ns_max) VALUES (?, ?, ?, ?, ?, ?, ?)",
      run, backend.name, ns.p50, ns.p90, ns.p99, ns.p99_9, ns.max);
}

void PutVerdict(Database* database, int64_t run, const RunReport& report) {
  database->Run("UPDATE runs SET cut_short = ?, exit_code = ? WHERE run = ?",
                report.cut_short, static_cast<int>(ExitCodeOf(report)), run);
  for (const std::string& what : report.missing) {
    database->Run("INSERT INTO missing (run, what) VALUES (?, ?)", run, what);
  }
  if (report.recommendation) {
    database->Run(
        "INSERT INTO recommendation (run, backend, reason) VALUES (?, ?, ?)",
        run, report.recommendation->backend, report.recommendation->reason);
  }
}

}  // namespace

int64_t InsertRun(Database* database, const Context& context,
                  const std::string& writer) {
  return PutRun(database, std::nullopt, context, kRunning, writer);
}

int64_t InsertBenchRun(Database* database, const Context& context,
                       const std::string& writer) {
  const int64_t run = InsertRun(database, context, writer);
  database->Run("UPDATE runs SET kind = 'bench' WHERE run = ?", run);
  return run;
}

void FinishBenchRun(Database* database, int64_t run, double duration_s,
                    const std::string& cut_short, Exit code) {
  database->Run(
      "UPDATE runs SET state = ?, duration_s = ?, cut_short = ?, exit_code = ? "
      "WHERE run = ?",
      kFinished, duration_s, cut_short, static_cast<int>(code), run);
}

void InsertBackend(Database* database, int64_t run,
                   const BackendReport& backend) {
  database->Run(
      "INSERT INTO backends (run, name, verdict, reason, supported, complete, "
      "released_on_crash) VALUES (?, ?, ?, ?, ?, ?, ?)",
      run, backend.name, WorthName(backend.worth), backend.reason,
      backend.supported, backend.complete, backend.released_on_crash);
}

int64_t InsertClaim(Database* database, int64_t run, std::string_view backend,
                    const ClaimResult& claim) {
  std::optional<std::string_view> of;
  if (!backend.empty()) of = backend;
  std::optional<report::Expectation> expected = claim.expected;
  const auto part = [&expected](std::string report::Expectation::*field) {
    return expected ? std::optional((*expected).*field) : std::nullopt;
  };
  database->Run(
      "INSERT INTO claims (run, backend, id, level, verdict, reason, "
      "evidence, replay, duration_s, expected_reason, expected_link, "
      "expected_where) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      run, of, claim.id, LevelName(claim.level),
      VerdictName(claim.finding.verdict), claim.finding.reason,
      claim.finding.evidence, claim.replay, claim.duration_s,
      part(&report::Expectation::reason), part(&report::Expectation::link),
      part(&report::Expectation::where));
  return database->last_rowid();
}

void InsertPrimitive(Database* database, int64_t run,
                     const report::Primitive& primitive) {
  const int64_t claim = InsertClaim(database, run, "", primitive.claim);
  for (const std::string& backend : primitive.carries) {
    database->Run("INSERT INTO carries (claim, backend) VALUES (?, ?)", claim,
                  backend);
  }
}

void PutNumbers(Database* database, int64_t run, const BackendReport& backend) {
  for (const char* table :
       {"contention", "latency", "distributions", "crash_points"}) {
    database->Run(
        std::string("DELETE FROM ") + table + " WHERE run = ? AND backend = ?",
        run, backend.name);
  }
  if (backend.contention) InsertContention(database, run, backend);
  if (backend.latency_ns) InsertLatency(database, run, backend);
  database->Run("UPDATE backends SET floor_ns = ? WHERE run = ? AND name = ?",
                backend.floor_ns, run, backend.name);
  for (const report::Distribution& distribution : backend.distributions) {
    const std::string buckets = PackBuckets(distribution.buckets);
    database->Run(
        "INSERT INTO distributions (run, backend, of, buckets) "
        "VALUES (?, ?, ?, ?)",
        run, backend.name, distribution.of, Blob{buckets});
  }
  for (const report::CrashPoint& point : backend.crash) {
    database->Run(
        "INSERT INTO crash_points (run, backend, point, waiters, call, "
        "verdict, reason, recovery_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        run, backend.name, point.point, point.waiters, point.call,
        VerdictName(point.verdict), point.reason, point.recovery_ns);
  }
}

void PutCanary(Database* database, int64_t run, const report::Canary& canary) {
  database->Run(
      "INSERT OR REPLACE INTO canary (run, name, caught, reason) "
      "VALUES (?, ?, ?, ?)",
      run, canary.name, canary.caught, canary.reason);
}

void PutFinished(Database* database, int64_t run, const std::string& writer,
                 const RunReport& report,
                 const std::vector<Artifact>& artifacts) {
  // With everything that belongs to it.
  database->Run("DELETE FROM runs WHERE run = ?", run);
  PutRun(database, run, report.context, kFinished, writer);
  PutVerdict(database, run, report);
  for (const report::Primitive& primitive : report.primitives) {
    InsertPrimitive(database, run, primitive);
  }
  for (const BackendReport& backend : report.backends) {
    InsertBackend(database, run, backend);
    PutNumbers(database, run, backend);
    for (const ClaimResult& claim : backend.claims) {
      InsertClaim(database, run, backend.name, claim);
    }
  }
  if (report.canary) PutCanary(database, run, *report.canary);
  for (const Artifact& artifact : artifacts) {
    database->Run(
        "INSERT INTO artifacts (run, path, bytes, sha256) VALUES (?, ?, ?, ?)",
        run, artifact.path, artifact.bytes, artifact.sha256);
  }
}

}  // namespace locklab::store
