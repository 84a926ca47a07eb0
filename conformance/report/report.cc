#include "conformance/report/report.h"

#include <algorithm>

#include "conformance/report/recommend.h"

namespace locklab::report {
namespace {

// How many claims of a backend, by verdict and whether they are MUST.
struct Tally {
  int examined = 0;  // passed or failed
  int failed = 0;
  int unsure = 0;
  int should_failed = 0;
  int surprises = 0;  // xpass
  const ClaimResult* first_failed = nullptr;
  const ClaimResult* first_unsure = nullptr;
};

void CountFailure(const ClaimResult& claim, Tally* tally) {
  if (claim.level == Level::kShould) ++tally->should_failed;
  if (claim.level != Level::kMust) return;
  ++tally->failed;
  if (tally->first_failed == nullptr) tally->first_failed = &claim;
}

void CountUnsure(const ClaimResult& claim, Tally* tally) {
  if (claim.level != Level::kMust) return;
  ++tally->unsure;
  if (tally->first_unsure == nullptr) tally->first_unsure = &claim;
}

Tally Count(const RunReport& report, const BackendReport& backend) {
  Tally tally;
  for (const ClaimResult* bearing : Bearing(report, backend)) {
    const ClaimResult& claim = *bearing;
    const Verdict verdict = claim.finding.verdict;
    const bool unsure = verdict == Verdict::kInconclusive;
    if (!unsure && verdict != Verdict::kUnsupported) ++tally.examined;
    if (verdict == Verdict::kXpass) ++tally.surprises;
    // An expected failure is no news, and the lock is no safer for it.
    if (verdict == Verdict::kFail || verdict == Verdict::kXfail) {
      CountFailure(claim, &tally);
    }
    if (unsure) CountUnsure(claim, &tally);
  }
  return tally;
}

// "exclusion.herd: two of 64 got it (and 2 more)"
std::string Sentence(const ClaimResult& claim, int of) {
  std::string out = claim.id + ": " + claim.finding.reason;
  if (of > 1) out += " (and " + std::to_string(of - 1) + " more)";
  return out;
}

void Set(BackendReport* backend, Worth worth, std::string reason) {
  backend->worth = worth;
  backend->reason = std::move(reason);
}

// Whether a fault would have been seen, had there been one.
bool DetectorProven(const RunReport& report) {
  return report.canary && report.canary->caught;
}

// What a safe lock is not; empty: nothing.
std::string Reservations(const Tally& tally, const RunReport& report) {
  std::string out;
  if (report.context.partial()) {
    out = "only " + std::to_string(report.context.claims_chosen) + " of " +
          std::to_string(report.context.claims_total) +
          " claims were chosen: of the others nothing is known";
  }
  if (tally.should_failed > 0) {
    if (!out.empty()) out += "; ";
    out += std::to_string(tally.should_failed) + " SHOULD " +
           (tally.should_failed == 1 ? "claim" : "claims") + " failed";
  }
  return out;
}

void JudgeBackend(BackendReport* backend, const RunReport& report) {
  if (!backend->supported) {
    backend->worth = Worth::kUnsupported;
    return;
  }
  const Tally tally = Count(report, *backend);
  if (tally.failed > 0) {
    return Set(backend, Worth::kUnsafe,
               Sentence(*tally.first_failed, tally.failed));
  }
  if (backend->contention && backend->contention->violations > 0) {
    return Set(backend, Worth::kUnsafe,
               std::to_string(backend->contention->violations) +
                   " times two processes held it at once");
  }
  if (!backend->complete) {
    return Set(backend, Worth::kInconclusive,
               report.cut_short.empty() ? "was not examined to the end"
                                        : report.cut_short);
  }
  if (tally.unsure > 0) {
    return Set(backend, Worth::kInconclusive,
               Sentence(*tally.first_unsure, tally.unsure));
  }
  if (tally.examined == 0) {
    return Set(backend, Worth::kInconclusive, "no claim was examined");
  }
  if (!DetectorProven(report)) {
    return Set(backend, Worth::kInconclusive,
               report.canary
                   ? "no fault was found, but the canary got away here, too"
                   : "no fault was found, but no canary was tried here");
  }
  Set(backend, Worth::kSafe, Reservations(tally, report));
}

}  // namespace

std::string_view WorthName(Worth worth) {
  switch (worth) {
    case Worth::kSafe:
      return "safe";
    case Worth::kUnsafe:
      return "unsafe";
    case Worth::kUnsupported:
      return "unsupported";
    case Worth::kInconclusive:
      return "inconclusive";
  }
  return "inconclusive";
}

CrashSum SumOf(const std::vector<CrashPoint>& points) {
  CrashSum sum;
  for (const CrashPoint& point : points) {
    ++sum.points;
    if (point.verdict == Verdict::kPass) ++sum.recovered;
    if (point.verdict == Verdict::kFail) ++sum.failed;
    if (point.recovery_ns.value_or(-1) < sum.worst_ns) continue;
    sum.worst_ns = *point.recovery_ns;
    sum.worst = point.point;
  }
  return sum;
}

std::vector<const ClaimResult*> Bearing(const RunReport& report,
                                        const BackendReport& backend) {
  std::vector<const ClaimResult*> bearing;
  for (const ClaimResult& claim : backend.claims) bearing.push_back(&claim);
  for (const Primitive& primitive : report.primitives) {
    const auto& carries = primitive.carries;
    if (std::find(carries.begin(), carries.end(), backend.name) !=
        carries.end()) {
      bearing.push_back(&primitive.claim);
    }
  }
  return bearing;
}

void Judge(RunReport* report) {
  for (BackendReport& backend : report->backends) {
    JudgeBackend(&backend, *report);
  }
  report->recommendation = Recommend(*report);
}

namespace {

// What the exit code is made of.
struct Sum {
  int examined = 0;
  bool failed = false;
  bool unsure = false;
};

void AddClaim(const ClaimResult& claim, Sum* sum) {
  switch (claim.finding.verdict) {
    case Verdict::kFail:
      sum->failed |= claim.level == Level::kMust;
      break;
    case Verdict::kXpass:
      sum->failed = true;
      break;
    case Verdict::kUnsupported:
    case Verdict::kInconclusive:
      return;
    case Verdict::kPass:
    case Verdict::kXfail:
      break;
  }
  ++sum->examined;
}

}  // namespace

bool HeldTwice(const BackendReport& backend) {
  // The claim that judges the same contest.
  static constexpr std::string_view kExclusion = "exclusion.two_processes";
  if (!backend.contention || backend.contention->violations == 0) return false;
  return std::none_of(backend.claims.begin(), backend.claims.end(),
                      [](const ClaimResult& claim) {
                        return claim.id == kExclusion &&
                               claim.finding.verdict == Verdict::kXfail;
                      });
}

bool InDoubt(const RunReport& report, const BackendReport& backend) {
  if (backend.worth != Worth::kInconclusive) return false;
  const Tally tally = Count(report, backend);
  return !(report.context.partial() && backend.complete &&
           tally.examined + tally.unsure == 0);
}

Exit ExitCodeOf(const RunReport& report) {
  Sum sum;
  sum.unsure = !report.cut_short.empty() || !DetectorProven(report);
  for (const BackendReport& backend : report.backends) {
    sum.failed |= HeldTwice(backend);
    if (!backend.supported) continue;
    for (const ClaimResult* claim : Bearing(report, backend)) {
      AddClaim(*claim, &sum);
    }
    sum.unsure |= InDoubt(report, backend);
  }
  for (const Primitive& primitive : report.primitives) {
    // What carries a lock was counted there, if the lock was examined.
    if (primitive.carries.empty()) AddClaim(primitive.claim, &sum);
    const Verdict verdict = primitive.claim.finding.verdict;
    if (verdict == Verdict::kPass || verdict == Verdict::kFail) ++sum.examined;
  }
  if (sum.failed) return kExitFailed;
  if (!report.missing.empty()) return kExitMissingFeature;
  if (sum.examined == 0 && report.cut_short.empty()) return kExitNothingRan;
  return sum.unsure ? kExitInconclusive : kExitOk;
}

}  // namespace locklab::report
