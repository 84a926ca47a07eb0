#include "conformance/report/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "conformance/report/plain.h"

namespace locklab::report {
namespace {

std::string Time(const std::optional<Percentiles>& latency,
                 int64_t Percentiles::*which) {
  return latency ? ShortTime((*latency).*which) : "-";
}

// What several columns have in common.
enum class Group { kNone, kAlone, kCrowd };

struct Column {
  std::string_view head;
  int width;
  Group group;
  int rank;  // the greater, the earlier it is left out; 0: never
  std::string (*cell)(const BackendReport& backend);
};

// After the name and the verdict, which are always there.
const Column kColumns[] = {
    {"claims", 7, Group::kNone, 1, ClaimsCell},
    {"p50", 9, Group::kAlone, 2,
     [](const BackendReport& b) {
       return Time(b.latency_ns, &Percentiles::p50);
     }},
    {"p99", 9, Group::kAlone, 4,
     [](const BackendReport& b) {
       return Time(b.latency_ns, &Percentiles::p99);
     }},
    {"floor", 9, Group::kAlone, 5,
     [](const BackendReport& b) {
       return b.floor_ns ? ShortTime(*b.floor_ns) : std::string("-");
     }},
    {"wait p99", 9, Group::kCrowd, 3,
     [](const BackendReport& b) {
       return b.contention ? ShortTime(b.contention->wait_ns.p99)
                           : std::string("-");
     }},
    {"jain", 6, Group::kCrowd, 6,
     [](const BackendReport& b) {
       return b.contention ? fmt::format("{:.3f}", b.contention->jain)
                           : std::string("-");
     }},
};

constexpr int kVerdictWidth = 12;

struct Layout {
  int name_width = 0;
  std::vector<const Column*> columns;
};

Layout LayoutFor(const RunReport& report, int width) {
  Layout layout;
  layout.name_width = 8;
  for (const BackendReport& backend : report.backends) {
    layout.name_width = std::max(
        layout.name_width, static_cast<int>(OneLine(backend.name).size()));
  }
  // The claims have room, whatever a lock is called.
  layout.name_width = std::min(layout.name_width, std::max(8, width - 21));
  int total = layout.name_width + 1 + kVerdictWidth;
  for (const Column& column : kColumns) {
    layout.columns.push_back(&column);
    total += 1 + column.width;
  }
  while (total > width && !layout.columns.empty()) {
    const auto least = std::max_element(
        layout.columns.begin(), layout.columns.end(),
        [](const Column* a, const Column* b) { return a->rank < b->rank; });
    total -= 1 + (*least)->width;
    layout.columns.erase(least);
  }
  return layout;
}

// The head of a group that `width` columns have room for.
std::string GroupHead(Group group, int processes, int width) {
  std::vector<std::string> texts;
  if (group == Group::kAlone) {
    texts = {"acquire + release", "alone"};
  } else if (group == Group::kCrowd) {
    if (processes > 0) texts = {fmt::format("{} processes", processes)};
    texts.emplace_back("crowd");
  }
  for (const std::string& text : texts) {
    if (static_cast<int>(text.size()) > width) continue;
    return group == Group::kAlone ? fmt::format("{:^{}}", text, width)
                                  : fmt::format("{:>{}}", text, width);
  }
  return std::string(static_cast<size_t>(width), ' ');
}

std::string GroupLine(const Layout& layout, int processes) {
  std::string line(static_cast<size_t>(layout.name_width + 1 + kVerdictWidth),
                   ' ');
  for (size_t i = 0; i < layout.columns.size();) {
    const Group group = layout.columns[i]->group;
    int width = -1;
    for (; i < layout.columns.size() && layout.columns[i]->group == group;
         ++i) {
      width += 1 + layout.columns[i]->width;
    }
    line += " " + GroupHead(group, processes, width);
  }
  line.resize(line.find_last_not_of(' ') + 1);
  return line.empty() ? "" : line + "\n";
}

std::string HeadLine(const Layout& layout) {
  std::string line = fmt::format("{:<{}} {:<{}}", "backend", layout.name_width,
                                 "verdict", kVerdictWidth);
  for (const Column* column : layout.columns) {
    line += fmt::format(" {:>{}}", column->head, column->width);
  }
  line.resize(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

// A lock of which not every claim was asked is safe as far as one looked.
std::string VerdictCell(const RunReport& report, const BackendReport& backend) {
  std::string cell(WorthName(backend.worth));
  const bool partly = backend.worth == Worth::kSafe && report.context.partial();
  return partly ? cell + ", partly" : cell;
}

std::string Line(const RunReport& report, const BackendReport& backend,
                 const Layout& layout, const TextStyle& style) {
  const auto width = static_cast<size_t>(layout.name_width);
  std::string line =
      fmt::format("{:<{}} ", Shorten(OneLine(backend.name), width), width);
  line +=
      Paint(fmt::format("{:<{}}", VerdictCell(report, backend), kVerdictWidth),
            ToneOf(backend.worth), style);
  for (const Column* column : layout.columns) {
    line += fmt::format(" {:>{}}", column->cell(backend), column->width);
  }
  return line + "\n";
}

}  // namespace

std::string Paint(std::string text, Tone tone, const TextStyle& style) {
  if (!style.color) return text;
  static constexpr std::array<std::string_view, 4> kCodes = {"32", "31", "33",
                                                             "2"};
  return fmt::format("\x1b[{}m{}\x1b[0m", kCodes[static_cast<size_t>(tone)],
                     text);
}

Tone ToneOf(Worth worth) {
  switch (worth) {
    case Worth::kSafe:
      return Tone::kGood;
    case Worth::kUnsafe:
      return Tone::kBad;
    case Worth::kInconclusive:
      return Tone::kDoubt;
    case Worth::kUnsupported:
      break;
  }
  return Tone::kQuiet;
}

std::string VerdictTable(const RunReport& report, const TextStyle& style) {
  if (report.backends.empty()) return "";
  int processes = 0;
  for (const BackendReport& backend : report.backends) {
    if (backend.contention) processes = backend.contention->processes;
  }
  const Layout layout = LayoutFor(report, style.width);
  std::string out = GroupLine(layout, processes) + HeadLine(layout);
  for (const BackendReport& backend : report.backends) {
    out += Line(report, backend, layout, style);
  }
  return out;
}

}  // namespace locklab::report
