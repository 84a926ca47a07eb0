#include "bench/trend/trend.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>

namespace locklab::bench {
namespace {

// A place is looked at for itself: ext4 is not a regression of tmpfs.
std::string GroupOf(const TrendRun& run, bool hosts_apart) {
  std::string group = run.kind + '\n' + run.place + '\n' + run.profile;
  if (!hosts_apart) return group;
  for (const auto& [key, value] : run.surroundings) {
    group += '\n' + key + '\n' + value;
  }
  return group;
}

std::string NameOf(const TrendRun& run) {
  return fmt::format("{} of {}", run.run_id.substr(0, 8), run.started);
}

// Each run beside the one before it in its place.
std::vector<std::string> MixedIn(const std::vector<TrendRun>& runs) {
  std::vector<std::string> mixed;
  std::map<std::string, const TrendRun*> before;
  for (const TrendRun& run : runs) {
    const TrendRun*& last = before[GroupOf(run, false)];
    if (last != nullptr) {
      for (size_t i = 0; i < run.surroundings.size(); ++i) {
        const auto& [key, value] = run.surroundings[i];
        const std::string& old = last->surroundings[i].second;
        if (old == value) continue;
        mixed.push_back(fmt::format("{}: {} {} until run {}, {} from run {}",
                                    run.place, key, old, NameOf(*last), value,
                                    NameOf(run)));
      }
    }
    last = &run;
  }
  return mixed;
}

bool Correct(const std::string& verdict) {
  return verdict == "safe" || verdict == "pass";
}

bool Wrong(const std::string& verdict) {
  return verdict == "unsafe" || verdict == "fail";
}

// By what the last run of each place that tried a lock says of it.
std::vector<std::string> NewlyWrongIn(const std::vector<TrendRun>& runs) {
  struct Known {
    bool was_correct = false;
    std::string wrong;  // now
  };
  std::map<std::string, Known> known;
  for (const TrendRun& run : runs) {
    for (const TrendRun::Lock& lock : run.locks) {
      Known& now = known[GroupOf(run, false) + '\n' + lock.backend];
      if (Correct(lock.verdict)) now = {.was_correct = true, .wrong = ""};
      if (!Wrong(lock.verdict)) continue;
      now.wrong = fmt::format("{} on {}, by run {}: {}", lock.backend,
                              run.place, NameOf(run), lock.reason);
    }
  }
  std::vector<std::string> wrong;
  for (const auto& [key, now] : known) {
    if (now.was_correct && !now.wrong.empty()) wrong.push_back(now.wrong);
  }
  return wrong;
}

std::vector<TrendSeries> SeriesIn(const std::vector<TrendRun>& runs,
                                  bool hosts_apart) {
  std::vector<TrendSeries> all;
  std::map<std::string, size_t> index;
  for (size_t i = 0; i < runs.size(); ++i) {
    const TrendRun& run = runs[i];
    for (const TrendRun::Number& number : run.numbers) {
      const auto [at, added] =
          index.try_emplace(GroupOf(run, hosts_apart) + '\n' + number.backend +
                                '\n' + number.measure + '\n' + number.unit,
                            all.size());
      if (added) {
        all.push_back({.place = run.place,
                       .kind = run.kind,
                       .profile = run.profile,
                       .host = run.host,
                       .backend = number.backend,
                       .measure = number.measure,
                       .unit = number.unit});
      }
      all[at->second].runs.push_back(i);
      all[at->second].values.push_back(number.value);
    }
  }
  return all;
}

// With fewer runs than these not even the best split of all would be shown for
// sure: it is as likely as 2 of the ways to choose a half, and permutations
// drawn by chance meet them more or less often.
size_t NeededFor(double alpha) {
  double ways = 1;
  for (size_t n = 1;; ++n) {
    // n over n / 2, from the one before.
    ways *= static_cast<double>(n) / static_cast<double>((n + 1) / 2);
    if (n >= 2 * stats::kShortestSegment && 10 / ways <= alpha) return n;
  }
}

double NoiseOf(std::span<const double> values, uint64_t seed) {
  std::vector<double> halves[2];
  for (size_t i = 0; i < values.size(); ++i) halves[i % 2].push_back(values[i]);
  return stats::NoiseFloor(halves[0], halves[1], seed);
}

Standing StandingOf(const ChangePoint& change, double now, bool accepted,
                    const TrendLimits& limits) {
  if (change.ratio.ratio <= 1) return Standing::kBetter;
  const double most = 1 + std::max(limits.max_regression, 3 * change.noise);
  if (change.ratio.ratio <= most) return Standing::kSmall;
  if (now <= change.before * most) return Standing::kTakenBack;
  return accepted ? Standing::kAccepted : Standing::kRegressed;
}

void FindChanges(TrendSeries* series, double alpha, size_t since,
                 const TrendLimits& limits) {
  const std::span<const double> values = series->values;
  std::vector<size_t> at = stats::ChangePoints(values, alpha, limits.seed);
  at.push_back(values.size());
  const auto median = [](std::span<const double> part) {
    return stats::Median({part.begin(), part.end()});
  };
  const size_t last = at.size() < 2 ? 0 : at[at.size() - 2];
  const double now = median(values.subspan(last));
  size_t from = 0;
  for (size_t i = 0; i + 1 < at.size(); ++i) {
    const auto before = values.subspan(from, at[i] - from);
    const auto after = values.subspan(at[i], at[i + 1] - at[i]);
    ChangePoint change{.run = series->runs[at[i]],
                       .last = series->runs[at[i] - 1],
                       .before = median(before),
                       .after = median(after)};
    change.ratio =
        stats::RatioOfMedians(before, after, 1 - limits.alpha, limits.seed);
    change.noise = NoiseOf(before, limits.seed);
    change.standing = StandingOf(change, now, change.run < since, limits);
    series->changes.push_back(change);
    from = at[i];
  }
}

size_t Find(const std::vector<TrendRun>& runs, const std::string& id) {
  std::optional<size_t> found;
  for (size_t i = 0; i < runs.size(); ++i) {
    if (!runs[i].run_id.starts_with(id)) continue;
    if (found) {
      throw std::invalid_argument(
          fmt::format("there are several runs \"{}...\"", id));
    }
    found = i;
  }
  if (!found) {
    throw std::invalid_argument(
        fmt::format("there is no run \"{}\" among those looked at", id));
  }
  return *found;
}

}  // namespace

std::string StandingName(Standing standing) {
  switch (standing) {
    case Standing::kBetter:
      return "better";
    case Standing::kSmall:
      return "small";
    case Standing::kTakenBack:
      return "taken back";
    case Standing::kAccepted:
      return "accepted";
    case Standing::kRegressed:
      return "REGRESSED";
  }
  return "?";
}

bool Trend::regressed() const {
  const auto bad = [](const ChangePoint& change) {
    return change.standing == Standing::kRegressed;
  };
  return std::any_of(series.begin(), series.end(), [&](const auto& each) {
    return std::any_of(each.changes.begin(), each.changes.end(), bad);
  });
}

Trend TrendOf(std::vector<TrendRun> runs, const TrendLimits& limits) {
  Trend trend;
  trend.series = SeriesIn(runs, limits.hosts_apart);
  if (!limits.hosts_apart) trend.mixed = MixedIn(runs);
  trend.newly_wrong = NewlyWrongIn(runs);
  std::set<std::string> suites;
  for (const TrendRun& run : runs) suites.insert(run.suite_version);
  if (suites.size() > 1) trend.suites = {suites.begin(), suites.end()};
  const size_t since = limits.since.empty() ? 0 : Find(runs, limits.since);
  const double alpha = limits.alpha / static_cast<double>(std::max<size_t>(
                                          trend.series.size(), 1));
  trend.needed = NeededFor(alpha);
  for (TrendSeries& series : trend.series) {
    series.too_few = series.values.size() < trend.needed;
    if (!series.too_few) FindChanges(&series, alpha, since, limits);
  }
  trend.runs = std::move(runs);
  return trend;
}

Exit Judge(const Trend& trend) {
  if (trend.regressed() || !trend.newly_wrong.empty()) return kExitFailed;
  if (trend.series.empty()) return kExitNothingRan;
  const bool none =
      std::all_of(trend.series.begin(), trend.series.end(),
                  [](const TrendSeries& each) { return each.too_few; });
  return none ? kExitInconclusive : kExitOk;
}

}  // namespace locklab::bench
