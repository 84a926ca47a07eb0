#include "conformance/report/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace locklab::report {
namespace {

enum class Tone { kGood, kBad, kDoubt, kQuiet };

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

std::string Row(const BackendReport& backend, const TextStyle& style) {
  const auto& latency = backend.latency_ns;
  const auto& crowd = backend.contention;
  const std::string worth =
      Paint(fmt::format("{:<12}", WorthName(backend.worth)),
            ToneOf(backend.worth), style);
  return fmt::format("{:<8} {} {:>7} {:>9} {:>9} {:>9} {:>9} {:>6}\n",
                     backend.name, worth, ClaimsCell(backend),
                     latency ? ShortTime(latency->p50) : "-",
                     latency ? ShortTime(latency->p99) : "-",
                     backend.floor_ns ? ShortTime(*backend.floor_ns) : "-",
                     crowd ? ShortTime(crowd->wait_ns.p99) : "-",
                     crowd ? fmt::format("{:.3f}", crowd->jain) : "-");
}

std::string Head(const RunReport& report) {
  int processes = 0;
  for (const BackendReport& backend : report.backends) {
    if (backend.contention) processes = backend.contention->processes;
  }
  const std::string crowd =
      processes > 0 ? fmt::format("{} processes", processes) : "crowd";
  return fmt::format(
      "{0:<8} {0:<12} {0:>7} {1:^29} {2:>16}\n"
      "{3:<8} {4:<12} {5:>7} {6:>9} {7:>9} {8:>9} {9:>9} {10:>6}\n",
      "", "acquire + release", crowd, "backend", "verdict", "claims", "p50",
      "p99", "floor", "wait p99", "jain");
}

// Whether a person wants to hear of this claim beside the table.
bool IsNews(const ClaimResult& claim) {
  switch (claim.finding.verdict) {
    case Verdict::kFail:
    case Verdict::kXpass:
    case Verdict::kInconclusive:
      return true;
    case Verdict::kPass:
    case Verdict::kXfail:
    case Verdict::kUnsupported:
      break;
  }
  return false;
}

std::string News(const BackendReport& backend, const ClaimResult& claim,
                 const TextStyle& style) {
  const bool red = claim.finding.verdict != Verdict::kInconclusive &&
                   claim.level == Level::kMust;
  const std::string mark =
      fmt::format("{}", VerdictName(claim.finding.verdict));
  const std::string text =
      fmt::format("{} {} {} ({}): {}", mark, backend.name, claim.id,
                  LevelName(claim.level), claim.finding.reason);
  std::string out = Wrap(text, style.width, 2).substr(mark.size());
  out = Paint(mark, red ? Tone::kBad : Tone::kDoubt, style) + out + "\n";
  if (!claim.replay.empty()) out += "  replay: " + claim.replay + "\n";
  return out;
}

// What the table cannot hold: the reasons of backends that are not safe, unless
// a claim says it already.
std::string Reasons(const RunReport& report, const TextStyle& style) {
  std::string out;
  for (const BackendReport& backend : report.backends) {
    const bool told =
        std::any_of(backend.claims.begin(), backend.claims.end(), IsNews);
    if (backend.reason.empty() ||
        (told && backend.worth != Worth::kUnsupported))
      continue;
    out += Wrap(fmt::format("{}: {}: {}", backend.name,
                            WorthName(backend.worth), backend.reason),
                style.width, 2) +
           "\n";
  }
  for (const BackendReport& backend : report.backends) {
    for (const ClaimResult& claim : backend.claims) {
      if (IsNews(claim)) out += News(backend, claim, style);
    }
  }
  return out.empty() ? out : "\n" + out;
}

std::string CanaryLine(const RunReport& report, const TextStyle& style) {
  if (!report.canary) return "canary: was not tried\n";
  const Canary& canary = *report.canary;
  const std::string verdict = canary.caught
                                  ? Paint("caught", Tone::kGood, style)
                                  : Paint("NOT CAUGHT", Tone::kBad, style);
  // Painted last, since colors have no width.
  const std::string plain = canary.caught ? "caught" : "NOT CAUGHT";
  std::string line =
      Wrap(fmt::format("canary {}: {}{}", canary.name, plain,
                       canary.reason.empty() ? "" : ": " + canary.reason),
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
                     report.context.dir, report.context.filesystem.type,
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
  std::string out;
  if (!report.backends.empty()) {
    out += Head(report);
    for (const BackendReport& backend : report.backends) {
      out += Row(backend, style);
    }
  }
  out += Reasons(report, style);
  out += "\n" + CanaryLine(report, style) + Summary(report, style);
  if (!report.cut_short.empty()) {
    out += Wrap("the run was cut short: " + report.cut_short, style.width, 2) +
           "\n";
  }
  return out;
}

}  // namespace locklab::report
