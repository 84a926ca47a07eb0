#include "tools/locklab/flags.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <utility>

#include "conformance/proc/duration.h"

namespace locklab::cli {
namespace {

// Edits that turn one word into another: insert, delete, replace, and swap of
// neighbours, each 1.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1);
  std::vector<size_t> last(b.size() + 1);
  std::vector<size_t> now(b.size() + 1);
  std::iota(last.begin(), last.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        now[j] = std::min(now[j], before[j - 2] + 1);
      }
    }
    before.swap(last);
    last.swap(now);
  }
  return last[b.size()];
}

[[noreturn]] void BadValue(std::string_view flag, std::string_view text,
                           std::string_view want) {
  throw UsageError(fmt::format("{}={}: {}", flag, text, want));
}

}  // namespace

uint64_t ParseNumber(std::string_view flag, std::string_view text, uint64_t min,
                     uint64_t max) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && stop == end && value >= min && value <= max) {
    return value;
  }
  BadValue(flag, text,
           fmt::format("not a whole number from {} to {}", min, max));
}

std::chrono::nanoseconds ParseSeconds(std::string_view flag,
                                      std::string_view text) {
  // Beyond it a wait never ends: see Deadline::After.
  constexpr auto kLongest = std::chrono::nanoseconds::max();
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] =
      std::from_chars(text.data(), end, value, std::chars_format::fixed);
  const bool number = error == std::errc() && stop == end;
  if (!number || !std::isfinite(value) || std::signbit(value)) {
    BadValue(flag, text, "not a number of seconds, such as 10 or 0.5");
  }
  const std::chrono::duration<double> seconds(value);
  if (seconds >= kLongest) return kLongest;
  return std::chrono::ceil<std::chrono::nanoseconds>(seconds);
}

std::chrono::nanoseconds ParseDuration(std::string_view flag,
                                       std::string_view text) {
  const auto duration = proc::ParseDuration(text);
  if (duration) return *duration;
  BadValue(flag, text,
           "not a duration: a number and a unit (ns, us, ms, s, m, h), such "
           "as 500us or 1.5h");
}

std::vector<std::string> ParseList(std::string_view flag,
                                   std::string_view text) {
  std::vector<std::string> items;
  for (size_t start = 0; start <= text.size();) {
    const size_t comma = std::min(text.find(',', start), text.size());
    items.emplace_back(text.substr(start, comma - start));
    if (items.back().empty()) BadValue(flag, text, "an item is empty");
    start = comma + 1;
  }
  return items;
}

std::string_view ParseChoice(std::string_view flag, std::string_view text,
                             std::span<const std::string_view> choices) {
  const auto found = std::find(choices.begin(), choices.end(), text);
  if (found != choices.end()) return *found;
  BadValue(flag, text,
           fmt::format("it must be one of {}{}", fmt::join(choices, ", "),
                       DidYouMean(text, choices)));
}

CLI::Option* AddNumber(CLI::App& app, const std::string& flag, uint64_t* target,
                       const std::string& doc, uint64_t min, uint64_t max) {
  const auto set = [=](const std::string& text) {
    *target = ParseNumber(flag, text, min, max);
  };
  return app.add_option_function<std::string>(flag, set, doc)->type_name("N");
}

CLI::Option* AddSeconds(CLI::App& app, const std::string& flag,
                        std::optional<std::chrono::nanoseconds>* target,
                        const std::string& doc) {
  const auto set = [=](const std::string& text) {
    *target = ParseSeconds(flag, text);
  };
  return app.add_option_function<std::string>(flag, set, doc)
      ->type_name("SECONDS");
}

CLI::Option* AddDuration(CLI::App& app, const std::string& flag,
                         std::chrono::nanoseconds* target,
                         const std::string& doc) {
  const auto set = [=](const std::string& text) {
    *target = ParseDuration(flag, text);
  };
  return app.add_option_function<std::string>(flag, set, doc)
      ->type_name("DURATION");
}

CLI::Option* AddChoice(CLI::App& app, const std::string& flag,
                       std::string* target,
                       std::vector<std::string_view> choices,
                       const std::string& doc) {
  const std::string type = fmt::format("{}", fmt::join(choices, "|"));
  const auto set = [flag, target,
                    choices = std::move(choices)](const std::string& text) {
    *target = ParseChoice(flag, text, choices);
  };
  return app.add_option_function<std::string>(flag, set, doc)
      ->type_name(type)
      ->default_str(*target);
}

CLI::Option* AddVariant(CLI::App& app, std::string* target) {
  return app
      .add_option("--variant", *target,
                  "The name of the filesystem in the lab: for reports.")
      ->type_name("NAME")
      ->group("");
}

std::string ShellQuote(const std::string& word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
      "-_=./,:+@%^";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) {
    return word;
  }
  std::string quoted = "'";
  for (const char c : word) {
    quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return quoted + "'";
}

std::string CommandOn(std::string_view subcommand, const std::string& dir,
                      const std::string& variant) {
  return variant.empty()
             ? fmt::format("locklab {} --dir={}", subcommand, ShellQuote(dir))
             : fmt::format("locklab lab run --fs={} -- {}", variant,
                           subcommand);
}

std::string Nearest(std::string_view typed,
                    std::span<const std::string_view> candidates) {
  std::string_view best;
  // A third of the letters may be wrong, but one always may.
  size_t best_distance = std::max<size_t>(1, typed.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const size_t distance = EditDistance(typed, candidate);
    if (distance >= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  if (!best.empty() || typed.size() < 2) return std::string(best);
  for (const std::string_view candidate : candidates) {
    if (candidate.starts_with(typed)) return std::string(candidate);
  }
  return "";
}

std::string DidYouMean(std::string_view typed,
                       std::span<const std::string_view> candidates) {
  const std::string nearest = Nearest(typed, candidates);
  return nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest);
}

}  // namespace locklab::cli
