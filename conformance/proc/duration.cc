#include "conformance/proc/duration.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <system_error>

namespace locklab::proc {
namespace {

struct Unit {
  std::string_view name;
  int64_t ns;
};

constexpr Unit kUnits[] = {
    {"h", 3'600'000'000'000}, {"m", 60'000'000'000}, {"s", 1'000'000'000},
    {"ms", 1'000'000},        {"us", 1'000},         {"ns", 1},
};

constexpr double kLongestNs = 100.0 * 366 * 24 * 3600 * 1e9;

}  // namespace

std::optional<std::chrono::nanoseconds> ParseDuration(std::string_view text) {
  if (text == "0") return std::chrono::nanoseconds(0);
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] =
      std::from_chars(text.data(), end, value, std::chars_format::fixed);
  // from_chars knows "inf" and "nan"; neither is greater or equal to all.
  if (error != std::errc() || std::signbit(value) || !std::isfinite(value)) {
    return std::nullopt;
  }
  const std::string_view unit(stop, static_cast<size_t>(end - stop));
  for (const Unit& row : kUnits) {
    if (row.name != unit) continue;
    const double ns = value * static_cast<double>(row.ns);
    if (ns > kLongestNs) return std::nullopt;
    return std::chrono::nanoseconds(std::llround(ns));
  }
  return std::nullopt;
}

std::string DurationText(std::chrono::nanoseconds duration) {
  const int64_t ns = duration.count();
  if (ns == 0) return "0";
  for (const Unit& row : kUnits) {
    if (ns % row.ns == 0) {
      return std::to_string(ns / row.ns) + std::string(row.name);
    }
  }
  return std::to_string(ns) + "ns";
}

}  // namespace locklab::proc
