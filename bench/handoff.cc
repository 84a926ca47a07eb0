// Hand-off: how long after the holder invoked release() does acquire() return
// in the one process that waits for it. Beside it, in the same set-up, bare
// hand-offs: by the removal of a file seen through inotify, and by a pipe.
#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "bench/turns.h"
#include "conformance/proc/temp_dir.h"
#include "lib/lock_file.h"

namespace locklab::bench {
namespace {

using namespace std::chrono_literals;  // NOLINT

class LockBaton final : public Baton {
 public:
  LockBaton(const std::string& path, const std::string& backend)
      : lock_(path, Of(backend)) {}
  void Take() override { lock_.acquire(0s); }
  void Release() override { lock_.release(); }
  void Await() override { lock_.acquire(); }
  void Drop() override { lock_.release(); }

 private:
  static lockfile::Options Of(const std::string& backend) {
    lockfile::Options options;
    options.backend = backend;
    return options;
  }

  lockfile::LockFile lock_;
};

// In the order of the batons.
using Samples = std::vector<std::vector<double>>;

void Report(benchmark::State& state, Samples& ns) {
  state.counters["p50_ns"] = Percentile(ns[0], 0.50);
  state.counters["p99_ns"] = Percentile(ns[0], 0.99);
  state.counters["floor_p50_ns"] = Percentile(ns[1], 0.50);
  state.counters["floor_p99_ns"] = Percentile(ns[1], 0.99);
  state.counters["pipe_p50_ns"] = Percentile(ns[2], 0.50);
  state.counters["ratio"] = Percentile(ns[0], 0.50) / Percentile(ns[1], 0.50);
}

void Measure(benchmark::State& state, const MakeBatons& make) {
  try {
    Turns turns(make);
    Samples samples_ns;
    for (auto _ : state) {
      const std::vector<int64_t> took = turns.Round();
      samples_ns.resize(took.size());
      for (size_t i = 0; i < took.size(); ++i) {
        samples_ns[i].push_back(static_cast<double>(took[i]));
      }
      state.SetIterationTime(samples_ns[0].back() * 1e-9);
    }
    Report(state, samples_ns);
  } catch (const std::exception& error) {
    Fail(state, error.what());
  }
}

}  // namespace

void RegisterHandoff(const std::string& dir, int handoffs) {
  for (const lockfile::BackendRow& row : lockfile::Backends()) {
    const std::string backend(row.name);
    benchmark::RegisterBenchmark(
        ("handoff/" + backend).c_str(),
        [=](benchmark::State& state) {
          const proc::TempDir own(dir);
          Measure(state, [&] {
            Batons batons;
            batons.push_back(
                std::make_unique<LockBaton>(own / "resource", backend));
            batons.push_back(MakeInotifyBaton(own / "bare"));
            batons.push_back(MakePipeBaton(own / "pipe"));
            return batons;
          });
        })
        ->UseManualTime()
        ->Iterations(handoffs);
  }
}

}  // namespace locklab::bench
