// Acquire and release of a free lock, beside its floor.
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "bench/floor.h"
#include "conformance/proc/temp_dir.h"
#include "lib/lock_file.h"

namespace locklab::bench {
namespace {

constexpr int kBlock = 16;  // cycles a turn, some hundred microseconds

// A lock in a directory of its own, with what it does only once behind it.
class WarmLock {
 public:
  WarmLock(const std::string& backend, const std::string& dir)
      : own_(dir), lock_(own_ / "resource", Of(backend)) {
    Cycle();
  }
  void Cycle() {
    lock_.acquire(std::chrono::seconds(0));
    lock_.release();
  }

 private:
  static lockfile::Options Of(const std::string& backend) {
    lockfile::Options options;
    options.backend = backend;
    return options;
  }

  const proc::TempDir own_;
  lockfile::LockFile lock_;
};

class WarmFloor {
 public:
  WarmFloor(const std::string& backend, const std::string& dir)
      : own_(dir), floor_(MakeFloor(backend, own_.path())) {
    if (floor_ == nullptr) throw std::runtime_error("no floor for " + backend);
    Cycle();
  }
  void Cycle() {
    if (!floor_->Cycle()) throw std::runtime_error(floor_->Complaint());
  }

 private:
  const proc::TempDir own_;
  const std::unique_ptr<Floor> floor_;
};

template <typename Subject>
void MeasureOne(benchmark::State& state, const std::string& backend,
                const std::string& dir) {
  try {
    Subject subject(backend, dir);
    for (auto _ : state) subject.Cycle();
  } catch (const std::exception& error) {
    Fail(state, error.what());
  }
}

template <typename Subject>
double BlockNs(Subject& subject) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kBlock; ++i) subject.Cycle();
  const std::chrono::duration<double, std::nano> took =
      std::chrono::steady_clock::now() - start;
  return took.count() / kBlock;
}

// The machine's speed changes from one moment to the next, by more than what
// is to be measured: so both take short turns, and each turn is compared with
// its neighbour.
void MeasureRatio(benchmark::State& state, const std::string& backend,
                  const std::string& dir) {
  std::vector<double> lock_ns;
  std::vector<double> floor_ns;
  std::vector<double> ratio;
  try {
    WarmLock lock(backend, dir);
    WarmFloor floor(backend, dir);
    for (auto _ : state) {
      lock_ns.push_back(BlockNs(lock));
      floor_ns.push_back(BlockNs(floor));
      ratio.push_back(lock_ns.back() / floor_ns.back());
      state.SetIterationTime(lock_ns.back() * kBlock * 1e-9);
    }
  } catch (const std::exception& error) {
    return Fail(state, error.what());
  }
  state.counters["lock_ns"] = Percentile(lock_ns, 0.5);
  state.counters["floor_ns"] = Percentile(floor_ns, 0.5);
  state.counters["ratio"] = Percentile(ratio, 0.5);
}

}  // namespace

void RegisterUncontended(const std::string& dir) {
  for (const lockfile::BackendRow& row : lockfile::Backends()) {
    const std::string backend(row.name);
    const std::string name = "uncontended/" + backend;
    benchmark::RegisterBenchmark((name + "/lock").c_str(),
                                 [=](benchmark::State& state) {
                                   MeasureOne<WarmLock>(state, backend, dir);
                                 });
    benchmark::RegisterBenchmark((name + "/floor").c_str(),
                                 [=](benchmark::State& state) {
                                   MeasureOne<WarmFloor>(state, backend, dir);
                                 });
    benchmark::RegisterBenchmark(
        (name + "/ratio").c_str(),
        [=](benchmark::State& state) { MeasureRatio(state, backend, dir); })
        ->UseManualTime();
  }
}

}  // namespace locklab::bench
