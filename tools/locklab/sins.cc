#include "tools/locklab/sins.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "tools/locklab/flags.h"

namespace locklab::cli {
namespace {

using faultfs::Chosen;
using faultfs::SinRow;

const SinRow& RowNamed(const std::string& flag, const std::string& name) {
  std::vector<std::string_view> names;
  for (const SinRow& row : faultfs::SinRows()) names.push_back(row.name);
  for (const SinRow& row : faultfs::SinRows()) {
    if (row.name == name) return row;
  }
  throw UsageError(
      fmt::format("{}: there is no sin {}{} (locklab list sins shows all)",
                  flag, name, DidYouMean(name, names)));
}

double ParseRate(const std::string& flag, const std::string& text) {
  double rate = -1;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), rate);
  if (error != std::errc() || end != text.data() + text.size() ||
      !(rate >= 0 && rate <= 1)) {
    throw UsageError(fmt::format("{}: rate={} is not from 0 to 1", flag, text));
  }
  return rate;
}

void Apply(const std::string& flag, const std::string& value, Chosen* chosen) {
  const SinRow& row = faultfs::RowOf(chosen->sin);
  const size_t middle = value.find('=');
  const std::string key = value.substr(0, middle);
  const std::string text =
      middle == std::string::npos ? "" : value.substr(middle + 1);
  if (key == "rate") {
    chosen->rate = ParseRate(flag, text);
  } else if (key == "ms" && row.ms.count() > 0) {
    chosen->ms = std::chrono::milliseconds(
        ParseNumber(flag + ": ms", text, 1, 86400000));
  } else if (key == "op" && row.has_op) {
    const auto ops = faultfs::OpNames();
    const auto name = ParseChoice(flag + ": op", text, ops);
    chosen->op = static_cast<faultfs::Op>(
        std::find(ops.begin(), ops.end(), name) - ops.begin());
  } else {
    throw UsageError(fmt::format("{}: {} takes {}, not {}", flag, row.name,
                                 ValuesOf(row), value));
  }
}

}  // namespace

std::string ValuesOf(const SinRow& row) {
  std::string values = fmt::format("rate={}", row.rate);
  if (row.ms.count() > 0) values += fmt::format(" ms={}", row.ms.count());
  if (row.has_op) {
    values += fmt::format(" op={}", fmt::join(faultfs::OpNames(), "|"));
  }
  return values;
}

std::vector<Chosen> ParseSins(const std::string& flag,
                              const std::string& text) {
  std::vector<Chosen> sins;
  for (const std::string& item : ParseList(flag, text)) {
    const size_t colon = item.find(':');
    std::string value = item;
    if (item.find('=') == std::string::npos || colon != std::string::npos) {
      sins.emplace_back(RowNamed(flag, item.substr(0, colon)).sin);
      if (colon == std::string::npos) continue;
      value = item.substr(colon + 1);
    } else if (sins.empty()) {
      throw UsageError(fmt::format("{}: {} follows no sin, as in NAME:{}", flag,
                                   item, item));
    }
    Apply(flag, value, &sins.back());
  }
  return sins;
}

}  // namespace locklab::cli
