#include "bench/compare/series.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "conformance/report/text.h"

namespace locklab::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kKind = "locklab bench";

[[noreturn]] void Refuse(const std::string& name, const std::string& why) {
  throw SeriesError(fmt::format("{}: {}", name, why));
}

void RequireUsable(const Json& json, const std::string& name) {
  if (!json.is_object() || json.value("kind", "") != kKind) {
    Refuse(name,
           "this is not what locklab bench leaves; make one with locklab bench "
           "--dir=DIR --out=FILE");
  }
  const int schema = json.at("schema_version").get<int>();
  if (schema > kSeriesSchema) {
    Refuse(name, fmt::format("its schema is {}, and this program knows {} at "
                             "most; use a newer locklab, or measure anew",
                             schema, kSeriesSchema));
  }
}

Series SeriesFrom(const Json& json, const std::string& name) {
  Series series{.backend = json.at("backend").get<std::string>(),
                .measure = json.at("measure").get<std::string>(),
                .unit = json.value("unit", "ns")};
  for (const Json& sample : json.at("samples")) {
    const double value =
        sample.is_number() ? sample.get<double>() : std::nan("");
    if (!std::isfinite(value) || value <= 0) {
      Refuse(name, fmt::format("a sample of {} {} is {}, which is no time; the "
                               "file is damaged, measure anew",
                               series.backend, series.measure, sample.dump()));
    }
    series.samples.push_back(value);
  }
  if (json.contains("buckets")) {
    series.buckets =
        json.at("buckets").get<std::vector<std::pair<int64_t, int64_t>>>();
  }
  return series;
}

SeriesFile FileFrom(const Json& json, const std::string& name) {
  SeriesFile file;
  file.suite_version = json.at("suite_version").get<std::string>();
  file.command_line = json.at("command_line").get<std::string>();
  file.started = json.at("started").get<std::string>();
  file.seed = json.at("seed").get<uint64_t>();
  for (const auto& [key, value] : json.at("environment").items()) {
    file.environment.emplace_back(key, value.get<std::string>());
  }
  for (const Json& each : json.at("series")) {
    Series series = SeriesFrom(each, name);
    if (file.Find(series.backend, series.measure) != nullptr) {
      Refuse(name, fmt::format("{} {} is there twice; measure anew",
                               series.backend, series.measure));
    }
    file.series.push_back(std::move(series));
  }
  for (const Json& each : json.at("locks")) {
    file.locks.push_back({.backend = each.at("backend").get<std::string>(),
                          .verdict = each.at("verdict").get<std::string>(),
                          .reason = each.at("reason").get<std::string>()});
  }
  return file;
}

}  // namespace

Series& SeriesFile::SeriesAt(std::string_view backend,
                             std::string_view measure) {
  for (Series& each : series) {
    if (each.backend == backend && each.measure == measure) return each;
  }
  series.push_back(
      {.backend = std::string(backend), .measure = std::string(measure)});
  return series.back();
}

const Series* SeriesFile::Find(std::string_view backend,
                               std::string_view measure) const {
  const auto found =
      std::find_if(series.begin(), series.end(), [&](const Series& each) {
        return each.backend == backend && each.measure == measure;
      });
  return found == series.end() ? nullptr : &*found;
}

std::string ShowValue(double value, const std::string& unit) {
  if (unit == "ns") return report::ShortTime(static_cast<int64_t>(value));
  return value < 1000 ? fmt::format("{:.3g} {}", value, unit)
                      : fmt::format("{:.0f} {}", value, unit);
}

std::string ToJson(const SeriesFile& file) {
  Json json = {{"kind", kKind},
               {"schema_version", kSeriesSchema},
               {"suite_version", file.suite_version},
               {"command_line", file.command_line},
               {"started", file.started},
               {"seed", file.seed},
               {"environment", Json::object()},
               {"series", Json::array()},
               {"locks", Json::array()}};
  for (const auto& [key, value] : file.environment) {
    json["environment"][key] = value;
  }
  for (const Series& series : file.series) {
    Json one = {{"backend", series.backend},
                {"measure", series.measure},
                {"unit", series.unit},
                {"samples", series.samples}};
    if (!series.buckets.empty()) one["buckets"] = series.buckets;
    json["series"].push_back(std::move(one));
  }
  for (const Correctness& lock : file.locks) {
    json["locks"].push_back({{"backend", lock.backend},
                             {"verdict", lock.verdict},
                             {"reason", lock.reason}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

SeriesFile FromJson(std::string_view text, const std::string& name) {
  try {
    const Json json = Json::parse(text);
    RequireUsable(json, name);
    return FileFrom(json, name);
  } catch (const Json::exception& error) {
    Refuse(name, fmt::format("not readable as what locklab bench leaves: {}",
                             error.what()));
  }
}

SeriesFile HeaderOf(const report::Context& context) {
  return {.suite_version = context.suite_version,
          .command_line = context.command_line,
          .started = context.started,
          .seed = context.seed,
          .environment = {{"suite", context.suite_version},
                          {"host", context.host},
                          {"kernel", context.kernel},
                          {"processors", std::to_string(context.processors)},
                          {"filesystem", context.filesystem.type}}};
}

SeriesFile FromRun(const store::BenchRun& run) {
  SeriesFile file = HeaderOf(run.context);
  file.series = run.series;
  file.locks = run.locks;
  return file;
}

SeriesFile ReadSeries(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) Refuse(path, fmt::format("cannot be read: {}", strerror(errno)));
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  return FromJson(text, path);
}

}  // namespace locklab::bench
