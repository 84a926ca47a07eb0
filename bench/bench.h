// The benchmarks, each registered by one call from main.
//
//   uncontended/BACKEND/lock    acquire and release of a free lock
//   uncontended/BACKEND/floor   the same bare system calls in a loop
//   uncontended/BACKEND/ratio   both in short turns: lock_ns, floor_ns, ratio
//   handoff/BACKEND             from release() invoked in one process to
//                               acquire() returned in the one that waits, and
//                               in turns with it the floor: from unlink(2) to
//                               the return of read(2) on inotify, and a byte
//                               through a pipe. p50_ns, p99_ns, floor_p50_ns,
//                               floor_p99_ns, pipe_p50_ns, ratio (of the
//                               medians, to the floor)
//   judge/ACTORS/files          the judgement of a history in log files:
//                               items_per_second are events
//   judge/ACTORS/sweep          the same of events in memory
//   judge/ACTORS/memory         KiB that a judge grows by, over the whole of
//                               that history and over an eighth of its length
//   record/event                recording: ns_per_event
//   record/fcntl/PROCESSES      how often that many processes get a bare record
//                               lock, watched by the harness and unwatched, by
//                               turns: watched_per_s, bare_per_s, ratio
#ifndef LOCKLAB_BENCH_BENCH_H_
#define LOCKLAB_BENCH_BENCH_H_

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

namespace locklab::bench {

// `dir`: where the locks live; each benchmark makes and removes a directory of
// its own in it.
void RegisterUncontended(const std::string& dir);
// `handoffs`: in each repetition.
void RegisterHandoff(const std::string& dir, int handoffs);
// `events`: the length of the histories.
void RegisterJudging(const std::string& dir, int64_t events);
void RegisterRecording(const std::string& dir);

// The sample below which `share` of the samples lie. Sorts them.
[[nodiscard]] double Percentile(std::vector<double>& samples, double share);

// Ends a benchmark in an error, which makes the run's exit code 1.
void Fail(benchmark::State& state, const std::string& why);
// Whether any benchmark of this process ended so.
[[nodiscard]] bool AnyFailed();

}  // namespace locklab::bench

#endif  // LOCKLAB_BENCH_BENCH_H_
