#include "tools/locklab/gate_series.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

#include "bench/trend/from_store.h"
#include "conformance/report/write_file.h"
#include "conformance/store/store.h"
#include "tools/locklab/flags.h"

namespace locklab::cli {
namespace {

bench::History Read(const SeriesFlags& flags) try {
  store::Store store = store::Store::Open(flags.results, store::Mode::kRead);
  // What is damaged would be believed.
  store.QuickCheck();
  return bench::ReadHistory(&store, flags.last);
} catch (const store::StoreError& error) {
  if (error.may_pass()) throw;
  throw UsageError(fmt::format("--series={}: {}", flags.results, error.what()));
}

// Only what is of these backends.
void Choose(const std::string& list, std::vector<bench::TrendRun>* runs) {
  const std::vector<std::string> names = ParseList("--backend", list);
  const auto other = [&names](const auto& each) {
    return std::find(names.begin(), names.end(), each.backend) == names.end();
  };
  for (const std::string& name : names) {
    const bool there =
        std::any_of(runs->begin(), runs->end(), [&](const auto& run) {
          return std::any_of(
              run.locks.begin(), run.locks.end(),
              [&](const auto& lock) { return lock.backend == name; });
        });
    if (there) continue;
    throw UsageError(fmt::format(
        "--backend: no run of the series examined a lock \"{}\"", name));
  }
  for (bench::TrendRun& run : *runs) {
    std::erase_if(run.numbers, other);
    std::erase_if(run.locks, other);
  }
}

bench::Trend TrendIn(std::vector<bench::TrendRun> runs,
                     const bench::TrendLimits& limits) try {
  return bench::TrendOf(std::move(runs), limits);
} catch (const std::invalid_argument& error) {
  throw UsageError(
      fmt::format("--since: {}; see locklab report --list", error.what()));
}

}  // namespace

Exit GateSeries(const SeriesFlags& flags, Context& context) {
  bench::History history = Read(flags);
  if (history.runs.empty()) {
    fmt::print(context.err.stream,
               "locklab: the results store of {} has no finished runs: make "
               "some with locklab check or bench --out={}\n",
               flags.results, flags.results);
    return kExitNothingRan;
  }
  if (!flags.backends.empty()) Choose(flags.backends, &history.runs);
  const bench::Trend trend = TrendIn(std::move(history.runs), flags.limits);
  if (!flags.markdown.empty()) {
    const std::string trouble = report::WriteFile(
        flags.markdown, bench::ToMarkdown(trend, flags.limits));
    if (!trouble.empty()) throw UsageError("--markdown: " + trouble);
  }
  context.out.stream << (flags.json ? bench::ToJson(trend, flags.limits)
                                    : bench::ToText(trend, flags.limits));
  if (history.left_out > 0) {
    fmt::print(context.err.stream,
               "locklab: {} runs did not reach their end and were left out\n",
               history.left_out);
  }
  if (!trend.mixed.empty() && !flags.insist) {
    throw UsageError(fmt::format(
        "the runs were not made in the same surroundings ({}{}), so that a "
        "change may be of these; look at the runs since then with --last=N, "
        "keep a store for each machine, or insist with --insist",
        trend.mixed.back(),
        trend.mixed.size() > 1
            ? fmt::format("; and {} more", trend.mixed.size() - 1)
            : ""));
  }
  return bench::Judge(trend);
}

}  // namespace locklab::cli
