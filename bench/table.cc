#include "bench/table.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/backends.h"

namespace locklab::bench {
namespace {

std::string Microseconds(double ns) {
  return ns > 0 ? fmt::format("{:.1f} us", ns / 1000) : "";
}

std::string Ratio(double value, double floor) {
  return value > 0 && floor > 0 ? fmt::format("{:.2f}", value / floor) : "";
}

std::string Row(const std::string& name, double lock, double floor, double p50,
                double p99, double bare) {
  return fmt::format(
      "| {:<7} | {:>9} | {:>9} | {:>5} | {:>11} | {:>11} | {:>5} |\n", name,
      Microseconds(lock), Microseconds(floor), Ratio(lock, floor),
      Microseconds(p50), Microseconds(p99), Ratio(p50, bare));
}

}  // namespace

bool TableReporter::ReportContext(const Context& context) {
  PrintBasicContext(&GetErrorStream(), context);
  return true;
}

void TableReporter::ReportRuns(const std::vector<Run>& runs) {
  for (const Run& run : runs) {
    if (run.run_type != Run::RT_Iteration) continue;
    const std::string& name = run.run_name.function_name;
    if (run.error_occurred) {
      GetErrorStream() << name << ": " << run.error_message << "\n";
      continue;
    }
    samples_[name].push_back(run.GetAdjustedRealTime() * 1e9 /
                             benchmark::GetTimeUnitMultiplier(run.time_unit));
    for (const auto& [counter, value] : run.counters) {
      samples_[fmt::format("{}/{}", name, counter)].push_back(value);
    }
  }
}

double TableReporter::Median(const std::string& what) const {
  const auto found = samples_.find(what);
  if (found == samples_.end()) return 0;
  std::vector<double> sorted = found->second;
  std::sort(sorted.begin(), sorted.end());
  const size_t middle = sorted.size() / 2;
  return sorted.size() % 2 != 0 ? sorted[middle]
                                : (sorted[middle - 1] + sorted[middle]) / 2;
}

std::string TableReporter::Table() const {
  std::string table =
      "| backend | lock      | floor     | ratio | handoff p50 | handoff p99 "
      "| ratio |\n"
      "|---------|----------:|----------:|------:|------------:|------------:"
      "|------:|\n";
  const double bare = Median("handoff/floor/p50_ns");
  for (const lockfile::BackendRow& row : lockfile::Backends()) {
    const std::string name(row.name);
    const double lock = Median("uncontended/" + name + "/lock");
    const double p50 = Median("handoff/" + name + "/p50_ns");
    if (lock == 0 && p50 == 0) continue;
    table += Row(name, lock, Median("uncontended/" + name + "/floor"), p50,
                 Median("handoff/" + name + "/p99_ns"), bare);
  }
  if (bare > 0) {
    table += Row("inotify", 0, 0, bare, Median("handoff/floor/p99_ns"), 0);
  }
  return table;
}

}  // namespace locklab::bench
