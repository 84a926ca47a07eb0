// A trend as text, Markdown and JSON.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "bench/compare/series.h"
#include "bench/trend/trend.h"
#include "conformance/report/plain.h"

namespace locklab::bench {
namespace {

using Json = nlohmann::ordered_json;

std::string Percent(double ratio) {
  return fmt::format("{:+.1f} %", 100 * (ratio - 1));
}

// A place is a directory of any name.
std::string InCell(const std::string& text) {
  std::string out;
  for (const char c : report::Entities(report::OneLine(text))) {
    out += c == '|' ? std::string("&#124;") : std::string(1, c);
  }
  return out;
}

// Calls with (series, change) for each.
template <typename Visit>
size_t ForEachChange(const Trend& trend, const Visit& visit) {
  size_t count = 0;
  for (const TrendSeries& series : trend.series) {
    for (const ChangePoint& change : series.changes) {
      visit(series, change);
      ++count;
    }
  }
  return count;
}

struct Counts {
  size_t judged = 0;
  size_t steady = 0;
  size_t too_few = 0;
  size_t most_runs = 0;  // of those that are too few
};

Counts CountsOf(const Trend& trend) {
  Counts counts;
  for (const TrendSeries& series : trend.series) {
    if (series.too_few) {
      ++counts.too_few;
      counts.most_runs = std::max(counts.most_runs, series.runs.size());
      continue;
    }
    ++counts.judged;
    if (series.changes.empty()) ++counts.steady;
  }
  return counts;
}

std::string Summary(const Trend& trend, const TrendLimits& limits) {
  const Counts counts = CountsOf(trend);
  std::string out = fmt::format(
      "{} runs, {} series, {} of them without a change (E-divisive, alpha {} "
      "over all series)\n",
      trend.runs.size(), counts.judged, counts.steady, limits.alpha);
  if (counts.too_few > 0) {
    out += fmt::format(
        "too few: nothing is said of {} series of up to {} runs; so many "
        "series need {} runs each\n",
        counts.too_few, counts.most_runs, trend.needed);
  }
  if (!trend.suites.empty()) {
    out += fmt::format(
        "several versions of locklab measured ({}): a change may be of what "
        "measures\n",
        fmt::join(trend.suites, ", "));
  }
  return out;
}

void Add(const char* title, const std::vector<std::string>& lines,
         const char* mark, std::string* out) {
  if (lines.empty()) return;
  *out += fmt::format("\n{}:\n{}", title, *mark == '-' ? "\n" : "");
  for (const std::string& line : lines) {
    *out += fmt::format("{} {}\n", mark, line);
  }
}

constexpr const char* kMixed =
    "not the same surroundings, so that a change may be of them";
constexpr const char* kWrong = "not correct any more";

}  // namespace

std::string ToText(const Trend& trend, const TrendLimits& limits) {
  std::string out;
  ForEachChange(trend, [&](const TrendSeries& series, const ChangePoint& at) {
    if (out.empty()) {
      out = fmt::format("{:<12} {:<10} {:<20} {:>9} {:>9} {:>9}  {:>19}  {}\n",
                        "place", "backend", "measure", "before", "after",
                        "change", "interval", "since run");
    }
    const TrendRun& run = trend.runs[at.run];
    out += fmt::format(
        "{:<12} {:<10} {:<20} {:>9} {:>9} {:>9}  {:>19}  {} {} {}  {}\n",
        series.place, series.backend, series.measure,
        ShowValue(at.before, series.unit), ShowValue(at.after, series.unit),
        Percent(at.ratio.ratio),
        Percent(at.ratio.low) + " .. " + Percent(at.ratio.high),
        run.run_id.substr(0, 8), run.started, run.suite_version,
        StandingName(at.standing));
  });
  if (!out.empty()) out += "\n";
  out += Summary(trend, limits);
  Add(kMixed, trend.mixed, " ", &out);
  Add(kWrong, trend.newly_wrong, " ", &out);
  constexpr const char* kSays[] = {
      "passed", "FAILED", "", "nothing to judge", "", "inconclusive"};
  return out + fmt::format("\ngate: {}\n", kSays[Judge(trend)]);
}

std::string ToMarkdown(const Trend& trend, const TrendLimits& limits) {
  std::string rows;
  ForEachChange(trend, [&](const TrendSeries& series, const ChangePoint& at) {
    const TrendRun& run = trend.runs[at.run];
    const bool bad = at.standing == Standing::kRegressed;
    rows += fmt::format(
        "| {} | {} | {} | {} | {} | {} | {} .. {} | {} {} {} | {} |\n",
        InCell(series.place), InCell(series.backend), InCell(series.measure),
        ShowValue(at.before, series.unit), ShowValue(at.after, series.unit),
        Percent(at.ratio.ratio), Percent(at.ratio.low), Percent(at.ratio.high),
        run.run_id.substr(0, 8), run.started, InCell(run.suite_version),
        bad ? "**REGRESSED**" : StandingName(at.standing));
  });
  std::string out;
  if (!rows.empty()) {
    out =
        "| place | lock | measure | before | after | change | interval | since "
        "run | |\n|---|---|---|--:|--:|--:|---|---|---|\n" +
        rows + "\n";
  }
  out += Summary(trend, limits);
  Add(kMixed, trend.mixed, "-", &out);
  Add(kWrong, trend.newly_wrong, "-", &out);
  return out;
}

std::string ToJson(const Trend& trend, const TrendLimits& limits) {
  Json series = Json::array();
  for (const TrendSeries& each : trend.series) {
    Json changes = Json::array();
    for (const ChangePoint& at : each.changes) {
      const TrendRun& run = trend.runs[at.run];
      changes.push_back({{"run_id", run.run_id},
                         {"started", run.started},
                         {"suite_version", run.suite_version},
                         {"last_run_before", trend.runs[at.last].run_id},
                         {"before", at.before},
                         {"after", at.after},
                         {"ratio", at.ratio.ratio},
                         {"ratio_low", at.ratio.low},
                         {"ratio_high", at.ratio.high},
                         {"noise", at.noise},
                         {"standing", StandingName(at.standing)},
                         {"regressed", at.standing == Standing::kRegressed}});
    }
    series.push_back({{"place", each.place},
                      {"kind", each.kind},
                      {"profile", each.profile},
                      {"backend", each.backend},
                      {"measure", each.measure},
                      {"unit", each.unit},
                      {"runs", each.runs.size()},
                      {"too_few", each.too_few},
                      {"changes", std::move(changes)}});
  }
  const Json json = {{"kind", "locklab gate --series"},
                     {"schema_version", 1},
                     {"method", "E-divisive"},
                     {"alpha", limits.alpha},
                     {"max_regression", limits.max_regression},
                     {"runs", trend.runs.size()},
                     {"runs_needed", trend.needed},
                     {"series", std::move(series)},
                     {"surroundings_differ", trend.mixed},
                     {"suites", trend.suites},
                     {"newly_wrong", trend.newly_wrong},
                     {"exit_code", static_cast<int>(Judge(trend))}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace locklab::bench
