// The benchmarks, each registered by one call from main.
//
//   uncontended/BACKEND/lock    acquire and release of a free lock
//   uncontended/BACKEND/floor   the same bare system calls in a loop
//   uncontended/BACKEND/ratio   both in short turns: lock_ns, floor_ns, ratio
//   handoff/BACKEND             from release() invoked in one process to
//                               acquire() returned in the one that waits, and
//                               in turns with it the floor: from unlink(2) to
//                               the return of read(2) on inotify. p50_ns,
//                               p99_ns, floor_p50_ns, floor_p99_ns, ratio (of
//                               the medians)
#ifndef LOCKLAB_BENCH_BENCH_H_
#define LOCKLAB_BENCH_BENCH_H_

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace locklab::bench {

// `dir`: where the locks live; each benchmark makes and removes a directory of
// its own in it.
void RegisterUncontended(const std::string& dir);
// `handoffs`: in each repetition.
void RegisterHandoff(const std::string& dir, int handoffs);

// The sample below which `share` of the samples lie. Sorts them.
[[nodiscard]] double Percentile(std::vector<double>& samples, double share);

// Ends a benchmark in an error, which makes the run's exit code 1.
void Fail(benchmark::State& state, const std::string& why);
// Whether any benchmark of this process ended so.
[[nodiscard]] bool AnyFailed();

}  // namespace locklab::bench

#endif  // LOCKLAB_BENCH_BENCH_H_
