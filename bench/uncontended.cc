// Acquire and release of a free lock, beside its floor.
#include <fmt/format.h>

#include <memory>
#include <string>

#include "bench/bench.h"
#include "bench/floor.h"
#include "conformance/proc/temp_dir.h"
#include "lib/lock_file.h"

namespace locklab::bench {
namespace {

void MeasureLock(benchmark::State& state, const std::string& backend,
                 const std::string& dir) {
  const proc::TempDir own(dir);
  lockfile::Options options;
  options.backend = backend;
  lockfile::LockFile lock(own / "resource", options);
  std::error_code error;
  lock.acquire(std::chrono::seconds(0), error);  // what is done only once
  if (error) return Fail(state, lock.last_error_message());
  lock.release();
  for (auto _ : state) {
    lock.acquire();
    lock.release();
  }
}

void MeasureFloor(benchmark::State& state, const std::string& backend,
                  const std::string& dir) {
  const proc::TempDir own(dir);
  const std::unique_ptr<Floor> floor = MakeFloor(backend, own.path());
  if (floor == nullptr) return Fail(state, "no floor for " + backend);
  if (!floor->Cycle()) return Fail(state, floor->Complaint());
  for (auto _ : state) {
    if (!floor->Cycle()) return Fail(state, floor->Complaint());
  }
}

}  // namespace

void RegisterUncontended(const std::string& dir) {
  for (const lockfile::BackendRow& row : lockfile::Backends()) {
    const std::string backend(row.name);
    const std::string name = "uncontended/" + backend;
    benchmark::RegisterBenchmark(
        (name + "/lock").c_str(),
        [=](benchmark::State& state) { MeasureLock(state, backend, dir); });
    benchmark::RegisterBenchmark(
        (name + "/floor").c_str(),
        [=](benchmark::State& state) { MeasureFloor(state, backend, dir); });
  }
}

}  // namespace locklab::bench
