#include "conformance/report/markdown.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "conformance/report/cases.h"
#include "conformance/report/plain.h"
#include "conformance/report/text.h"

namespace locklab::report {
namespace {

// Of one text from the report; of one finding's evidence.
constexpr size_t kTextBytes = 1000;
constexpr size_t kEvidenceLines = 60;
// For the line that tells of the rest, and the ends of what is open.
constexpr size_t kReserve = 300;

// Blocks, as long as there is room.
class Page {
 public:
  explicit Page(size_t limit) : limit_(limit - kReserve) {}

  void Add(std::string_view block) {
    if (out_.size() + block.size() <= limit_) {
      out_ += block;
    } else {
      ++left_out_;
      left_out_bytes_ += block.size();
    }
  }

  std::string Finish() && {
    if (left_out_ > 0) {
      out_ += fmt::format(
          "\n**{} more parts of this summary ({} bytes) were left out: it may "
          "not be longer. The JSON report has all of it.**\n",
          left_out_, left_out_bytes_);
    }
    return std::move(out_);
  }

 private:
  size_t limit_;
  size_t left_out_ = 0;
  size_t left_out_bytes_ = 0;
  std::string out_;
};

// One line of text where Markdown is read. Every character of its own meaning
// becomes an entity: a backslash would not help in a table or before HTML.
std::string Text(std::string_view text) {
  std::string out;
  for (const char c : Shorten(OneLine(text), kTextBytes)) {
    if (std::string_view("&<>\"'|`*_[]\\~#!@$:{}").find(c) !=
        std::string_view::npos) {
      out += fmt::format("&#{};", static_cast<int>(c));
    } else {
      out += c;
    }
  }
  return out;
}

// The same as code: in HTML, since backticks may be in it.
std::string Code(std::string_view text) {
  return "<code>" + Text(text) + "</code>";
}

std::string_view Mark(Worth worth) {
  switch (worth) {
    case Worth::kSafe:
      return "✅";
    case Worth::kUnsafe:
      return "❌";
    case Worth::kUnsupported:
      return "⚪";
    case Worth::kInconclusive:
      break;
  }
  return "❔";
}

std::string Row(const std::vector<std::string>& cells) {
  std::string out = "|";
  for (const std::string& cell : cells) out += " " + cell + " |";
  return out + "\n";
}

std::string Headline(const RunReport& report) {
  std::string counts;
  for (const Worth worth : {Worth::kSafe, Worth::kUnsafe, Worth::kUnsupported,
                            Worth::kInconclusive}) {
    const auto count = std::count_if(
        report.backends.begin(), report.backends.end(),
        [worth](const BackendReport& b) { return b.worth == worth; });
    if (count == 0) continue;
    counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", count,
                          WorthName(worth));
  }
  if (counts.empty()) counts = "nothing was examined";
  std::string out =
      fmt::format("## Locks on {} ({}): {}\n\n", Text(report.context.place()),
                  Text(report.context.filesystem.type), counts);
  if (!report.cut_short.empty()) {
    out += "**The run was cut short:** " + Text(report.cut_short) + "\n\n";
  }
  for (const std::string& missing : report.missing) {
    out += "**Required, and not to be had:** " + Text(missing) + "\n\n";
  }
  if (report.recommendation) {
    const Recommendation& best = *report.recommendation;
    out += best.backend.empty() ? "**Use none of these locks:** "
                                : "**Use " + Text(best.backend) + ":** ";
    out += Text(best.reason) + "\n\n";
  }
  return out;
}

std::string Table(const BackendReport& backend) {
  const auto& latency = backend.latency_ns;
  const auto& crowd = backend.contention;
  return Row(
      {Text(backend.name),
       fmt::format("{} {}", Mark(backend.worth), WorthName(backend.worth)),
       ClaimsCell(backend), latency ? ShortTime(latency->p50) : "-",
       latency ? ShortTime(latency->p99) : "-",
       backend.floor_ns ? ShortTime(*backend.floor_ns) : "-",
       crowd ? ShortTime(crowd->wait_ns.p99) : "-",
       crowd ? fmt::format("{:.3f}", crowd->jain) : "-", Text(backend.reason)});
}

void AddBackends(const RunReport& report, Page* page) {
  if (report.backends.empty()) return;
  page->Add(
      "| lock | verdict | claims | p50 | p99 | floor | wait p99 | jain | why "
      "|\n|---|---|--:|--:|--:|--:|--:|--:|---|\n");
  for (const BackendReport& backend : report.backends) {
    page->Add(Table(backend));
  }
  page->Add(
      "\n<sub>p50, p99: acquire and release, uncontended; floor: the same "
      "system calls without the library; wait p99, jain: many processes at "
      "one lock</sub>\n\n");
}

void AddDeaths(const RunReport& report, Page* page) {
  bool any = false;
  for (const BackendReport& backend : report.backends) {
    const CrashSum sum = SumOf(backend.crash);
    if (sum.points == 0) continue;
    if (!any) {
      page->Add(
          "### Deaths in the middle of operations\n\n| lock | points | "
          "recovered | failed | slowest | at |\n|---|--:|--:|--:|--:|---|\n");
    }
    any = true;
    page->Add(Row({Text(backend.name), std::to_string(sum.points),
                   std::to_string(sum.recovered), std::to_string(sum.failed),
                   sum.worst.empty() ? "-" : ShortTime(sum.worst_ns),
                   Text(sum.worst)}));
  }
  if (any) page->Add("\n");
}

// Whether a person wants to see it unfolded.
bool IsNews(const Case& item) {
  return IsRed(item) || item.outcome == Outcome::kNoted;
}

std::string_view Mark(const Case& item) {
  if (item.outcome == Outcome::kFailed) return "❌";
  return item.outcome == Outcome::kError ? "❔" : "⚠️";
}

// Blank lines would end the outer HTML, but not <pre>.
std::string Details(std::string_view suite, const Case& item) {
  std::string out = fmt::format(
      "<details><summary>{} {} <b>{} {}</b>: {}</summary>\n\n", Mark(item),
      item.type, Text(suite), Text(item.name), Text(item.message));
  if (!item.evidence.empty()) {
    out += "<pre>\n";
    const size_t shown = std::min(item.evidence.size(), kEvidenceLines);
    for (size_t i = 0; i < shown; ++i) {
      out += Entities(Shorten(item.evidence[i], kTextBytes)) + "\n";
    }
    if (shown < item.evidence.size()) {
      out += fmt::format("{} more lines\n", item.evidence.size() - shown);
    }
    out += "</pre>\n\n";
  }
  if (!item.replay.empty()) out += "replay: " + Code(item.replay) + "\n\n";
  return out + "</details>\n\n";
}

void AddFailures(const std::vector<Suite>& suites, Page* page) {
  bool any = false;
  for (const Suite& suite : suites) {
    for (const Case& item : suite.cases) {
      if (!IsNews(item)) continue;
      if (!any) page->Add("### What was found\n\n");
      any = true;
      page->Add(Details(suite.name, item));
    }
  }
}

void AddExpected(const std::vector<Suite>& suites, Page* page) {
  bool any = false;
  for (const Suite& suite : suites) {
    for (const Case& item : suite.cases) {
      if (item.outcome != Outcome::kExpected) continue;
      if (!any) page->Add("### Failed, as was expected\n\n");
      any = true;
      page->Add(fmt::format("- {} {}: {}\n", Text(suite.name), Text(item.name),
                            Text(item.message)));
    }
  }
  if (any) page->Add("\n");
}

void AddPrimitives(const RunReport& report, Page* page) {
  if (report.primitives.empty()) return;
  page->Add(
      "### What the directory gives\n\n| primitive | | verdict | what was seen "
      "| carries |\n|---|---|---|---|---|\n");
  for (const Primitive& primitive : report.primitives) {
    const ClaimResult& claim = primitive.claim;
    std::string carries;
    for (const std::string& name : primitive.carries) carries += name + " ";
    page->Add(Row({Text(claim.id), std::string(LevelName(claim.level)),
                   std::string(VerdictName(claim.finding.verdict)),
                   Text(claim.finding.reason), Text(carries)}));
  }
  page->Add("\n");
}

void AddContext(const RunReport& report, Page* page) {
  const Context& context = report.context;
  page->Add("### The run\n\n| | |\n|---|---|\n");
  const auto add = [page](std::string_view name, std::string_view value) {
    if (!value.empty()) page->Add(Row({Text(name), Text(value)}));
  };
  if (report.canary) {
    add("canary", fmt::format("{}: {}; {}", report.canary->name,
                              report.canary->caught ? "caught" : "NOT CAUGHT",
                              report.canary->reason));
  }
  page->Add(Row({"command", Code(context.command_line)}));
  add("seed", std::to_string(context.seed));
  add("locklab", context.suite_version);
  add("profile", context.profile);
  if (context.partial()) {
    add("claims", fmt::format("{} of {} were chosen", context.claims_chosen,
                              context.claims_total));
  }
  for (const std::string& file : context.expectations) {
    add("expectations", file);
  }
  add("source", context.filesystem.source);
  add("mount options", context.filesystem.options);
  add("other mount", context.other_mount);
  add("filesystem of the lab", context.variant);
  add("host", fmt::format("{}, {}, {} processors", context.host, context.kernel,
                          context.processors));
  add("started",
      fmt::format("{}, took {:.1f} s", context.started, context.duration_s));
  for (const auto& [name, version] : context.versions) add(name, version);
  add("run", context.run_id);
}

}  // namespace

std::string ToMarkdown(const RunReport& report, size_t limit) {
  Page page(limit);
  page.Add(Headline(report));
  AddBackends(report, &page);
  const std::vector<Suite> suites = SuitesOf(report);
  AddFailures(suites, &page);
  AddExpected(suites, &page);
  AddDeaths(report, &page);
  AddPrimitives(report, &page);
  AddContext(report, &page);
  return std::move(page).Finish();
}

}  // namespace locklab::report
