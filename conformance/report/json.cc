#include "conformance/report/json.h"

#include <nlohmann/json.hpp>

namespace locklab::report {
namespace {

using Json = nlohmann::ordered_json;

Json Of(const Percentiles& value) {
  return {{"p50", value.p50},
          {"p90", value.p90},
          {"p99", value.p99},
          {"p99_9", value.p99_9},
          {"max", value.max}};
}

Json Of(const ClaimResult& claim) {
  Json json = {{"id", claim.id},
               {"level", LevelName(claim.level)},
               {"verdict", VerdictName(claim.finding.verdict)},
               {"reason", claim.finding.reason}};
  if (!claim.replay.empty()) json["replay"] = claim.replay;
  return json;
}

Json Of(const Contention& value) {
  return {{"processes", value.processes},
          {"acquisitions", value.acquisitions},
          {"violations", value.violations},
          {"wait_ns", Of(value.wait_ns)},
          {"jain", value.jain}};
}

template <typename T>
Json OrNull(const std::optional<T>& value) {
  if (!value) return nullptr;
  if constexpr (std::is_arithmetic_v<T>) {
    return *value;
  } else {
    return Of(*value);
  }
}

Json Of(const BackendReport& backend) {
  Json claims = Json::array();
  for (const ClaimResult& claim : backend.claims) claims.push_back(Of(claim));
  return {{"name", backend.name},
          {"verdict", WorthName(backend.worth)},
          {"reason", backend.reason},
          {"claims", std::move(claims)},
          {"contention", OrNull(backend.contention)},
          {"latency_ns", OrNull(backend.latency_ns)},
          {"floor_ns", OrNull(backend.floor_ns)}};
}

Json Of(const Context& context) {
  return {{"suite_version", context.suite_version},
          {"seed", context.seed},
          {"dir", context.dir},
          {"profile", context.profile},
          {"filesystem",
           {{"type", context.filesystem.type},
            {"source", context.filesystem.source},
            {"options", context.filesystem.options}}},
          {"kernel", context.kernel},
          {"host", context.host},
          {"processors", context.processors},
          {"started", context.started},
          {"duration_s", context.duration_s}};
}

Json Of(const Canary& canary) {
  return {{"name", canary.name},
          {"caught", canary.caught},
          {"reason", canary.reason}};
}

}  // namespace

std::string ToJson(const RunReport& report) {
  Json backends = Json::array();
  for (const BackendReport& backend : report.backends) {
    backends.push_back(Of(backend));
  }
  const Json json = {
      {"schema_version", kSchemaVersion},
      {"context", Of(report.context)},
      {"backends", std::move(backends)},
      {"canary",
       report.canary
           ? Of(*report.canary)
           : Of(Canary{.name = "", .caught = false, .reason = "not run"})},
      {"cut_short", report.cut_short},
      {"missing", report.missing},
      {"exit_code", static_cast<int>(ExitCodeOf(report))}};
  // File names and messages of the system may be of any bytes.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace locklab::report
