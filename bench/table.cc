#include "bench/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "lib/backends.h"

namespace locklab::bench {
namespace {

std::string Microseconds(double ns) {
  return ns > 0 ? fmt::format("{:.1f} us", ns / 1000) : "";
}

std::string Ratio(double ratio) {
  return ratio > 0 ? fmt::format("{:.2f}", ratio) : "";
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
  constexpr std::string_view kRow =
      "| {:<7} | {:>9} | {:>9} | {:>5} | {:>9} | {:>9} | {:>9} | {:>5} | {:>9} "
      "|\n";
  std::string table =
      fmt::format(kRow, "backend", "lock", "floor", "ratio", "handoff", "p99",
                  "floor", "ratio", "pipe") +
      fmt::format(kRow, "-------", "--------:", "--------:", "----:",
                  "--------:", "--------:", "--------:", "----:", "--------:");
  for (const lockfile::BackendRow& row : lockfile::Backends()) {
    const std::string free = fmt::format("uncontended/{}/ratio/", row.name);
    const std::string handoff = fmt::format("handoff/{}/", row.name);
    if (Median(free + "ratio") == 0 && Median(handoff + "ratio") == 0) continue;
    table += fmt::format(kRow, row.name, Microseconds(Median(free + "lock_ns")),
                         Microseconds(Median(free + "floor_ns")),
                         Ratio(Median(free + "ratio")),
                         Microseconds(Median(handoff + "p50_ns")),
                         Microseconds(Median(handoff + "p99_ns")),
                         Microseconds(Median(handoff + "floor_p50_ns")),
                         Ratio(Median(handoff + "ratio")),
                         Microseconds(Median(handoff + "pipe_p50_ns")));
  }
  return table;
}

}  // namespace locklab::bench
