#include "conformance/report/html/documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "conformance/report/plain.h"

namespace locklab::report {
namespace {

using Json = nlohmann::ordered_json;

// Of one text.
constexpr size_t kTextBytes = 1500;
// What a number of JavaScript holds exactly: seeds may be larger.
constexpr uint64_t kExact = uint64_t{1} << 53;

[[noreturn]] void Refuse(const std::string& name, const std::string& why) {
  throw JsonError(fmt::format("{}: {}", name, why));
}

// Texts that may be shown, and numbers that a page can read.
Json Clean(const Json& json) {
  if (json.is_string()) {
    return Shorten(Plain(json.get_ref<const std::string&>()), kTextBytes);
  }
  if (json.is_number_unsigned() && json.get<uint64_t>() > kExact) {
    return std::to_string(json.get<uint64_t>());
  }
  if (!json.is_structured()) return json;
  Json out = json.is_array() ? Json::array() : Json::object();
  for (const auto& [key, value] : json.items()) {
    if (json.is_array()) {
      out.push_back(Clean(value));
    } else {
      out[key] = Clean(value);
    }
  }
  return out;
}

// Those of `keys` that are there; what the page cannot do without is in
// `must`, or else Json::out_of_range.
Json Pick(const Json& json, std::initializer_list<const char*> must,
          std::initializer_list<const char*> may = {}) {
  Json out = Json::object();
  for (const char* key : must) out[key] = Clean(json.at(key));
  for (const char* key : may) {
    if (json.contains(key)) out[key] = Clean(json[key]);
  }
  return out;
}

template <typename Visit>
Json Each(const Json& array, const Visit& visit) {
  if (!array.is_array()) throw JsonError("a list is no list");
  Json out = Json::array();
  for (const Json& item : array) out.push_back(visit(item));
  return out;
}

Json Stress(const Json& json) {
  Json out = Pick(json, {"dir", "seed"},
                  {"suite_version", "canary", "complete", "recoveries"});
  out["courses"] = Each(json.at("courses"), [](const Json& course) {
    return Pick(
        course, {"backend", "scenario", "verdict", "reason"},
        {"parameters", "rounds", "failed_rounds", "failures", "metrics"});
  });
  return out;
}

Json Crash(const Json& json) {
  Json out = Pick(json, {"dir"}, {"suite_version"});
  out["backends"] = Each(json.at("backends"), [](const Json& backend) {
    Json one = Pick(backend, {"name"}, {"complete", "duration_s"});
    one["points"] = Each(backend.at("points"), [](const Json& point) {
      Json out =
          Pick(point,
               {"point", "waiters", "call", "verdict", "reason", "recovery_ns"},
               {"replay"});
      out["call"] = WithoutTokens(out["call"].get<std::string>());
      return out;
    });
    return one;
  });
  return out;
}

Json Explore(const Json& json) {
  Json out = Pick(json, {}, {"suite_version"});
  out["explorations"] = Each(json.at("explorations"), [](const Json& one) {
    return Pick(one, {"backend", "model", "processes", "verdict", "states"},
                {"assumes", "bounds", "excuse", "bound_reached", "preemptions",
                 "transitions", "depth", "positions", "duration_s",
                 "processor_s", "counterexample"});
  });
  return out;
}

Json Sins(const Json& json) {
  Json out = Pick(json, {"seed"});
  out["rows"] = Each(json.at("rows"), [](const Json& row) {
    return Pick(row, {"sin", "result"},
                {"backends", "failed_claims", "unsafe", "unsupported",
                 "trouble", "duration_s"});
  });
  return out;
}

// More digits than a chart or a table shows cost room for nothing.
double Rounded(double value) {
  constexpr int kDigits = 5;
  const double size = std::floor(std::log10(std::abs(value)));
  if (!std::isfinite(size)) return value;
  const double step = std::pow(10, size + 1 - kDigits);
  return std::round(value / step) * step;
}

Json SeriesOf(const Json& series) {
  // What a curve of a few hundred pixels can show.
  constexpr double kResolution = 1.06;
  Json out = Pick(series, {"backend", "measure"}, {"unit"});
  out["samples"] = Each(series.at("samples"), [&series](const Json& sample) {
    if (!sample.is_number() || !std::isfinite(sample.get<double>())) {
      throw JsonError(fmt::format(
          "a sample of {} {} is {}, which is no measured value; measure anew",
          series.at("backend").dump(), series.at("measure").dump(),
          sample.dump()));
    }
    return Json(Rounded(sample.get<double>()));
  });
  if (series.contains("buckets")) {
    out["buckets"] = FlatBuckets(series.at("buckets"), kResolution);
  }
  return out;
}

Json Bench(const Json& json) {
  Json out =
      Pick(json, {"environment", "locks"},
           {"suite_version", "command_line", "started", "seed", "place"});
  out["series"] = Each(json.at("series"), SeriesOf);
  return out;
}

struct Kind {
  const char* name;
  const char* made_by;
  // A document with this key is of this kind.
  const char* key;
  int schema;
  Json (*pick)(const Json& json);
};

// THE TABLE.
constexpr Kind kKinds[] = {
    {"stress", "locklab stress --format=json", "courses", 1, Stress},
    {"explore", "locklab explore --format=json", "explorations", 1, Explore},
    {"sins", "locklab faultfs --matrix --format=json", "rows", 1, Sins},
    {"bench", "locklab bench --out=FILE", "series", 1, Bench},
    {"crash", "locklab crash --format=json", "backends", 1, Crash},
};

constexpr Kind kLab = {"lab", "locklab lab run --format=json", "variants", 1,
                       nullptr};

void CheckVersion(const std::string& name, const Kind& kind, const Json& json) {
  const int schema = json.at("schema_version").get<int>();
  if (schema >= 1 && schema <= kind.schema) return;
  Refuse(name, fmt::format("its schema is {}, and this locklab knows that of "
                           "{} up to {}: use a newer one",
                           schema, kind.made_by, kind.schema));
}

// check's document alone has a context; that of lab run holds one a variant.
std::optional<Documents> Runs(const std::string& name, const Json& json) {
  Documents out;
  if (json.contains("context")) {
    out.runs.push_back(FromJson(json.dump()));
    return out;
  }
  if (!json.contains(kLab.key)) return std::nullopt;
  CheckVersion(name, kLab, json);
  for (const Json& variant : json[kLab.key]) {
    const Json& report = variant.at("report");
    if (report.is_null()) continue;
    if (report.contains("context")) {
      out.runs.push_back(FromJson(report.dump()));
      continue;
    }
    // Other subcommands run in a variant, too.
    Documents inner =
        ReadDocument(variant.at("name").get<std::string>(), report.dump());
    for (Document& other : inner.others) out.others.push_back(std::move(other));
  }
  return out;
}

}  // namespace

std::vector<int64_t> FlatBuckets(
    const std::vector<std::pair<int64_t, int64_t>>& buckets,
    double resolution) {
  std::vector<int64_t> flat;
  int64_t before = 0;
  int64_t first = 0;
  int64_t top = 0;
  int64_t count = 0;
  const auto flush = [&] {
    if (count == 0) return;
    flat.push_back(top - before);
    flat.push_back(count);
    before = top;
    count = 0;
  };
  for (const auto& [value, times] : buckets) {
    if (static_cast<double>(value) > static_cast<double>(first) * resolution) {
      flush();
    }
    if (count == 0) first = value;
    top = value;
    count += times;
  }
  flush();
  return flat;
}

std::string WithoutTokens(std::string_view call) {
  constexpr size_t kToken = 16;
  std::string out;
  while (!call.empty()) {
    const size_t digits =
        std::min(call.find_first_not_of("0123456789abcdef"), call.size());
    if (digits < kToken) {
      out += call.substr(0, digits + 1);
      call.remove_prefix(std::min(digits + 1, call.size()));
      continue;
    }
    out += '*';
    call.remove_prefix(
        std::min(call.find_first_not_of("0123456789abcdef."), call.size()));
  }
  return out;
}

Documents ReadDocument(const std::string& name, std::string_view text) {
  try {
    const Json json = Json::parse(text);
    if (!json.is_object()) Refuse(name, "no object of JSON");
    if (auto runs = Runs(name, json)) return *runs;
    for (const Kind& kind : kKinds) {
      if (!json.contains(kind.key)) continue;
      CheckVersion(name, kind, json);
      return {
          .runs = {},
          .others = {{.kind = kind.name,
                      .name = OneLine(name),
                      .json = kind.pick(json).dump(
                          -1, ' ', false, Json::error_handler_t::replace)}}};
    }
  } catch (const Json::exception& error) {
    Refuse(name, fmt::format("not what locklab leaves: {}", error.what()));
  } catch (const JsonError& error) {
    const std::string what = error.what();
    if (what.rfind(name + ": ", 0) == 0) throw;
    Refuse(name, what);
  }
  Refuse(name,
         "this is not what check, lab run, stress, crash, explore, faultfs "
         "--matrix or bench leave as JSON: name such a file");
}

}  // namespace locklab::report
