#include "conformance/report/json.h"

#include <nlohmann/json.hpp>

#include "conformance/report/schema.h"

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

Json Of(const Expectation& value) {
  return {
      {"reason", value.reason}, {"link", value.link}, {"where", value.where}};
}

Json Of(const ClaimResult& claim) {
  Json json = {{"id", claim.id},
               {"level", LevelName(claim.level)},
               {"verdict", VerdictName(claim.finding.verdict)},
               {"reason", claim.finding.reason}};
  if (!claim.finding.evidence.empty()) {
    json["evidence"] = claim.finding.evidence;
  }
  json["duration_s"] = claim.duration_s;
  if (claim.expected) json["expected"] = Of(*claim.expected);
  if (!claim.replay.empty()) json["replay"] = claim.replay;
  return json;
}

Json Of(const Primitive& primitive) {
  Json json = Of(primitive.claim);
  json["carries"] = primitive.carries;
  return json;
}

Json Of(const Recommendation& value) {
  return {{"backend", value.backend}, {"reason", value.reason}};
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

Json Of(const CrashPoint& point) {
  return {{"point", point.point},   {"waiters", point.waiters},
          {"call", point.call},     {"verdict", VerdictName(point.verdict)},
          {"reason", point.reason}, {"recovery_ns", OrNull(point.recovery_ns)}};
}

Json Of(const BackendReport& backend) {
  Json crash = Json::array();
  for (const CrashPoint& point : backend.crash) crash.push_back(Of(point));
  Json claims = Json::array();
  for (const ClaimResult& claim : backend.claims) claims.push_back(Of(claim));
  return {{"name", backend.name},
          {"verdict", WorthName(backend.worth)},
          {"reason", backend.reason},
          {"supported", backend.supported},
          {"complete", backend.complete},
          {"released_on_crash", backend.released_on_crash},
          {"claims", std::move(claims)},
          {"contention", OrNull(backend.contention)},
          {"latency_ns", OrNull(backend.latency_ns)},
          {"floor_ns", OrNull(backend.floor_ns)},
          {"crash", std::move(crash)}};
}

Json Of(const Context& context) {
  Json versions = Json::object();
  for (const auto& [name, version] : context.versions) versions[name] = version;
  return {{"run_id", context.run_id},
          {"suite_version", context.suite_version},
          {"seed", context.seed},
          {"command_line", context.command_line},
          {"dir", context.dir},
          {"other_mount", context.other_mount},
          {"variant", context.variant},
          {"profile", context.profile},
          {"claims_chosen", context.claims_chosen},
          {"claims_total", context.claims_total},
          {"partial", context.partial()},
          {"expectations", context.expectations},
          {"filesystem",
           {{"type", context.filesystem.type},
            {"source", context.filesystem.source},
            {"options", context.filesystem.options},
            {"shared", context.filesystem.shared}}},
          {"kernel", context.kernel},
          {"host", context.host},
          {"processors", context.processors},
          {"started", context.started},
          {"duration_s", context.duration_s},
          {"versions", std::move(versions)}};
}

Json Of(const Canary& canary) {
  return {{"name", canary.name},
          {"caught", canary.caught},
          {"reason", canary.reason}};
}

}  // namespace

std::string_view JsonSchema() { return SchemaTexts().front().text; }

std::string ToJson(const RunReport& report) {
  Json backends = Json::array();
  for (const BackendReport& backend : report.backends) {
    backends.push_back(Of(backend));
  }
  Json primitives = Json::array();
  for (const Primitive& primitive : report.primitives) {
    primitives.push_back(Of(primitive));
  }
  const Json json = {
      {"schema_version", kSchemaVersion},
      {"context", Of(report.context)},
      {"primitives", std::move(primitives)},
      {"backends", std::move(backends)},
      {"canary",
       report.canary
           ? Of(*report.canary)
           : Of(Canary{.name = "", .caught = false, .reason = "not run"})},
      {"cut_short", report.cut_short},
      {"missing", report.missing},
      {"recommendation", OrNull(report.recommendation)},
      {"exit_code", static_cast<int>(ExitCodeOf(report))}};
  // File names and messages of the system may be of any bytes.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace locklab::report
