#include "conformance/report/html/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <utility>

#include "conformance/digest/sha256.h"
#include "conformance/report/html/texts.h"
#include "conformance/report/plain.h"

namespace locklab::report {
namespace {

using Json = nlohmann::ordered_json;

// How much of what is on the page, in bytes of one text.
struct Limits {
  size_t evidence;
  size_t reason;
  size_t pass_reason;
  // Buckets of a distribution that are less than this apart become one: what a
  // curve of a few hundred pixels can show.
  double resolution;
  // Of one place, in trends.
  size_t runs;
};
// The first that makes the page small enough; or else the last.
constexpr Limits kLimits[] = {{4000, 1000, 300, 1.03, 300},
                              {1500, 600, 120, 1.06, 100},
                              {600, 300, 0, 1.1, 40},
                              {0, 150, 0, 1.2, 15},
                              {0, 0, 0, 1.2, 5}};

std::string Cut(std::string_view text, size_t bytes) {
  return bytes < 3 ? "" : Shorten(Plain(text), bytes);
}

// Each text once: findings of many runs say the same.
class Interned {
 public:
  size_t Of(const std::string& text) {
    const auto [at, added] = index_.try_emplace(text, texts_.size());
    if (added) texts_.push_back(text);
    return at->second;
  }
  [[nodiscard]] const std::vector<std::string>& texts() const { return texts_; }

 private:
  std::map<std::string, size_t> index_;
  std::vector<std::string> texts_;
};

// Null for what JSON has no word for.
Json Finite(double value) {
  return std::isfinite(value) ? Json(value) : Json();
}

Json Of(const Percentiles& p) {
  return Json::array({p.p50, p.p90, p.p99, p.p99_9, p.max});
}

// One page's data, at one set of limits.
class Data {
 public:
  explicit Data(Limits limits) : limits_(limits) {}

  Json RunJson(const RunReport& run, size_t place,
               const std::set<std::string>& backends);
  Json SummaryJson(const RunReport& run, size_t place);
  [[nodiscard]] Json texts() const { return texts_.texts(); }

 private:
  Json ClaimJson(const ClaimResult& claim);
  Json BackendJson(const BackendReport& backend);
  Json ContextJson(const Context& context);
  size_t Text(std::string_view text, size_t bytes) {
    return texts_.Of(Cut(text, bytes));
  }
  size_t Name(std::string_view name) { return texts_.Of(std::string(name)); }

  Limits limits_;
  Interned texts_;
};

// Kept even on the smallest page: names, and why a lock is worth what it is.
constexpr size_t kName = 200;
constexpr size_t kWhy = 600;

Json Data::ClaimJson(const ClaimResult& claim) {
  const bool pass = claim.finding.verdict == Verdict::kPass;
  const size_t bytes = pass ? limits_.pass_reason : limits_.reason;
  Json more = Json::object();
  const auto add = [&](const char* key, const std::string& text, size_t most) {
    if (!text.empty() && most > 0) more[key] = Text(text, most);
  };
  add("evidence", claim.finding.evidence, pass ? 0 : limits_.evidence);
  add("replay", pass ? "" : claim.replay, limits_.reason);
  if (claim.expected) {
    add("known", claim.expected->reason, limits_.reason);
    add("link", claim.expected->link, limits_.reason);
    add("where", claim.expected->where, limits_.reason);
  }
  Json json = {Text(claim.id, kName), Name(LevelName(claim.level)),
               Name(VerdictName(claim.finding.verdict)),
               Text(claim.finding.reason, bytes)};
  if (!more.empty()) json.push_back(std::move(more));
  return json;
}

Json Data::BackendJson(const BackendReport& backend) {
  Json json = {{"name", Cut(backend.name, kName)},
               {"worth", std::string(WorthName(backend.worth))},
               {"reason", Cut(backend.reason, kWhy)},
               {"kernel", backend.released_on_crash},
               {"claims", Json::array()},
               {"crash", Json::array()},
               {"distributions", Json::object()}};
  for (const ClaimResult& claim : backend.claims) {
    json["claims"].push_back(ClaimJson(claim));
  }
  if (backend.contention) {
    const Contention& contention = *backend.contention;
    json["contention"] = {{"processes", contention.processes},
                          {"acquisitions", contention.acquisitions},
                          {"violations", contention.violations},
                          {"wait", Of(contention.wait_ns)},
                          {"jain", Finite(contention.jain)}};
  }
  if (backend.latency_ns) json["latency"] = Of(*backend.latency_ns);
  if (backend.floor_ns) json["floor"] = *backend.floor_ns;
  for (const Distribution& distribution : backend.distributions) {
    json["distributions"][Cut(distribution.of, kName)] =
        FlatBuckets(distribution.buckets, limits_.resolution);
  }
  for (const CrashPoint& point : backend.crash) {
    json["crash"].push_back(
        {Text(point.point, kName), point.waiters,
         Text(WithoutTokens(point.call), kName),
         Name(VerdictName(point.verdict)), Text(point.reason, limits_.reason),
         point.recovery_ns ? Json(*point.recovery_ns) : Json()});
  }
  return json;
}

Json Data::ContextJson(const Context& context) {
  Json versions = Json::object();
  for (const auto& [name, version] : context.versions) {
    versions[Cut(name, kName)] = Cut(version, kName);
  }
  Json expectations = Json::array();
  for (const std::string& file : context.expectations) {
    expectations.push_back(Cut(file, kName));
  }
  return {{"suite", Cut(context.suite_version, kName)},
          // As text: JavaScript would round it.
          {"seed", std::to_string(context.seed)},
          {"command", Cut(context.command_line, 2 * kWhy)},
          {"dir", Cut(context.dir, kWhy)},
          {"other_mount", Cut(context.other_mount, kWhy)},
          {"variant", Cut(context.variant, kName)},
          {"profile", Cut(context.profile, kName)},
          {"chosen", context.claims_chosen},
          {"total", context.claims_total},
          {"expectations", std::move(expectations)},
          {"type", Cut(context.filesystem.type, kName)},
          {"source", Cut(context.filesystem.source, kWhy)},
          {"options", Cut(context.filesystem.options, kWhy)},
          {"shared", context.filesystem.shared},
          {"kernel", Cut(context.kernel, kName)},
          {"host", Cut(context.host, kName)},
          {"processors", context.processors},
          {"duration_s", Finite(context.duration_s)},
          {"versions", std::move(versions)}};
}

Json Data::RunJson(const RunReport& run, size_t place,
                   const std::set<std::string>& backends) {
  Json json = {{"id", Cut(run.context.run_id, kName)},
               {"place", place},
               {"started", Cut(run.context.started, kName)},
               {"context", ContextJson(run.context)},
               {"cut_short", Cut(run.cut_short, kWhy)},
               {"exit_code", static_cast<int>(ExitCodeOf(run))},
               {"missing", Json::array()},
               {"primitives", Json::array()},
               {"backends", Json::array()}};
  for (const std::string& missing : run.missing) {
    json["missing"].push_back(Cut(missing, kWhy));
  }
  if (run.canary) {
    json["canary"] = {{"name", Cut(run.canary->name, kName)},
                      {"caught", run.canary->caught},
                      {"reason", Cut(run.canary->reason, kWhy)}};
  }
  if (run.recommendation) {
    json["use"] = {{"backend", Cut(run.recommendation->backend, kName)},
                   {"reason", Cut(run.recommendation->reason, kWhy)}};
  }
  for (const Primitive& primitive : run.primitives) {
    Json carries = Json::array();
    for (const std::string& backend : primitive.carries) {
      carries.push_back(Cut(backend, kName));
    }
    json["primitives"].push_back({{"claim", ClaimJson(primitive.claim)},
                                  {"carries", std::move(carries)}});
  }
  for (const BackendReport& backend : run.backends) {
    if (!backends.contains(backend.name)) continue;
    json["backends"].push_back(BackendJson(backend));
  }
  return json;
}

// For the trend: names and numbers.
Json Data::SummaryJson(const RunReport& run, size_t place) {
  Json backends = Json::array();
  for (const BackendReport& backend : run.backends) {
    Json one = {Name(Cut(backend.name, kName)), Name(WorthName(backend.worth))};
    const auto& latency = backend.latency_ns;
    const auto& contention = backend.contention;
    one.push_back(latency ? Json(latency->p50) : Json());
    one.push_back(latency ? Json(latency->p99) : Json());
    one.push_back(backend.floor_ns ? Json(*backend.floor_ns) : Json());
    one.push_back(contention ? Json(contention->wait_ns.p50) : Json());
    one.push_back(contention ? Json(contention->wait_ns.p99) : Json());
    one.push_back(contention ? Finite(contention->jain) : Json());
    backends.push_back(std::move(one));
  }
  return {{"id", Cut(run.context.run_id, kName)},
          {"place", place},
          {"started", Cut(run.context.started, kName)},
          {"profile", Cut(run.context.profile, kName)},
          {"suite", Cut(run.context.suite_version, kName)},
          {"partial", run.context.partial()},
          {"cut_short", Cut(run.cut_short, kWhy)},
          {"backends", std::move(backends)}};
}

// Where runs were: what a row of the page is.
struct Place {
  std::string name;
  std::string host;
  std::vector<const RunReport*> runs = {};  // what to show first
};

bool Whole(const RunReport& run) {
  return run.cut_short.empty() && !run.context.partial();
}

std::vector<Place> PlacesOf(const std::vector<RunReport>& runs) {
  std::vector<Place> places;
  for (const RunReport& run : runs) {
    const auto same =
        std::find_if(places.begin(), places.end(), [&run](const Place& place) {
          return place.name == run.context.place() &&
                 place.host == run.context.host;
        });
    Place& place =
        same != places.end()
            ? *same
            : places.emplace_back(Place{run.context.place(), run.context.host});
    place.runs.push_back(&run);
  }
  for (Place& place : places) {
    std::stable_sort(place.runs.begin(), place.runs.end(),
                     [](const RunReport* a, const RunReport* b) {
                       if (Whole(*a) != Whole(*b)) return Whole(*a);
                       return a->context.started > b->context.started;
                     });
  }
  return places;
}

// The runs of a place: what is shown of them, and their trend. Returns how many
// were left out of that.
size_t AddPlace(const Place& place, size_t index, const Limits& limits,
                Data* data, Json* json) {
  std::set<std::string> seen;
  for (size_t i = 0; i < place.runs.size(); ++i) {
    const RunReport& run = *place.runs[i];
    std::set<std::string> fresh;
    for (const BackendReport& backend : run.backends) {
      if (seen.insert(backend.name).second) fresh.insert(backend.name);
    }
    if (!fresh.empty() || i == 0) {
      (*json)["runs"].push_back(data->RunJson(run, index, fresh));
    }
    if (i < limits.runs) {
      (*json)["trend"].push_back(data->SummaryJson(run, index));
    }
  }
  return place.runs.size() - std::min(place.runs.size(), limits.runs);
}

// What a trend needs of samples.
void MakeBrief(Json* bench) {
  (*bench)["brief"] = true;
  for (Json& series : (*bench)["series"]) {
    series.erase("buckets");
    std::vector<double> samples = series["samples"];
    if (samples.empty()) continue;
    const auto middle =
        samples.begin() + static_cast<ptrdiff_t>(samples.size() / 2);
    std::nth_element(samples.begin(), middle, samples.end());
    series["samples"] = {*middle};
  }
}

// Of the runs of bench that a store has: the last of each place is whole,
// others are in its trend. What was given as a file is always whole. Returns
// how many were left out.
size_t AddDocuments(const std::vector<Document>& documents,
                    const Limits& limits, Json* json) {
  std::map<std::string, size_t> later;  // in the same place
  size_t left_out = 0;
  for (auto at = documents.rbegin(); at != documents.rend(); ++at) {
    Json document = Json::parse(at->json);
    if (document.contains("place")) {
      const size_t before = later[document["place"].get<std::string>()]++;
      if (before >= limits.runs) {
        ++left_out;
        continue;
      }
      if (before > 0) MakeBrief(&document);
    }
    (*json)["documents"].push_back({{"kind", at->kind},
                                    {"name", Cut(at->name, kName)},
                                    {"json", std::move(document)}});
  }
  Json& added = (*json)["documents"];
  std::reverse(added.begin(), added.end());
  return left_out;
}

// So many at most: a trend that changes with each run is no trend.
constexpr size_t kChanges = 200;

Json ChangesJson(const std::vector<HtmlPage::Change>& changes) {
  Json json = Json::array();
  for (const HtmlPage::Change& change : changes) {
    if (json.size() == kChanges) break;
    json.push_back({{"place", Cut(change.place, kWhy)},
                    {"host", Cut(change.host, kName)},
                    {"kind", change.kind},
                    {"backend", Cut(change.backend, kName)},
                    {"measure", Cut(change.measure, kName)},
                    {"unit", Cut(change.unit, kName)},
                    {"run", Cut(change.run_id, kName)},
                    {"started", Cut(change.started, kName)},
                    {"before", Finite(change.before)},
                    {"after", Finite(change.after)},
                    {"standing", change.standing}});
  }
  return json;
}

std::string DataJson(const std::vector<RunReport>& runs,
                     const std::vector<Document>& documents,
                     const std::vector<HtmlPage::Change>& changes,
                     const Limits& limits) {
  Data data(limits);
  Json json = {{"places", Json::array()},
               {"runs", Json::array()},
               {"trend", Json::array()},
               {"documents", Json::array()},
               {"shortened", limits.evidence < kLimits[0].evidence}};
  const std::vector<Place> places = PlacesOf(runs);
  size_t left_out = 0;
  for (size_t i = 0; i < places.size(); ++i) {
    json["places"].push_back({{"name", Cut(places[i].name, kWhy)},
                              {"host", Cut(places[i].host, kName)}});
    left_out += AddPlace(places[i], i, limits, &data, &json);
  }
  left_out += AddDocuments(documents, limits, &json);
  json["left_out"] = left_out;
  json["changes"] = ChangesJson(changes);
  json["texts"] = data.texts();
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Within <script> only what begins with '<' could end it or change how it is
// read; in JSON that character is in strings alone.
std::string ForScript(const std::string& json) {
  std::string out;
  for (const char c : json) {
    if (c == '<') {
      out += "\\u003c";
    } else {
      out += c;
    }
  }
  return out;
}

std::string Base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t word = 0;
    for (size_t j = i; j < i + 3; ++j) {
      word = word << 8 |
             (j < bytes.size() ? static_cast<unsigned char>(bytes[j]) : 0u);
    }
    for (size_t j = 0; j < 4; ++j) {
      out += i + j > bytes.size() ? '=' : kDigits[word >> (18 - 6 * j) & 63];
    }
  }
  return out;
}

// As a Content-Security-Policy names a script or style that may be there.
std::string SourceOf(std::string_view text) {
  const std::string hex = digest::Sha256Of(text);
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return "'sha256-" + Base64(bytes) + "'";
}

std::string_view File(std::string_view name) {
  return FindText(HtmlTexts(), name).value();
}

// The template's words in double braces become what they stand for, once: what
// is put in is not searched again.
std::string Fill(std::string_view page,
                 const std::map<std::string_view, std::string_view>& contents) {
  std::string out;
  for (;;) {
    const size_t open = page.find("{{");
    if (open == page.npos) return out.append(page);
    const size_t close = page.find("}}", open);
    out += page.substr(0, open);
    out += contents.at(page.substr(open + 2, close - open - 2));
    page.remove_prefix(close + 2);
  }
}

std::string PageOf(const std::string& data) {
  std::string script;
  for (const char* name :
       {"base.js", "filters.js", "evidence.js", "matrix.js", "charts.js",
        "speed.js", "bench.js", "deaths.js", "trend.js", "main.js"}) {
    script += File(name);
  }
  const std::string_view chart = File("chart.min.js");
  const std::string_view style = File("page.css");
  const std::string policy = fmt::format(
      "default-src 'none'; script-src {} {}; style-src {}; base-uri 'none'; "
      "form-action 'none'",
      SourceOf(chart), SourceOf(script), SourceOf(style));
  const std::string licence = Entities(File("copyright"));
  return Fill(File("page.html"), {{"policy", policy},
                                  {"style", style},
                                  {"data", data},
                                  {"chart", chart},
                                  {"licence", licence},
                                  {"script", script}});
}

}  // namespace

void HtmlPage::AddDocument(const std::string& name, std::string_view text) {
  Documents read = ReadDocument(name, text);
  for (RunReport& run : read.runs) runs_.push_back(std::move(run));
  for (Document& other : read.others) documents_.push_back(std::move(other));
}

void HtmlPage::Add(const store::BenchRun& run) {
  const Context& context = run.context;
  Json json = {{"schema_version", 1},
               {"place", context.place()},
               {"suite_version", context.suite_version},
               {"command_line", context.command_line},
               {"started", context.started},
               {"seed", context.seed},
               {"environment",
                {{"suite", context.suite_version},
                 {"host", context.host},
                 {"kernel", context.kernel},
                 {"processors", std::to_string(context.processors)},
                 {"filesystem", context.filesystem.type}}},
               {"locks", Json::array()},
               {"series", Json::array()}};
  for (const store::Correctness& lock : run.locks) {
    json["locks"].push_back({{"backend", lock.backend},
                             {"verdict", lock.verdict},
                             {"reason", lock.reason}});
  }
  for (const store::Series& series : run.series) {
    json["series"].push_back({{"backend", series.backend},
                              {"measure", series.measure},
                              {"unit", series.unit},
                              {"samples", series.samples},
                              {"buckets", series.buckets}});
  }
  AddDocument("run " + context.run_id,
              json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::string HtmlPage::Write() const {
  std::string page;
  for (const Limits& limits : kLimits) {
    page = PageOf(ForScript(DataJson(runs_, documents_, changes_, limits)));
    if (page.size() <= kHtmlBytes) break;
  }
  return page;
}

}  // namespace locklab::report
