#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "conformance/report/json.h"

namespace locklab::report {
namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void Refuse(std::string_view path, std::string_view what) {
  throw JsonError(
      fmt::format("{}: {}", path.empty() ? "document" : path, what));
}

// A value and where it is.
class Node {
 public:
  Node(const Json& json, std::string path)
      : json_(json), path_(std::move(path)) {}

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const Json& json() const { return json_; }
  [[nodiscard]] bool IsNull() const { return json_.is_null(); }

  [[nodiscard]] std::string Text() const {
    if (!json_.is_string()) Refuse(path_, "must be a string");
    return json_.get<std::string>();
  }
  [[nodiscard]] bool Bool() const {
    if (!json_.is_boolean()) Refuse(path_, "must be true or false");
    return json_.get<bool>();
  }
  [[nodiscard]] double Double() const {
    if (!json_.is_number()) Refuse(path_, "must be a number");
    const auto value = json_.get<double>();
    if (!(value >= 0)) Refuse(path_, "must not be negative");
    return value;
  }
  template <typename T>
  [[nodiscard]] T Integer() const {
    constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<T>::max());
    if (!json_.is_number_unsigned() || json_.get<uint64_t>() > kMost) {
      Refuse(path_, fmt::format("must be a whole number from 0 to {}", kMost));
    }
    return static_cast<T>(json_.get<uint64_t>());
  }
  // The one of `values` that `name` gives this name.
  template <typename T>
  [[nodiscard]] T Choice(std::span<const T> values,
                         std::string_view (*name)(T)) const {
    const std::string text = Text();
    std::vector<std::string_view> names;
    for (const T value : values) {
      if (name(value) == text) return value;
      names.push_back(name(value));
    }
    Refuse(path_, fmt::format("must be one of {}", fmt::join(names, ", ")));
  }
  [[nodiscard]] std::vector<Node> Items() const {
    if (!json_.is_array()) Refuse(path_, "must be an array");
    std::vector<Node> items;
    for (size_t i = 0; i < json_.size(); ++i) {
      items.emplace_back(json_[i], fmt::format("{}[{}]", path_, i));
    }
    return items;
  }
  [[nodiscard]] std::vector<std::string> Texts() const {
    std::vector<std::string> texts;
    for (const Node& item : Items()) texts.push_back(item.Text());
    return texts;
  }

 private:
  const Json& json_;
  std::string path_;
};

// An object all of whose fields have to be asked for.
class Object {
 public:
  explicit Object(const Node& node) : json_(node.json()), path_(node.path()) {
    if (!json_.is_object()) Refuse(path_, "must be an object");
  }
  // A field that may be absent.
  [[nodiscard]] std::optional<Node> Maybe(const std::string& name) {
    known_.insert(name);
    const auto found = json_.find(name);
    if (found == json_.end()) return std::nullopt;
    return Node(*found, path_.empty() ? name : path_ + "." + name);
  }
  [[nodiscard]] Node At(const std::string& name) {
    std::optional<Node> node = Maybe(name);
    if (!node) Refuse(path_, name + " is missing");
    return *node;
  }
  // After the last field.
  void Close() const {
    for (const auto& [name, value] : json_.items()) {
      if (!known_.contains(name)) Refuse(path_, "unknown field " + name);
    }
  }

 private:
  const Json& json_;
  std::string path_;
  std::set<std::string> known_;
};

constexpr std::array kVerdicts = {
    Verdict::kPass,  Verdict::kFail,        Verdict::kXfail,
    Verdict::kXpass, Verdict::kUnsupported, Verdict::kInconclusive};
constexpr std::array kLevels = {Level::kMust, Level::kShould, Level::kReport};
constexpr std::array kWorths = {Worth::kSafe, Worth::kUnsafe,
                                Worth::kUnsupported, Worth::kInconclusive};

Percentiles ReadPercentiles(const Node& node) {
  Object object(node);
  const Percentiles value = {.p50 = object.At("p50").Integer<int64_t>(),
                             .p90 = object.At("p90").Integer<int64_t>(),
                             .p99 = object.At("p99").Integer<int64_t>(),
                             .p99_9 = object.At("p99_9").Integer<int64_t>(),
                             .max = object.At("max").Integer<int64_t>()};
  object.Close();
  return value;
}

Expectation ReadExpectation(const Node& node) {
  Object object(node);
  Expectation value = {.reason = object.At("reason").Text(),
                       .link = object.At("link").Text(),
                       .where = object.At("where").Text()};
  object.Close();
  return value;
}

ClaimResult ReadClaim(Object* object) {
  ClaimResult claim;
  claim.id = object->At("id").Text();
  claim.level = object->At("level").Choice<Level>(kLevels, LevelName);
  claim.finding.verdict =
      object->At("verdict").Choice<Verdict>(kVerdicts, VerdictName);
  claim.finding.reason = object->At("reason").Text();
  if (const auto node = object->Maybe("evidence")) {
    claim.finding.evidence = node->Text();
  }
  claim.duration_s = object->At("duration_s").Double();
  if (const auto node = object->Maybe("expected")) {
    claim.expected = ReadExpectation(*node);
  }
  if (const auto node = object->Maybe("replay")) claim.replay = node->Text();
  return claim;
}

Contention ReadContention(const Node& node) {
  Object object(node);
  const Contention value = {
      .processes = object.At("processes").Integer<int>(),
      .acquisitions = object.At("acquisitions").Integer<int64_t>(),
      .violations = object.At("violations").Integer<int64_t>(),
      .wait_ns = ReadPercentiles(object.At("wait_ns")),
      .jain = object.At("jain").Double()};
  object.Close();
  return value;
}

CrashPoint ReadCrashPoint(const Node& node) {
  Object object(node);
  CrashPoint point = {
      .point = object.At("point").Text(),
      .waiters = object.At("waiters").Integer<int>(),
      .call = object.At("call").Text(),
      .verdict = object.At("verdict").Choice<Verdict>(kVerdicts, VerdictName),
      .reason = object.At("reason").Text(),
      .recovery_ns = {}};
  const Node recovery = object.At("recovery_ns");
  if (!recovery.IsNull()) point.recovery_ns = recovery.Integer<int64_t>();
  object.Close();
  return point;
}

BackendReport ReadBackend(const Node& node) {
  Object object(node);
  BackendReport backend;
  backend.name = object.At("name").Text();
  backend.worth = object.At("verdict").Choice<Worth>(kWorths, WorthName);
  backend.reason = object.At("reason").Text();
  backend.supported = object.At("supported").Bool();
  backend.complete = object.At("complete").Bool();
  backend.released_on_crash = object.At("released_on_crash").Bool();
  for (const Node& item : object.At("claims").Items()) {
    Object claim(item);
    backend.claims.push_back(ReadClaim(&claim));
    claim.Close();
  }
  const Node contention = object.At("contention");
  if (!contention.IsNull()) backend.contention = ReadContention(contention);
  const Node latency = object.At("latency_ns");
  if (!latency.IsNull()) backend.latency_ns = ReadPercentiles(latency);
  const Node floor = object.At("floor_ns");
  if (!floor.IsNull()) backend.floor_ns = floor.Integer<int64_t>();
  for (const Node& item : object.At("crash").Items()) {
    backend.crash.push_back(ReadCrashPoint(item));
  }
  object.Close();
  return backend;
}

Filesystem ReadFilesystem(const Node& node) {
  Object object(node);
  Filesystem value = {.type = object.At("type").Text(),
                      .source = object.At("source").Text(),
                      .options = object.At("options").Text(),
                      .shared = object.At("shared").Bool()};
  object.Close();
  return value;
}

Context ReadContext(const Node& node) {
  Object object(node);
  Context context;
  context.run_id = object.At("run_id").Text();
  context.suite_version = object.At("suite_version").Text();
  context.seed = object.At("seed").Integer<uint64_t>();
  context.command_line = object.At("command_line").Text();
  context.dir = object.At("dir").Text();
  context.other_mount = object.At("other_mount").Text();
  context.variant = object.At("variant").Text();
  context.profile = object.At("profile").Text();
  context.claims_chosen = object.At("claims_chosen").Integer<int>();
  context.claims_total = object.At("claims_total").Integer<int>();
  const Node partial = object.At("partial");
  if (partial.Bool() != context.partial()) {
    Refuse(partial.path(), "does not follow from the numbers of the claims");
  }
  context.expectations = object.At("expectations").Texts();
  context.filesystem = ReadFilesystem(object.At("filesystem"));
  context.kernel = object.At("kernel").Text();
  context.host = object.At("host").Text();
  context.processors = object.At("processors").Integer<int>();
  context.started = object.At("started").Text();
  context.duration_s = object.At("duration_s").Double();
  const Node versions = object.At("versions");
  if (!versions.json().is_object())
    Refuse(versions.path(), "must be an object");
  for (const auto& [name, version] : versions.json().items()) {
    context.versions.emplace_back(
        name, Node(version, versions.path() + "." + name).Text());
  }
  object.Close();
  return context;
}

std::optional<Canary> ReadCanary(const Node& node) {
  Object object(node);
  Canary canary = {.name = object.At("name").Text(),
                   .caught = object.At("caught").Bool(),
                   .reason = object.At("reason").Text()};
  object.Close();
  if (canary.name.empty() && !canary.caught) return std::nullopt;
  return canary;
}

std::optional<Recommendation> ReadRecommendation(const Node& node) {
  if (node.IsNull()) return std::nullopt;
  Object object(node);
  Recommendation value = {.backend = object.At("backend").Text(),
                          .reason = object.At("reason").Text()};
  object.Close();
  return value;
}

void CheckVersion(const Node& node) {
  const int version = node.Integer<int>();
  if (version == kSchemaVersion) return;
  Refuse(node.path(),
         fmt::format("is {}, and this locklab reads version {}{}", version,
                     kSchemaVersion,
                     version > kSchemaVersion ? ": use a newer one" : ""));
}

RunReport Read(const Json& json, int* exit_code) {
  Object object(Node(json, ""));
  CheckVersion(object.At("schema_version"));
  RunReport report;
  report.context = ReadContext(object.At("context"));
  for (const Node& item : object.At("primitives").Items()) {
    Object claim(item);
    Primitive& primitive = report.primitives.emplace_back();
    primitive.claim = ReadClaim(&claim);
    primitive.carries = claim.At("carries").Texts();
    claim.Close();
  }
  for (const Node& item : object.At("backends").Items()) {
    report.backends.push_back(ReadBackend(item));
  }
  report.canary = ReadCanary(object.At("canary"));
  report.cut_short = object.At("cut_short").Text();
  report.missing = object.At("missing").Texts();
  report.recommendation = ReadRecommendation(object.At("recommendation"));
  const int code = object.At("exit_code").Integer<int>();
  if (exit_code != nullptr) *exit_code = code;
  object.Close();
  return report;
}

}  // namespace

RunReport FromJson(std::string_view text, int* exit_code) {
  try {
    return Read(Json::parse(text), exit_code);
  } catch (const Json::exception& error) {
    throw JsonError(fmt::format("document: no JSON: {}", error.what()));
  }
}

}  // namespace locklab::report
