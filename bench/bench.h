// The benchmarks, each registered by one call from main.
//
//   uncontended/BACKEND/lock    acquire and release of a free lock
//   uncontended/BACKEND/floor   the same bare system calls in a loop
//   handoff/BACKEND             from release() invoked in one process to
//                               acquire() returned in the one that waits
//   handoff/floor               from unlink(2) to the return of read(2) on an
//                               inotify descriptor, in the same set-up
#ifndef LOCKLAB_BENCH_BENCH_H_
#define LOCKLAB_BENCH_BENCH_H_

#include <benchmark/benchmark.h>

#include <string>

namespace locklab::bench {

// `dir`: where the locks live; each benchmark makes and removes a directory of
// its own in it.
void RegisterUncontended(const std::string& dir);
// `handoffs`: in each repetition.
void RegisterHandoff(const std::string& dir, int handoffs);

// Ends a benchmark in an error, which makes the run's exit code 1.
void Fail(benchmark::State& state, const std::string& why);
// Whether any benchmark of this process ended so.
[[nodiscard]] bool AnyFailed();

}  // namespace locklab::bench

#endif  // LOCKLAB_BENCH_BENCH_H_
