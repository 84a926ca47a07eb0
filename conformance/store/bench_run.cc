#include "conformance/store/bench_run.h"

#include <fmt/format.h>

#include <cmath>

#include "conformance/store/save.h"
#include "conformance/store/state.h"

namespace locklab::store {
namespace {

// Returns its number: of the one that is there, or of a new one.
int64_t PutSeries(Database* database, int64_t row, const Series& series) {
  const std::string buckets = PackBuckets(series.buckets);
  database->Run(
      "INSERT INTO series (run, backend, measure, unit, buckets) "
      "VALUES (?, ?, ?, ?, ?) ON CONFLICT (run, backend, measure) "
      "DO UPDATE SET buckets = excluded.buckets",
      row, series.backend, series.measure, series.unit, Blob{buckets});
  Statement put(*database,
                "SELECT series FROM series "
                "WHERE run = ? AND backend = ? AND measure = ?");
  put.Bind(row, series.backend, series.measure).Step();
  return put.Int(0);
}

std::vector<double> SamplesOf(Database& database, int64_t series,
                              const std::string& name) {
  Statement row(database,
                "SELECT value FROM samples WHERE series = ? ORDER BY sample");
  row.Bind(series);
  std::vector<double> samples;
  while (row.Step()) {
    const double value = row.Real(0);
    if (!std::isfinite(value) || value <= 0) {
      database.FailDamaged(
          fmt::format("a sample of {} is {}, which cannot be", name, value));
    }
    samples.push_back(value);
  }
  return samples;
}

std::vector<Series> SeriesOf(Database& database, int64_t run) {
  Statement row(database,
                "SELECT series, backend, measure, unit, buckets FROM series "
                "WHERE run = ? ORDER BY series");
  row.Bind(run);
  std::vector<Series> all;
  while (row.Step()) {
    Series& series = all.emplace_back();
    series.backend = row.Text(1);
    series.measure = row.Text(2);
    series.unit = row.Text(3);
    auto buckets = UnpackBuckets(row.Text(4));
    if (!buckets) database.FailDamaged("a distribution cannot be read");
    series.buckets = std::move(*buckets);
    series.samples =
        SamplesOf(database, row.Int(0), series.backend + " " + series.measure);
  }
  return all;
}

}  // namespace

void PutSamples(Database* database, int64_t row, const BenchRun& run) {
  for (const Series& series : run.series) {
    const int64_t number = PutSeries(database, row, series);
    Statement count(*database, "SELECT count(*) FROM samples WHERE series = ?");
    count.Bind(number).Step();
    for (auto i = static_cast<size_t>(count.Int(0)); i < series.samples.size();
         ++i) {
      database->Run(
          "INSERT INTO samples (series, sample, value) VALUES (?, ?, ?)",
          number, static_cast<int64_t>(i), series.samples[i]);
    }
  }
  for (const Correctness& lock : run.locks) {
    database->Run(
        "INSERT INTO measured (run, backend, verdict, reason) "
        "VALUES (?, ?, ?, ?) ON CONFLICT (run, backend) "
        "DO UPDATE SET verdict = excluded.verdict, reason = excluded.reason",
        row, lock.backend, lock.verdict, lock.reason);
  }
}

std::vector<RunSummary> ListBenchRuns(Store* store) {
  return ListRunsOfKind(store, kBench);
}

BenchRun LoadBenchRun(Store* store, std::string_view which) {
  Database& database = store->database();
  const Snapshot snapshot(&database);
  const std::string run_id =
      FindRunOfKind(store, which, kBench, "AND state = 'finished'");
  Statement row(database, fmt::format("SELECT {} FROM runs WHERE run_id = ?",
                                      kContextColumns));
  if (!row.Bind(run_id).Step()) database.FailDamaged("a run is gone");
  BenchRun run;
  run.context = ContextIn(database, row, run_id);
  run.series = SeriesOf(database, row.Int(0));
  Statement locks(database,
                  "SELECT backend, verdict, reason FROM measured WHERE run = ? "
                  "ORDER BY entry");
  locks.Bind(row.Int(0));
  while (locks.Step()) {
    run.locks.push_back({locks.Text(0), locks.Text(1), locks.Text(2)});
  }
  return run;
}

}  // namespace locklab::store
