#include "conformance/report/tap.h"

#include <fmt/format.h>

#include <string_view>

#include "conformance/report/cases.h"
#include "conformance/report/plain.h"

namespace locklab::report {
namespace {

// A description ends where a directive begins.
std::string Description(std::string_view text) {
  std::string out;
  for (const char c : OneLine(text)) {
    if (c == '#' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

// A single-quoted YAML scalar of one line: readers of TAP know no other quotes
// well.
std::string Quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += c;
    out += c;
  }
  return out + "'";
}

// A literal block, which is as deep as its first line is.
std::string Evidence(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) {
    const size_t text = line.find_first_not_of(' ');
    if (!out.empty()) {
      out += "    " + line + "\n";
    } else if (text != std::string::npos) {
      out = "    " + line.substr(text) + "\n";
    }
  }
  return out.empty() ? out : "  evidence: |\n" + out;
}

std::string Yaml(const Case& item) {
  std::string out = fmt::format("  ---\n  verdict: {}\n", Quoted(item.type));
  if (item.outcome == Outcome::kNoted) {
    out += "  note: 'this failure does not count'\n";
  }
  if (!item.message.empty()) {
    out += fmt::format("  message: {}\n", Quoted(item.message));
  }
  out += Evidence(item.evidence);
  if (!item.replay.empty()) {
    out += fmt::format("  replay: {}\n", Quoted(item.replay));
  }
  out += fmt::format("  duration_s: {:.3f}\n", item.duration_s);
  return out + "  ...\n";
}

std::string_view Directive(Outcome outcome) {
  if (outcome == Outcome::kSkipped) return " # SKIP";
  if (outcome == Outcome::kExpected) return " # TODO";
  return "";
}

std::string Line(const Case& item, std::string_view suite, size_t number) {
  const bool ok = !IsRed(item) && item.outcome != Outcome::kExpected;
  const std::string_view directive = Directive(item.outcome);
  std::string out =
      fmt::format("{} {} - {}: {}{}", ok ? "ok" : "not ok", number,
                  Description(suite), Description(item.name), directive);
  if (!directive.empty() && !item.message.empty()) {
    out += fmt::format(" {}: {}", item.type, Description(item.message));
  }
  out += "\n";
  const bool plain = directive.empty() && item.outcome == Outcome::kPassed;
  return plain ? out : out + Yaml(item);
}

std::string Head(const Context& context) {
  return fmt::format("# locklab {} seed {} on {} ({}), {}\n# {}\n",
                     OneLine(context.suite_version), context.seed,
                     OneLine(context.place()), OneLine(context.filesystem.type),
                     OneLine(context.kernel), OneLine(context.command_line));
}

}  // namespace

std::string ToTap(const RunReport& report) {
  const std::vector<Suite> suites = SuitesOf(report);
  size_t total = 0;
  for (const Suite& suite : suites) total += suite.cases.size();
  std::string out =
      fmt::format("TAP version 13\n1..{}\n{}", total, Head(report.context));
  size_t number = 0;
  for (const Suite& suite : suites) {
    for (const Case& item : suite.cases) {
      out += Line(item, suite.name, ++number);
    }
  }
  return out;
}

}  // namespace locklab::report
