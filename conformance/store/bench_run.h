// Runs of locklab bench: samples instead of verdicts.
#ifndef LOCKLAB_CONFORMANCE_STORE_BENCH_RUN_H_
#define LOCKLAB_CONFORMANCE_STORE_BENCH_RUN_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conformance/report/report.h"
#include "conformance/store/store.h"

namespace locklab::store {

// One number a sample, in the order in which they were taken: less is better.
struct Series {
  std::string backend;  // "link"
  std::string measure;  // "uncontended"
  std::string unit = "ns";
  std::vector<double> samples = {};  // positive and finite
  // Of all that the samples are medians or percentiles of: as
  // report::Distribution. Empty: a sample is all there is.
  std::vector<std::pair<int64_t, int64_t>> buckets = {};

  bool operator==(const Series&) const = default;
};

// Of a lock: whether what was measured was judged correct.
struct Correctness {
  std::string backend;
  std::string verdict;  // as VerdictName
  std::string reason;

  bool operator==(const Correctness&) const = default;
};

struct BenchRun {
  report::Context context;  // profile and claims: nothing
  std::vector<Series> series;
  std::vector<Correctness> locks;
};

// In the order in which they were begun; no verdicts. Throws StoreError.
[[nodiscard]] std::vector<RunSummary> ListBenchRuns(Store* store);

// The run that `which` means, as FindRun says it; "latest" is the last one that
// finished, while an id may name one that was killed: what it had measured is
// there. Throws StoreError: kNoRun, also if there is none at all; kDamaged, if
// a sample is no positive number.
[[nodiscard]] BenchRun LoadBenchRun(Store* store, std::string_view which);

// For RunWriter: what `run` has and the store does not have yet of run number
// `row`, in the caller's transaction. Samples are added at the end of series,
// never changed; distributions and correctness are put in place of the old.
void PutSamples(Database* database, int64_t row, const BenchRun& run);

}  // namespace locklab::store

#endif  // LOCKLAB_CONFORMANCE_STORE_BENCH_RUN_H_
