#include "bench/compare/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "conformance/report/text.h"

namespace locklab::bench {
namespace {

using Json = nlohmann::ordered_json;
using stats::Change;

double NoiseOf(const std::vector<double>& samples, uint64_t seed) {
  std::vector<double> first;
  std::vector<double> second;
  for (size_t i = 0; i < samples.size(); ++i) {
    (i % 2 == 0 ? first : second).push_back(samples[i]);
  }
  return stats::NoiseFloor(first, second, seed);
}

Row RowOf(const Series& base, const Series& candidate, const Limits& limits,
          size_t rows) {
  Row row{.backend = base.backend,
          .measure = base.measure,
          .unit = base.unit,
          .base_ns = stats::Median(base.samples),
          .candidate_ns = stats::Median(candidate.samples)};
  row.comparison = stats::Compare(
      base.samples, candidate.samples,
      {.alpha = limits.alpha / static_cast<double>(rows), .seed = limits.seed});
  row.noise = NoiseOf(base.samples, limits.seed);
  row.regressed = row.comparison.change == Change::kGreater &&
                  row.comparison.ratio.ratio - 1 >
                      std::max(limits.max_regression, 3 * row.noise);
  return row;
}

std::vector<Group> GroupsOf(const std::vector<Row>& rows) {
  std::vector<Group> groups;
  std::map<std::string, std::vector<double>> ratios;
  for (const Row& row : rows) {
    if (!ratios.contains(row.measure)) groups.push_back({row.measure});
    ratios[row.measure].push_back(row.comparison.ratio.ratio);
  }
  for (Group& group : groups) {
    group.ratio = stats::GeometricMean(ratios[group.measure]);
  }
  return groups;
}

const std::string* ValueOf(const SeriesFile& file, const std::string& key) {
  for (const auto& [name, value] : file.environment) {
    if (name == key) return &value;
  }
  return nullptr;
}

std::vector<std::string> Differences(const SeriesFile& base,
                                     const SeriesFile& candidate) {
  std::vector<std::string> differ;
  for (const auto& [key, value] : base.environment) {
    const std::string* other = ValueOf(candidate, key);
    if (other != nullptr && *other == value) continue;
    differ.push_back(fmt::format("{}: {} in the base, {} in the candidate", key,
                                 value,
                                 other == nullptr ? "not told" : *other));
  }
  return differ;
}

const Correctness* Find(const SeriesFile& file, const std::string& backend) {
  for (const Correctness& lock : file.locks) {
    if (lock.backend == backend) return &lock;
  }
  return nullptr;
}

std::vector<std::string> NewlyWrong(const SeriesFile& base,
                                    const SeriesFile& candidate) {
  std::vector<std::string> wrong;
  for (const Correctness& lock : candidate.locks) {
    if (lock.verdict != "fail") continue;
    const Correctness* before = Find(base, lock.backend);
    if (before != nullptr && before->verdict == "fail") continue;
    wrong.push_back(fmt::format("{}: {}", lock.backend, lock.reason));
  }
  return wrong;
}

std::string Percent(double ratio) {
  return fmt::format("{:+.1f} %", 100 * (ratio - 1));
}

std::string Show(double value, const Row& row) {
  return ShowValue(value, row.unit);
}

std::string Word(const Row& row) {
  if (row.regressed) return "REGRESSED";
  switch (row.comparison.change) {
    case Change::kLess:
      return "faster";
    case Change::kGreater:
      return "slower";
    default:
      return std::string(stats::ChangeName(row.comparison.change));
  }
}

void Add(const char* title, const std::vector<std::string>& lines,
         std::string* out) {
  if (lines.empty()) return;
  *out += fmt::format("\n{}:\n", title);
  for (const std::string& line : lines) *out += fmt::format("  {}\n", line);
}

}  // namespace

bool Compared::regressed() const {
  return std::any_of(rows.begin(), rows.end(),
                     [](const Row& row) { return row.regressed; });
}

bool Compared::too_few() const {
  return std::any_of(rows.begin(), rows.end(), [](const Row& row) {
    return row.comparison.change == Change::kTooFew;
  });
}

Compared CompareFiles(const SeriesFile& base, const SeriesFile& candidate,
                      const Limits& limits) {
  Compared compared;
  std::vector<std::pair<const Series*, const Series*>> both;
  for (const Series& series : base.series) {
    const Series* other = candidate.Find(series.backend, series.measure);
    if (other != nullptr) {
      both.emplace_back(&series, other);
    } else {
      compared.apart.push_back(
          fmt::format("{} {}: in the base", series.backend, series.measure));
    }
  }
  for (const Series& series : candidate.series) {
    if (base.Find(series.backend, series.measure) != nullptr) continue;
    compared.apart.push_back(
        fmt::format("{} {}: in the candidate", series.backend, series.measure));
  }
  std::vector<double> noises;
  for (const auto& [one, other] : both) {
    compared.rows.push_back(RowOf(*one, *other, limits, both.size()));
    noises.push_back(compared.rows.back().noise);
  }
  compared.noise = stats::Median(noises);
  compared.groups = GroupsOf(compared.rows);
  compared.differ = Differences(base, candidate);
  compared.newly_wrong = NewlyWrong(base, candidate);
  return compared;
}

Exit Judge(const Compared& compared) {
  if (!compared.newly_wrong.empty() || compared.regressed()) return kExitFailed;
  if (compared.rows.empty()) return kExitNothingRan;
  const bool lost = std::any_of(
      compared.apart.begin(), compared.apart.end(),
      [](const std::string& line) { return line.ends_with("in the base"); });
  return lost || compared.too_few() ? kExitInconclusive : kExitOk;
}

std::string ToText(const Compared& compared, bool gate) {
  std::string out = fmt::format(
      "{:<10} {:<20} {:>9} {:>9} {:>9}  {:>19} {:>8} {:>7}\n", "backend",
      "measure", "base", "candidate", "change", "interval", "p", "noise");
  for (const Row& row : compared.rows) {
    const stats::Comparison& c = row.comparison;
    out += fmt::format(
        "{:<10} {:<20} {:>9} {:>9} {:>9}  {:>19} {:>8.2g} {:>7}  {}\n",
        row.backend, row.measure, Show(row.base_ns, row),
        Show(row.candidate_ns, row), Percent(c.ratio.ratio),
        Percent(c.ratio.low) + " .. " + Percent(c.ratio.high), c.test.p,
        fmt::format("{:.1f} %", 100 * row.noise), Word(row));
  }
  out += "\n";
  for (const Group& group : compared.groups) {
    out += fmt::format("{:<31} geometric mean {:>8}\n", group.measure,
                       Percent(group.ratio));
  }
  if (!compared.rows.empty()) {
    out += fmt::format(
        "noise floor (A against A, median of the rows): {:.1f} %; ~: nothing "
        "is shown\n",
        100 * compared.noise);
  }
  if (compared.too_few()) {
    out += fmt::format("too few: nothing is said of less than {} samples\n",
                       stats::kFewestSamples);
  }
  Add("on one side only", compared.apart, &out);
  Add("not the same, so that numbers may differ for that", compared.differ,
      &out);
  Add("not correct any more", compared.newly_wrong, &out);
  if (gate) {
    constexpr const char* kSays[] = {
        "passed", "FAILED", "", "nothing compared", "", "inconclusive"};
    out += fmt::format("\ngate: {}\n", kSays[Judge(compared)]);
  }
  return out;
}

std::string ToMarkdown(const Compared& compared) {
  std::string out =
      "| lock | measure | base | candidate | change | interval | p | |\n"
      "|---|---|---|---|---|---|---|---|\n";
  for (const Row& row : compared.rows) {
    const stats::Comparison& c = row.comparison;
    out += fmt::format("| {} | {} | {} | {} | {} | {} .. {} | {:.2g} | {} |\n",
                       row.backend, row.measure, Show(row.base_ns, row),
                       Show(row.candidate_ns, row), Percent(c.ratio.ratio),
                       Percent(c.ratio.low), Percent(c.ratio.high), c.test.p,
                       row.regressed ? "**REGRESSED**" : Word(row));
  }
  out += fmt::format("\nNoise floor {:.1f} %.\n", 100 * compared.noise);
  const auto list = [&out](const char* title,
                           const std::vector<std::string>& lines) {
    if (lines.empty()) return;
    out += fmt::format("\n{}:\n\n", title);
    for (const std::string& line : lines) out += fmt::format("- {}\n", line);
  };
  list("Not correct any more", compared.newly_wrong);
  list("On one side only", compared.apart);
  list("Not the same", compared.differ);
  return out;
}

std::string ToJson(const Compared& compared, const Limits& limits) {
  Json rows = Json::array();
  for (const Row& row : compared.rows) {
    const stats::Comparison& c = row.comparison;
    rows.push_back({{"backend", row.backend},
                    {"measure", row.measure},
                    {"unit", row.unit},
                    {"base_ns", row.base_ns},
                    {"candidate_ns", row.candidate_ns},
                    {"base_samples", c.base_samples},
                    {"candidate_samples", c.candidate_samples},
                    {"ratio", c.ratio.ratio},
                    {"ratio_low", c.ratio.low},
                    {"ratio_high", c.ratio.high},
                    {"p", c.test.p},
                    {"effect", c.test.effect},
                    {"change", std::string(stats::ChangeName(c.change))},
                    {"noise", row.noise},
                    {"regressed", row.regressed}});
  }
  Json groups = Json::array();
  for (const Group& group : compared.groups) {
    groups.push_back({{"measure", group.measure}, {"ratio", group.ratio}});
  }
  const Json json = {{"kind", "locklab compare"},
                     {"schema_version", 1},
                     {"alpha", limits.alpha},
                     {"max_regression", limits.max_regression},
                     {"rows", std::move(rows)},
                     {"groups", std::move(groups)},
                     {"noise", compared.noise},
                     {"one_sided", compared.apart},
                     {"environments_differ", compared.differ},
                     {"newly_wrong", compared.newly_wrong},
                     {"exit_code", static_cast<int>(Judge(compared))}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string ToGithubActionBenchmark(const SeriesFile& file) {
  Json json = Json::array();
  for (const Series& series : file.series) {
    const auto [low, high] =
        std::minmax_element(series.samples.begin(), series.samples.end());
    if (series.samples.empty()) continue;
    json.push_back({{"name", series.backend + " " + series.measure},
                    {"unit", series.unit},
                    {"value", stats::Median(series.samples)},
                    {"range", fmt::format("{:.0f} .. {:.0f}", *low, *high)}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string ToBencher(const SeriesFile& file) {
  Json json = Json::object();
  for (const Series& series : file.series) {
    const auto [low, high] =
        std::minmax_element(series.samples.begin(), series.samples.end());
    if (series.samples.empty()) continue;
    json[series.backend + " " + series.measure]
        [series.unit == "ns" ? "latency" : series.unit] = {
            {"value", stats::Median(series.samples)},
            {"lower_value", *low},
            {"upper_value", *high}};
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace locklab::bench
