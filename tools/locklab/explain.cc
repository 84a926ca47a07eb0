// locklab explain: what a claim means, for people who make filesystems.
#include "conformance/claims/explain/explain.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/claims/claim.h"
#include "conformance/claims/features.h"
#include "conformance/report/text.h"
#include "lib/backends.h"
#include "tools/locklab/commands.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/terminal.h"

namespace locklab::cli {
namespace {

using Json = nlohmann::ordered_json;

// The keys of claims::kExplainHeadings.
constexpr std::array<const char*, 4> kPartKeys = {
    "why_it_matters", "what_breaks_without_it", "usual_causes", "by_hand"};

struct Excused {
  std::string backend;
  std::string reason;
};

// Which backends a claim is examined for, and why others are not.
struct Reach {
  std::vector<std::string> applies_to;
  std::vector<Excused> excused;
};

Reach ReachOf(const Claim& claim) {
  Reach reach;
  if (claim.primitive) return reach;  // asks the directory and no lock
  for (const lockfile::BackendRow& row : lockfile::Backends()) {
    const std::string_view excuse =
        claim.excuse == nullptr ? "" : claim.excuse(row.traits);
    if (excuse.empty()) {
      reach.applies_to.emplace_back(row.name);
    } else {
      reach.excused.push_back({std::string(row.name), std::string(excuse)});
    }
  }
  return reach;
}

std::string CommandOf(const Claim& claim) {
  return fmt::format("locklab check --dir=DIR --filter='^{}$'", claim.id);
}

// --- as text -----------------------------------------------------------------

// "all backends"; "flock, fcntl, ofd; not link, mkdir: the kernel does not ..."
std::string ReachText(const Reach& reach) {
  if (reach.excused.empty()) return "all backends";
  std::string text = fmt::format("{}", fmt::join(reach.applies_to, ", "));
  // Backends of one reason together, in the order of the table.
  std::vector<Excused> groups;
  for (const Excused& excused : reach.excused) {
    const auto group = std::find_if(
        groups.begin(), groups.end(),
        [&](const Excused& other) { return other.reason == excused.reason; });
    if (group == groups.end()) {
      groups.push_back(excused);
    } else {
      group->backend += ", " + excused.backend;
    }
  }
  for (const Excused& group : groups) {
    text += fmt::format("; not to {}: {}", group.backend, group.reason);
  }
  return text;
}

std::string AppliesText(const Claim& claim) {
  if (!claim.primitive) return "applies to: " + ReachText(ReachOf(claim));
  const auto carried = NamesIn(claim.carries);
  return carried.empty()
             ? "examines: the directory itself; no backend depends on it alone"
             : fmt::format(
                   "examines: the directory itself; where it fails, "
                   "these are not safe: {}",
                   fmt::join(carried, ", "));
}

class Page {
 public:
  Page(int width, bool color) : width_(width), color_(color) {}

  void Heading(std::string_view text) {
    text_ += text_.empty() ? "" : "\n";
    text_ += color_ ? fmt::format("\x1b[1m{}\x1b[0m\n", text)
                    : fmt::format("{}\n", text);
  }
  // One sentence, with what follows its first line set in deeper.
  void Field(const std::string& text) {
    text_ += "  " + Indented(report::Wrap(text, width_ - 2, 2)) + "\n";
  }
  void Body(std::string_view markdown) {
    text_ += MarkdownToText(markdown, width_, 2);
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  static std::string Indented(const std::string& lines) {
    std::string out;
    for (const char c : lines) out += c == '\n' ? "\n  " : std::string(1, c);
    return out;
  }

  int width_;
  bool color_;
  std::string text_;
};

void PrintClaim(const Claim& claim, Page* page) {
  page->Heading(fmt::format("{} ({})", claim.id, LevelName(claim.level)));
  page->Field(std::string(claim.statement));
  page->Field(fmt::format("source: {}", claim.source));
  page->Field(AppliesText(claim));
  for (const std::string_view name : NamesIn(claim.needs)) {
    const Feature* feature = FindFeature(name);
    page->Field(feature == nullptr
                    ? fmt::format("needs: {}", name)
                    : fmt::format("needs: {}: {}; if missing: {}", name,
                                  feature->doc, feature->remedy));
  }
  const auto explanation = claims::Explain(claim.id);
  for (size_t i = 0; explanation && i < explanation->parts.size(); ++i) {
    page->Heading(claims::kExplainHeadings[i]);
    page->Body(explanation->parts[i]);
  }
  page->Heading("Run it");
  page->Body("```\n" + CommandOf(claim) + "\n```");
}

void PrintFamily(const std::vector<const Claim*>& family, Page* page) {
  for (const Claim* claim : family) {
    page->Heading(fmt::format("{} ({})", claim->id, LevelName(claim->level)));
    page->Field(std::string(claim->statement));
  }
  page->Heading("locklab explain CLAIM tells more of one");
}

// --- as JSON -----------------------------------------------------------------

Json ClaimJson(const Claim& claim) {
  const Reach reach = ReachOf(claim);
  Json excused = Json::array();
  for (const Excused& item : reach.excused) {
    excused.push_back({{"backend", item.backend}, {"reason", item.reason}});
  }
  Json json = {{"id", std::string(claim.id)},
               {"level", std::string(LevelName(claim.level))},
               {"statement", std::string(claim.statement)},
               {"source", std::string(claim.source)},
               {"primitive", claim.primitive},
               {"carries", NamesIn(claim.carries)},
               {"needs", NamesIn(claim.needs)},
               {"applies_to", reach.applies_to},
               {"excused", std::move(excused)}};
  const auto explanation = claims::Explain(claim.id);
  for (size_t i = 0; i < kPartKeys.size(); ++i) {
    json[kPartKeys[i]] = explanation ? std::string(explanation->parts[i]) : "";
  }
  json["command"] = CommandOf(claim);
  return json;
}

std::string ToJson(const std::vector<const Claim*>& claims) {
  Json array = Json::array();
  for (const Claim* claim : claims) array.push_back(ClaimJson(*claim));
  const Json document = {{"schema_version", 1},
                         {"suite_version", std::string(kSuiteVersion)},
                         {"claims", std::move(array)}};
  return document.dump(2) + "\n";
}

// --- the command -------------------------------------------------------------

// The claim of that id, or all of that family; else throws UsageError.
std::vector<const Claim*> Named(std::string_view name) {
  if (const Claim* claim = FindClaim(name)) return {claim};
  std::vector<const Claim*> family;
  std::vector<std::string_view> names;
  for (const Claim& claim : Claims()) {
    const std::string_view its = claims::FamilyOf(claim.id);
    if (its == name) family.push_back(&claim);
    names.push_back(claim.id);
    if (std::find(names.begin(), names.end(), its) == names.end()) {
      names.push_back(its);
    }
  }
  if (!family.empty()) return family;
  const std::string meant = DidYouMean(name, names);
  throw UsageError(
      fmt::format("there is no claim {}{}", ShellQuote(std::string(name)),
                  meant.empty() ? "; locklab list claims has all" : meant));
}

struct Flags {
  std::string claim;
  std::string format = "text";
};

int ExplainTo(const Flags& flags, Context& context) {
  const std::vector<const Claim*> claims = Named(flags.claim);
  if (flags.format == "json") {
    context.out.stream << ToJson(claims);
    return kExitOk;
  }
  Page page(WidthOf(context.out), context.out.color);
  if (FindClaim(flags.claim) != nullptr) {
    PrintClaim(*claims.front(), &page);
  } else {
    PrintFamily(claims, &page);
  }
  context.out.stream << page.text();
  return kExitOk;
}

}  // namespace

Run SetUpExplain(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  app.add_option("CLAIM", flags->claim,
                 "The id of a claim, exclusion.herd, or of a family of claims, "
                 "exclusion: see locklab list claims.")
      ->required();
  AddChoice(app, "--format", &flags->format, {"text", "json"},
            "How to print it.");
  return [flags, &context] { return ExplainTo(*flags, context); };
}

}  // namespace locklab::cli
