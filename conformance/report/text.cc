#include "conformance/report/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "conformance/report/plain.h"
#include "conformance/report/table.h"

namespace locklab::report {
namespace {

// Of one finding; the JSON report has all of it.
constexpr size_t kEvidenceLines = 12;

// Whether a person wants to hear of this claim beside the table.
bool IsNews(const ClaimResult& claim) {
  switch (claim.finding.verdict) {
    case Verdict::kFail:
    case Verdict::kXfail:
    case Verdict::kXpass:
    case Verdict::kInconclusive:
      return true;
    case Verdict::kPass:
    case Verdict::kUnsupported:
      break;
  }
  return false;
}

Tone ToneOf(const ClaimResult& claim) {
  switch (claim.finding.verdict) {
    case Verdict::kXpass:
      return Tone::kBad;
    case Verdict::kFail:
      return claim.level == Level::kMust ? Tone::kBad : Tone::kDoubt;
    case Verdict::kXfail:
      return Tone::kQuiet;
    case Verdict::kPass:
    case Verdict::kUnsupported:
    case Verdict::kInconclusive:
      break;
  }
  return Tone::kDoubt;
}

// `line` with blanks in front, its continuations two columns further in.
std::string Indented(const std::string& line, size_t by, int width) {
  const size_t text = std::min(line.find_first_not_of(' '), line.size());
  const std::string blanks(by + std::min<size_t>(text, 8), ' ');
  const int left = std::max(width - static_cast<int>(blanks.size()), 20);
  std::string out = blanks;
  for (const char c : Wrap(line.substr(text), left, 2)) {
    out += c;
    if (c == '\n') out += blanks;
  }
  return out + "\n";
}

std::string Evidence(const Finding& finding, int width) {
  const std::vector<std::string> lines = PlainLines(finding.evidence);
  // To say that one line is left out takes a line, too.
  const size_t shown =
      lines.size() <= kEvidenceLines + 1 ? lines.size() : kEvidenceLines;
  std::string out;
  for (size_t i = 0; i < shown; ++i) out += Indented(lines[i], 4, width);
  if (shown < lines.size()) {
    out += fmt::format("    {} more lines: see --format=json\n",
                       lines.size() - shown);
  }
  return out;
}

std::string Why(const Expectation& expected) {
  std::string out = "expected: " + expected.reason;
  if (!expected.link.empty()) out += ", " + expected.link;
  return OneLine(out + " (" + expected.where + ")");
}

std::string News(const std::string& whose, const ClaimResult& claim,
                 const TextStyle& style) {
  const std::string mark(VerdictName(claim.finding.verdict));
  const std::string text =
      OneLine(fmt::format("{} {} {} ({}): {}", mark, whose, claim.id,
                          LevelName(claim.level), claim.finding.reason));
  std::string out = Wrap(text, style.width, 2).substr(mark.size());
  out = Paint(mark, ToneOf(claim), style) + out + "\n";
  if (claim.expected) out += Indented(Why(*claim.expected), 2, style.width);
  if (claim.finding.verdict == Verdict::kXfail) return out;
  out += Evidence(claim.finding, style.width);
  if (!claim.replay.empty()) out += "  replay: " + OneLine(claim.replay) + "\n";
  return out;
}

// The reason of a backend that the table leaves open.
bool HasReasonToTell(const RunReport& report, const BackendReport& backend) {
  if (backend.reason.empty()) return false;
  if (backend.worth == Worth::kUnsupported) return true;
  // That the run was a partial one is said once, for all of them.
  if (backend.worth == Worth::kSafe && report.context.partial()) return false;
  const auto bearing = Bearing(report, backend);
  return std::none_of(bearing.begin(), bearing.end(),
                      [](const ClaimResult* claim) { return IsNews(*claim); });
}

// What the table cannot hold: the reasons of backends that are not safe, unless
// a claim says it already.
std::string Reasons(const RunReport& report, const TextStyle& style) {
  std::string out;
  for (const BackendReport& backend : report.backends) {
    if (!HasReasonToTell(report, backend)) continue;
    out += Wrap(OneLine(fmt::format("{}: {}: {}", backend.name,
                                    WorthName(backend.worth), backend.reason)),
                style.width, 2) +
           "\n";
  }
  for (const Primitive& primitive : report.primitives) {
    if (IsNews(primitive.claim)) {
      out += News("primitive", primitive.claim, style);
    }
  }
  for (const BackendReport& backend : report.backends) {
    for (const ClaimResult& claim : backend.claims) {
      if (IsNews(claim)) out += News(backend.name, claim, style);
    }
  }
  return out.empty() ? out : "\n" + out;
}

// How many hold, and what was measured.
std::string Primitives(const RunReport& report, const TextStyle& style) {
  if (report.primitives.empty()) return "";
  std::string counts;
  for (int i = 0; i <= static_cast<int>(Verdict::kInconclusive); ++i) {
    const auto verdict = static_cast<Verdict>(i);
    const auto count =
        std::count_if(report.primitives.begin(), report.primitives.end(),
                      [verdict](const Primitive& primitive) {
                        return primitive.claim.finding.verdict == verdict;
                      });
    if (count == 0) continue;
    counts +=
        fmt::format("{}{} {}", counts.empty() ? "" : ", ", count,
                    verdict == Verdict::kPass ? "hold" : VerdictName(verdict));
  }
  std::string out = Wrap(fmt::format("primitives of the directory: {}", counts),
                         style.width, 2) +
                    "\n";
  for (const Primitive& primitive : report.primitives) {
    const ClaimResult& claim = primitive.claim;
    if (claim.level != Level::kReport || claim.finding.reason.empty() ||
        claim.finding.verdict != Verdict::kPass) {
      continue;
    }
    out += Indented(OneLine(claim.id + ": " + claim.finding.reason), 2,
                    style.width);
  }
  return out;
}

// Whether processes that died at every step left a lock that others can have.
std::string Deaths(const RunReport& report, const TextStyle& style) {
  CrashSum all;
  std::string failed;
  const BackendReport* slowest = nullptr;
  for (const BackendReport& backend : report.backends) {
    const CrashSum sum = SumOf(backend.crash);
    all.points += sum.points;
    all.recovered += sum.recovered;
    if (sum.failed > 0) {
      failed += fmt::format("; {} of {} did not recover", sum.failed,
                            OneLine(backend.name));
    }
    if (sum.points == 0 || sum.worst_ns < all.worst_ns) continue;
    all.worst_ns = sum.worst_ns;
    all.worst = sum.worst;
    slowest = &backend;
  }
  if (all.points == 0) return "";
  return Wrap(OneLine(fmt::format(
                  "deaths in the middle of operations: {} of {} points "
                  "recovered{}{}",
                  all.recovered, all.points,
                  all.worst_ns == 0 ? ""
                                    : fmt::format(", the slowest in {} ({} {})",
                                                  ShortTime(all.worst_ns),
                                                  slowest->name, all.worst),
                  failed)),
              style.width, 2) +
         "\n";
}

std::string Advice(const RunReport& report, const TextStyle& style) {
  if (!report.recommendation) return "";
  const Recommendation& best = *report.recommendation;
  const bool any = !best.backend.empty();
  const std::string use =
      any ? OneLine("use " + best.backend) : "use none of these locks";
  const std::string line =
      Wrap(OneLine(use + ": " + best.reason), style.width, 2);
  // Painted last, since colors have no width; unless a long name was wrapped.
  if (!line.starts_with(use)) return line + "\n";
  return Paint(use, any ? Tone::kGood : Tone::kBad, style) +
         line.substr(use.size()) + "\n";
}

std::string CanaryLine(const RunReport& report, const TextStyle& style) {
  if (!report.canary) return "canary: was not tried\n";
  const Canary& canary = *report.canary;
  const std::string verdict = canary.caught
                                  ? Paint("caught", Tone::kGood, style)
                                  : Paint("NOT CAUGHT", Tone::kBad, style);
  // Painted last, since colors have no width.
  const std::string plain = canary.caught ? "caught" : "NOT CAUGHT";
  std::string line = Wrap(
      OneLine(fmt::format("canary {}: {}{}", canary.name, plain,
                          canary.reason.empty() ? "" : ": " + canary.reason)),
      style.width, 2);
  line.replace(line.find(plain), plain.size(), verdict);
  return line + "\n";
}

std::string Summary(const RunReport& report, const TextStyle& style) {
  const auto count = [&report](Worth worth) {
    return std::count_if(
        report.backends.begin(), report.backends.end(),
        [worth](const BackendReport& b) { return b.worth == worth; });
  };
  std::string out;
  for (const Worth worth : {Worth::kSafe, Worth::kUnsafe, Worth::kUnsupported,
                            Worth::kInconclusive}) {
    if (count(worth) == 0) continue;
    if (!out.empty()) out += ", ";
    out += Paint(fmt::format("{} {}", count(worth), WorthName(worth)),
                 ToneOf(worth), style);
  }
  if (out.empty()) out = "nothing was examined";
  return fmt::format("{} on {} ({}) in {:.1f} s, seed {}\n", out,
                     OneLine(report.context.place()),
                     OneLine(report.context.filesystem.type),
                     report.context.duration_s, report.context.seed);
}

}  // namespace

std::string ClaimsCell(const BackendReport& backend) {
  int passed = 0;
  int apply = 0;
  for (const ClaimResult& claim : backend.claims) {
    const Verdict verdict = claim.finding.verdict;
    if (verdict == Verdict::kUnsupported) continue;
    ++apply;
    if (verdict == Verdict::kPass || verdict == Verdict::kXpass) ++passed;
  }
  return apply == 0 ? "-" : fmt::format("{}/{}", passed, apply);
}

std::string ShortTime(int64_t ns) {
  static constexpr std::array<std::string_view, 4> kUnits = {"ns", "us", "ms",
                                                             "s"};
  auto value = static_cast<double>(ns);
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  const int digits = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f} {}", value, digits, kUnits[unit]);
}

std::string Wrap(const std::string& text, int width, int indent) {
  std::string out;
  size_t column = 0;
  size_t from = 0;
  while (from < text.size()) {
    const size_t to = std::min(text.find(' ', from), text.size());
    const size_t length = to - from;
    if (column > 0 && column + 1 + length > static_cast<size_t>(width)) {
      out += "\n" + std::string(static_cast<size_t>(indent), ' ');
      column = static_cast<size_t>(indent);
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out.append(text, from, length);
    column += length;
    from = to + 1;
  }
  return out;
}

std::string ToText(const RunReport& report, const TextStyle& style) {
  std::string out = VerdictTable(report, style);
  out += Reasons(report, style);
  out += "\n" + Primitives(report, style) + Deaths(report, style) +
         CanaryLine(report, style);
  out += Advice(report, style);
  const Context& context = report.context;
  if (context.partial()) {
    out +=
        Wrap(fmt::format("a partial run: {} of {} claims were chosen, and of "
                         "the others nothing is known",
                         context.claims_chosen, context.claims_total),
             style.width, 2) +
        "\n";
  }
  for (const std::string& missing : report.missing) {
    out += Wrap(OneLine("required, and not to be had: " + missing), style.width,
                2) +
           "\n";
  }
  out += Summary(report, style);
  if (!report.cut_short.empty()) {
    out += Wrap(OneLine("the run was cut short: " + report.cut_short),
                style.width, 2) +
           "\n";
  }
  return out;
}

}  // namespace locklab::report
