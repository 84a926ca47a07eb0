#include "conformance/report/matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "conformance/report/plain.h"
#include "conformance/report/table.h"

namespace locklab::report {
namespace {

using Json = nlohmann::ordered_json;

// All that were examined, in the order in which they first come.
std::vector<std::string> BackendsOf(std::span<const RunReport> reports) {
  std::vector<std::string> names;
  for (const RunReport& report : reports) {
    for (const BackendReport& backend : report.backends) {
      if (std::find(names.begin(), names.end(), backend.name) == names.end()) {
        names.push_back(backend.name);
      }
    }
  }
  return names;
}

const BackendReport* Find(const RunReport& report, const std::string& name) {
  for (const BackendReport& backend : report.backends) {
    if (backend.name == name) return &backend;
  }
  return nullptr;
}

// Whether it is unsafe by failures that expectations files know, and no others.
bool IsExpected(const RunReport& report, const BackendReport& backend) {
  if (backend.worth != Worth::kUnsafe || HeldTwice(backend)) return false;
  bool known = false;
  for (const ClaimResult* claim : Bearing(report, backend)) {
    if (claim->level != Level::kMust) continue;
    if (claim->finding.verdict == Verdict::kFail) return false;
    known |= claim->finding.verdict == Verdict::kXfail;
  }
  return known;
}

// A cell's two lines.
using Cell = std::pair<std::string, std::string>;

Cell CellOf(const RunReport& report, const BackendReport* backend) {
  if (backend == nullptr) return {"", ""};
  if (backend->worth == Worth::kUnsupported) return {"-", ""};
  if (backend->worth == Worth::kInconclusive) return {"?", ""};
  if (backend->worth == Worth::kUnsafe) {
    return {"unsafe", IsExpected(report, *backend) ? "(known)" : ""};
  }
  if (!backend->latency_ns) return {"safe", ""};
  return {ShortTime(backend->latency_ns->p50),
          ShortTime(backend->latency_ns->p99)};
}

std::string UseOf(const RunReport& report) {
  if (!report.recommendation) return "";
  return report.recommendation->backend.empty()
             ? "none"
             : report.recommendation->backend;
}

// Why they are not safe: one line for all backends of a place that say the same
// of themselves.
std::vector<std::string> NotesOf(const RunReport& report) {
  std::vector<std::pair<std::string, std::string>> notes;
  for (const BackendReport& backend : report.backends) {
    if (backend.worth == Worth::kSafe) continue;
    const std::string why = fmt::format("{}: {}", WorthName(backend.worth),
                                        Shorten(OneLine(backend.reason), 300));
    const auto same =
        std::find_if(notes.begin(), notes.end(),
                     [&why](const auto& note) { return note.second == why; });
    if (same == notes.end()) {
      notes.emplace_back(backend.name, why);
    } else {
      same->first += ", " + backend.name;
    }
  }
  std::vector<std::string> lines;
  for (const auto& [names, why] : notes) {
    lines.push_back(fmt::format("{} {}: {}", OneLine(report.context.place()),
                                OneLine(names), why));
  }
  if (!report.cut_short.empty()) {
    lines.push_back(fmt::format("{}: {}", OneLine(report.context.place()),
                                OneLine(report.cut_short)));
  }
  return lines;
}

std::string Environment(const RunReport& report) {
  const Context& context = report.context;
  return fmt::format("locklab {}, {}, {} processors", context.suite_version,
                     OneLine(context.kernel), context.processors);
}

constexpr std::string_view kLegend =
    "A time: safe; p50, and below it p99, of acquire and release by one "
    "process.";
constexpr std::string_view kMarks =
    "unsafe (known): by failures that expectations know. -: unsupported. ?: "
    "could not be told.";

Json PercentilesJson(const std::optional<Percentiles>& percentiles) {
  if (!percentiles) return nullptr;
  return {{"p50", percentiles->p50}, {"p99", percentiles->p99}};
}

Json BackendJson(const RunReport& report, const BackendReport& backend) {
  std::optional<Percentiles> wait;
  if (backend.contention) wait = backend.contention->wait_ns;
  return {{"name", backend.name},
          {"verdict", std::string(WorthName(backend.worth))},
          {"reason", backend.reason},
          {"expected", IsExpected(report, backend)},
          {"latency_ns", PercentilesJson(backend.latency_ns)},
          {"wait_ns", PercentilesJson(wait)}};
}

Json ReportJson(const RunReport& report) {
  const Context& context = report.context;
  Json backends = Json::array();
  for (const BackendReport& backend : report.backends) {
    backends.push_back(BackendJson(report, backend));
  }
  Json use;
  if (report.recommendation) {
    use = {{"backend", report.recommendation->backend},
           {"reason", report.recommendation->reason}};
  }
  return {{"name", context.place()},
          {"type", context.filesystem.type},
          {"source", context.filesystem.source},
          {"shared", context.filesystem.shared},
          {"mounts", context.other_mount.empty() ? 1 : 2},
          {"kernel", context.kernel},
          {"processors", context.processors},
          {"profile", context.profile},
          {"partial", context.partial()},
          {"cut_short", report.cut_short},
          {"run_id", context.run_id},
          {"started", context.started},
          {"backends", std::move(backends)},
          {"recommendation", std::move(use)}};
}

// For a cell of a table: nothing in it ends the cell.
std::string MarkdownText(const std::string& text) {
  std::string out;
  for (const char c : Entities(OneLine(text))) {
    out += std::string_view("|*_`[]\\").find(c) != std::string_view::npos
               ? std::string("\\") + c
               : std::string(1, c);
  }
  return out;
}

}  // namespace

std::vector<RunReport> LatestOfEach(std::vector<RunReport> reports) {
  const auto weight = [&reports](size_t i) {
    const RunReport& report = reports[i];
    const bool whole = report.cut_short.empty() && !report.context.partial();
    return std::make_pair(whole, report.context.started);
  };
  std::map<std::string, size_t> last;
  for (size_t i = 0; i < reports.size(); ++i) {
    size_t& at = last.try_emplace(reports[i].context.place(), i).first->second;
    if (weight(i) >= weight(at)) at = i;
  }
  std::vector<RunReport> latest;
  for (size_t i = 0; i < reports.size(); ++i) {
    if (last[reports[i].context.place()] == i) {
      latest.push_back(std::move(reports[i]));
    }
  }
  return latest;
}

std::string MatrixText(std::span<const RunReport> reports,
                       const TextStyle& style) {
  if (reports.empty()) return "";
  const std::vector<std::string> names = BackendsOf(reports);
  size_t first = std::string_view("filesystem").size();
  for (const RunReport& report : reports) {
    first = std::max(first, OneLine(report.context.place()).size());
  }
  const auto width = [](const std::string& name) {
    return std::max<size_t>(8, name.size());
  };
  std::string out = fmt::format("{:<{}}", "filesystem", first);
  for (const std::string& name : names) {
    out += fmt::format("  {:>{}}", name, width(name));
  }
  out += "  use\n";
  for (const RunReport& report : reports) {
    std::string above =
        fmt::format("{:<{}}", OneLine(report.context.place()), first);
    std::string below(first, ' ');
    for (const std::string& name : names) {
      const BackendReport* backend = Find(report, name);
      const Cell cell = CellOf(report, backend);
      const std::string padded = fmt::format("{:>{}}", cell.first, width(name));
      above += "  ";
      above += backend == nullptr
                   ? padded
                   : Paint(padded, ToneOf(backend->worth), style);
      below += fmt::format("  {:>{}}", cell.second, width(name));
    }
    below.erase(below.find_last_not_of(' ') + 1);
    const std::string use = UseOf(report);
    out += above + (use.empty() ? "" : "  " + use) + "\n";
    if (!below.empty()) out += below + "\n";
  }
  out += fmt::format("\n{}\n{}\n{}\n", kLegend, kMarks,
                     Environment(reports.front()));
  std::string notes;
  for (const RunReport& report : reports) {
    for (const std::string& note : NotesOf(report)) notes += note + "\n";
  }
  return notes.empty() ? out : out + "\n" + notes;
}

std::string MatrixMarkdown(std::span<const RunReport> reports) {
  if (reports.empty()) return "";
  const std::vector<std::string> names = BackendsOf(reports);
  std::string out = "| filesystem |";
  std::string rule = "|---|";
  for (const std::string& name : names) {
    out += fmt::format(" {} |", MarkdownText(name));
    rule += "--:|";
  }
  out += " use |\n" + rule + "---|\n";
  for (const RunReport& report : reports) {
    out += fmt::format("| {} |", MarkdownText(report.context.place()));
    for (const std::string& name : names) {
      const Cell cell = CellOf(report, Find(report, name));
      out += fmt::format(" {}{}{} |", MarkdownText(cell.first),
                         cell.second.empty() ? "" : "<br>",
                         MarkdownText(cell.second));
    }
    out += fmt::format(" {} |\n", MarkdownText(UseOf(report)));
  }
  out += fmt::format("\n{} {} {}.\n", kLegend, kMarks,
                     MarkdownText(Environment(reports.front())));
  std::string notes;
  for (const RunReport& report : reports) {
    for (const std::string& note : NotesOf(report)) {
      notes += "- " + MarkdownText(note) + "\n";
    }
  }
  return notes.empty() ? out : out + "\n" + notes;
}

std::string MatrixJson(std::span<const RunReport> reports) {
  Json array = Json::array();
  for (const RunReport& report : reports) array.push_back(ReportJson(report));
  const Json document = {{"schema_version", 1},
                         {"filesystems", std::move(array)}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace locklab::report
