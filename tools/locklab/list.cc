// locklab list: what there is, each list from its one table.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/canary/canary.h"
#include "conformance/claims/claim.h"
#include "conformance/claims/features.h"
#include "conformance/expect/expectations.h"
#include "lib/backends.h"
#include "stress/adapters/adapter.h"
#include "stress/faultfs/sins.h"
#include "stress/scenarios/scenario.h"
#include "tools/locklab/commands.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/sins.h"
#include "tools/locklab/subjects.h"

namespace locklab::cli {
namespace {

using Json = nlohmann::ordered_json;

// One thing of a list: what is shown of it as text, and everything as JSON.
struct Item {
  std::string name;
  std::string text;  // may have several lines
  Json json;
};

struct ListRow {
  std::string_view name;
  std::vector<Item> (*items)();
};

Json TraitsJson(const lockfile::Traits& traits) {
  return {
      {"released_on_crash", traits.released_on_crash},
      {"excludes_threads", traits.excludes_threads},
      {"survives_fork", traits.survives_fork},
      {"breakable", traits.breakable},
      {"keeps_file", traits.keeps_file},
      {"python_compatible", traits.python_compatible},
      {"needs", std::string(traits.needs)},
      {"longest_path", traits.longest_path},
      {"bypasses_seam", traits.bypasses_seam},
  };
}

// The names of the traits that hold: "breakable, excludes_threads, ...".
std::string TraitsText(const lockfile::Traits& traits) {
  const Json json = TraitsJson(traits);
  std::string text;
  for (const auto& [name, value] : json.items()) {
    if (value != true) continue;
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

std::vector<Item> BackendItems() {
  std::vector<Item> items;
  for (const lockfile::BackendRow& row : lockfile::Backends()) {
    std::string text = fmt::format("{}\nlocks PATH at: PATH{}\ntraits: {}",
                                   row.doc, row.suffix, TraitsText(row.traits));
    if (!row.traits.needs.empty()) {
      text += fmt::format("\nneeds: {}", row.traits.needs);
    }
    items.push_back({std::string(row.name), std::move(text),
                     Json{{"name", std::string(row.name)},
                          {"doc", std::string(row.doc)},
                          {"path", "PATH" + std::string(row.suffix)},
                          {"traits", TraitsJson(row.traits)}}});
  }
  return items;
}

std::vector<Item> ClaimItems() {
  std::vector<Item> items;
  for (const Claim& claim : Claims()) {
    std::string text = fmt::format("{}: {}\nsource: {}", LevelName(claim.level),
                                   claim.statement, claim.source);
    if (!claim.carries.empty()) {
      text += fmt::format("\ncarries: {}", claim.carries);
    }
    if (!claim.needs.empty()) text += fmt::format("\nneeds: {}", claim.needs);
    items.push_back({std::string(claim.id), std::move(text),
                     Json{{"id", std::string(claim.id)},
                          {"level", std::string(LevelName(claim.level))},
                          {"statement", std::string(claim.statement)},
                          {"source", std::string(claim.source)},
                          {"primitive", claim.primitive},
                          {"carries", NamesIn(claim.carries)},
                          {"needs", NamesIn(claim.needs)}}});
  }
  return items;
}

std::vector<Item> FeatureItems() {
  std::vector<Item> items;
  for (const Feature& feature : Features()) {
    items.push_back(
        {std::string(feature.name),
         fmt::format("{}\nif missing: {}", feature.doc, feature.remedy),
         Json{{"name", std::string(feature.name)},
              {"doc", std::string(feature.doc)},
              {"if_missing", std::string(feature.remedy)}}});
  }
  return items;
}

std::vector<Item> CanaryItems() {
  std::vector<Item> items;
  for (const canary::Canary& canary : canary::Canaries()) {
    std::string text =
        fmt::format("{}\ncaught by: {}", canary.doc, canary.claim);
    if (!canary.also.empty()) text += fmt::format("\nalso: {}", canary.also);
    items.push_back({std::string(canary.name), std::move(text),
                     Json{{"name", std::string(canary.name)},
                          {"doc", std::string(canary.doc)},
                          {"claims", canary.claims()}}});
  }
  return items;
}

// Asks each, which takes a moment.
std::vector<Item> AdapterItems() {
  std::vector<Item> items;
  for (const adapters::Adapter& row : adapters::Adapters()) {
    const std::string name = "adapter:" + std::string(row.name);
    const NamedSubject subject = ParseSubjects(name, 0).front();
    const std::string missing = subject.factory->WhyMissing();
    const std::string traits = TraitsText(subject.factory->traits());
    std::string text = fmt::format("{}\npackage: {}", row.doc, row.package);
    if (!traits.empty()) text += fmt::format("\ntraits: {}", traits);
    if (!missing.empty()) text += fmt::format("\nnot there: {}", missing);
    items.push_back({name, std::move(text),
                     Json{{"name", name},
                          {"doc", std::string(row.doc)},
                          {"package", std::string(row.package)},
                          {"available", missing.empty()},
                          {"reason", missing},
                          {"traits", TraitsJson(subject.factory->traits())}}});
  }
  return items;
}

std::vector<Item> ExpectationItems() {
  std::vector<Item> items;
  for (const expect::Pack& pack : expect::Packs()) {
    const std::string name = "@" + std::string(pack.name);
    items.push_back({name, std::string(pack.doc),
                     Json{{"name", name},
                          {"doc", std::string(pack.doc)},
                          {"text", std::string(pack.text)}}});
  }
  return items;
}

std::vector<Item> ScenarioItems() {
  std::vector<Item> items;
  for (const scenario::Scenario& scenario : scenario::Scenarios()) {
    const scenario::ContentionPlan plan = scenario::PlanOf(scenario);
    items.push_back(
        {std::string(scenario.name),
         fmt::format("{}\nprocesses: {}, threads in each: {}, locks: {}, hold "
                     "{}, think {}",
                     scenario.doc, plan.processes, plan.threads, plan.locks,
                     plan.hold.Describe(), plan.think.Describe()),
         Json{{"name", std::string(scenario.name)},
              {"doc", std::string(scenario.doc)},
              {"processes", plan.processes},
              {"threads", plan.threads},
              {"locks", plan.locks},
              {"hold", plan.hold.Describe()},
              {"think", plan.think.Describe()},
              {"timeout", plan.timeout.Describe()},
              {"rate", plan.rate},
              {"counter", plan.counter_file}}});
  }
  return items;
}

std::vector<Item> SinItems() {
  std::vector<Item> items;
  for (const faultfs::SinRow& row : faultfs::SinRows()) {
    items.push_back({std::string(row.name),
                     fmt::format("{}\nbreaks: {}\nvalues: {}", row.doc,
                                 row.breaks, ValuesOf(row)),
                     Json{{"name", std::string(row.name)},
                          {"doc", std::string(row.doc)},
                          {"breaks", std::string(row.breaks)},
                          {"values", ValuesOf(row)}}});
  }
  return items;
}

// One row a list.
constexpr ListRow kLists[] = {
    {"backends", BackendItems},         {"claims", ClaimItems},
    {"features", FeatureItems},         {"canaries", CanaryItems},
    {"expectations", ExpectationItems}, {"scenarios", ScenarioItems},
    {"adapters", AdapterItems},         {"sins", SinItems},
};

std::vector<std::string_view> ListNames() {
  std::vector<std::string_view> names;
  for (const ListRow& row : kLists) names.push_back(row.name);
  return names;
}

void PrintText(const std::vector<Item>& items, std::ostream& out) {
  size_t width = 0;
  for (const Item& item : items) width = std::max(width, item.name.size());
  for (const Item& item : items) {
    const std::string indent = "\n" + std::string(width + 2, ' ');
    std::string text;
    for (const char c : item.text) {
      text += c == '\n' ? indent : std::string(1, c);
    }
    fmt::print(out, "{:<{}}  {}\n", item.name, width, text);
  }
}

void PrintJson(std::string_view list, const std::vector<Item>& items,
               std::ostream& out) {
  Json array = Json::array();
  for (const Item& item : items) array.push_back(item.json);
  const Json document = {{"schema_version", 1},
                         {"suite_version", std::string(kSuiteVersion)},
                         {std::string(list), std::move(array)}};
  out << document.dump(2) << "\n";
}

struct Flags {
  std::string list;
  std::string format = "text";
};

}  // namespace

Run SetUpList(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  AddChoice(app, "WHAT", &flags->list, ListNames(), "What to list.")
      ->required();
  AddChoice(app, "--format", &flags->format, {"text", "json"},
            "How to print it.");
  return [flags, &context] {
    const auto row = std::find_if(
        std::begin(kLists), std::end(kLists),
        [&](const ListRow& list) { return list.name == flags->list; });
    const std::vector<Item> items = row->items();
    if (flags->format == "json") {
      PrintJson(row->name, items, context.out.stream);
    } else {
      PrintText(items, context.out.stream);
    }
    return static_cast<int>(items.empty() ? kExitNothingRan : kExitOk);
  };
}

}  // namespace locklab::cli
