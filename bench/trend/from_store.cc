#include "bench/trend/from_store.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace locklab::bench {
namespace {

TrendRun Begin(const report::Context& context, const char* kind) {
  return {.run_id = context.run_id,
          .started = context.started,
          .suite_version = context.suite_version,
          .kind = kind,
          .profile = context.profile,
          .place = context.place(),
          .host = context.host,
          .surroundings = {{"host", context.host},
                           {"kernel", context.kernel},
                           {"processors", std::to_string(context.processors)},
                           {"filesystem", context.filesystem.type}}};
}

void Add(const std::string& backend, const char* measure, int64_t value,
         TrendRun* run) {
  // A clock that is too coarse shows 0: then there is no ratio to tell.
  if (value <= 0) return;
  run->numbers.push_back({backend, measure, "ns", static_cast<double>(value)});
}

struct Begun {
  store::RunSummary summary;
  bool bench = false;
};

}  // namespace

TrendRun TrendRunOf(const report::RunReport& report) {
  TrendRun run = Begin(report.context, "check");
  for (const report::BackendReport& backend : report.backends) {
    run.locks.push_back({backend.name,
                         std::string(report::WorthName(backend.worth)),
                         backend.reason});
    if (backend.worth == report::Worth::kUnsafe) continue;
    if (backend.latency_ns) {
      Add(backend.name, "latency-p50", backend.latency_ns->p50, &run);
      Add(backend.name, "latency-p99", backend.latency_ns->p99, &run);
    }
    if (backend.floor_ns) Add(backend.name, "floor", *backend.floor_ns, &run);
    if (backend.contention) {
      Add(backend.name, "wait-p50", backend.contention->wait_ns.p50, &run);
      Add(backend.name, "wait-p99", backend.contention->wait_ns.p99, &run);
    }
  }
  return run;
}

TrendRun TrendRunOf(const store::BenchRun& bench) {
  TrendRun run = Begin(bench.context, "bench");
  const auto wrong = [&bench](const std::string& backend) {
    return std::any_of(bench.locks.begin(), bench.locks.end(),
                       [&backend](const store::Correctness& lock) {
                         return lock.backend == backend &&
                                lock.verdict == "fail";
                       });
  };
  for (const store::Correctness& lock : bench.locks) {
    run.locks.push_back({lock.backend, lock.verdict, lock.reason});
  }
  for (const store::Series& series : bench.series) {
    if (series.samples.empty() || wrong(series.backend)) continue;
    run.numbers.push_back({series.backend, series.measure, series.unit,
                           stats::Median(series.samples)});
  }
  return run;
}

History ReadHistory(store::Store* store, size_t most) {
  std::vector<Begun> all;
  History history;
  const auto add = [&](std::vector<store::RunSummary> runs, bool bench) {
    for (store::RunSummary& run : runs) {
      if (run.state == store::RunState::kFinished && run.cut_short.empty()) {
        all.push_back({std::move(run), bench});
      } else {
        ++history.left_out;
      }
    }
  };
  add(store::ListRuns(store), false);
  add(store::ListBenchRuns(store), true);
  std::stable_sort(all.begin(), all.end(), [](const Begun& a, const Begun& b) {
    return a.summary.started < b.summary.started;
  });
  if (all.size() > most) {
    all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(most));
  }
  for (const Begun& run : all) {
    const std::string& id = run.summary.run_id;
    history.runs.push_back(run.bench
                               ? TrendRunOf(store::LoadBenchRun(store, id))
                               : TrendRunOf(store::LoadRun(store, id)));
  }
  return history;
}

}  // namespace locklab::bench
