// The runs of a results store, as a trend takes them.
#ifndef LOCKLAB_BENCH_TREND_FROM_STORE_H_
#define LOCKLAB_BENCH_TREND_FROM_STORE_H_

#include <cstddef>
#include <vector>

#include "bench/trend/trend.h"
#include "conformance/report/report.h"
#include "conformance/store/bench_run.h"
#include "conformance/store/store.h"

namespace locklab::bench {

// Of a run of check: percentiles of latency and wait, and the floor.
[[nodiscard]] TrendRun TrendRunOf(const report::RunReport& run);
// Of a run of bench: the median of each series.
[[nodiscard]] TrendRun TrendRunOf(const store::BenchRun& run);

struct History {
  std::vector<TrendRun> runs;  // in order of time
  size_t left_out = 0;         // that did not finish or were cut short
};

// The last `most` runs of check and bench. Throws store::StoreError.
[[nodiscard]] History ReadHistory(store::Store* store, size_t most);

}  // namespace locklab::bench

#endif  // LOCKLAB_BENCH_TREND_FROM_STORE_H_
