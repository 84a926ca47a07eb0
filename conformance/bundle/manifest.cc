#include "conformance/bundle/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "conformance/bundle/archive.h"
#include "conformance/report/json.h"

namespace locklab::bundle {
namespace {

using Json = nlohmann::ordered_json;

// A backend's or, for primitives, the directory's.
Json ClaimsOf(const report::RunReport& report) {
  std::vector<std::string> ids;
  std::set<std::string> seen;
  const auto add = [&](const report::ClaimResult& claim) {
    if (seen.insert(claim.id).second) ids.push_back(claim.id);
  };
  for (const report::Primitive& primitive : report.primitives) {
    add(primitive.claim);
  }
  for (const report::BackendReport& backend : report.backends) {
    for (const report::ClaimResult& claim : backend.claims) add(claim);
  }
  return ids;
}

[[noreturn]] void Refuse(std::string_view why) {
  throw BundleError(fmt::format("{}: {}", kManifestName, why));
}

Json ParseAbout(const std::string& about) {
  return about.empty() ? Json::object() : Json::parse(about);
}

Item ReadItem(const Json& json) {
  Item item;
  item.name = json.at("name").get<std::string>();
  const Json& bytes = json.at("bytes");
  if (!bytes.is_number_unsigned()) Refuse("the size of a member is no number");
  item.digest.bytes = bytes.get<int64_t>();
  item.digest.sha256 = json.at("sha256").get<std::string>();
  const bool digest = item.digest.sha256.size() == 64 &&
                      item.digest.sha256.find_first_not_of(
                          "0123456789abcdef") == std::string::npos;
  if (!IsMemberName(item.name) || item.digest.bytes < 0 || !digest ||
      json.size() != 3) {
    Refuse("a member is not described as it must be");
  }
  return item;
}

Manifest Read(const Json& json) {
  if (!json.is_object() || !json.contains("format_version") ||
      !json["format_version"].is_number_integer()) {
    Refuse("it is none: it has no format_version");
  }
  Manifest manifest;
  manifest.format_version = json["format_version"].get<int>();
  if (manifest.format_version != kFormatVersion) {
    Refuse(
        fmt::format("the format of this bundle is {}, and this locklab "
                    "reads {}: use a newer locklab",
                    manifest.format_version, kFormatVersion));
  }
  if (json.size() != 3 || !json.contains("about")) {
    Refuse("it must have format_version, about and members, and nothing else");
  }
  manifest.about = json["about"].dump();
  for (const Json& item : json.at("members")) {
    manifest.items.push_back(ReadItem(item));
  }
  return manifest;
}

}  // namespace

std::string AboutOf(const report::RunReport& report) {
  // As the report's own document tells it: one way to write a context down.
  const Json document = Json::parse(report::ToJson(report));
  const Json& context = document["context"];
  Json about;
  for (const char* field :
       {"run_id", "suite_version", "seed", "command_line"}) {
    about[field] = context[field];
  }
  about["schema_version"] = document["schema_version"];
  Json& environment = about["environment"];
  for (const char* field :
       {"dir", "other_mount", "variant", "filesystem", "kernel", "host",
        "processors", "started", "duration_s", "versions"}) {
    environment[field] = context[field];
  }
  about["profile"] = context["profile"];
  about["claims"] = ClaimsOf(report);
  return about.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string ToJson(const Manifest& manifest) {
  Json members = Json::array();
  for (const Item& item : manifest.items) {
    members.push_back({{"name", item.name},
                       {"bytes", item.digest.bytes},
                       {"sha256", item.digest.sha256}});
  }
  const Json json = {{"format_version", manifest.format_version},
                     {"about", ParseAbout(manifest.about)},
                     {"members", std::move(members)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Manifest ManifestFromJson(std::string_view text) {
  try {
    return Read(Json::parse(text));
  } catch (const Json::exception& error) {
    Refuse(fmt::format("it cannot be read: {}", error.what()));
  }
}

}  // namespace locklab::bundle
