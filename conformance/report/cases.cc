#include "conformance/report/cases.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "conformance/report/plain.h"

namespace locklab::report {
namespace {

// What the exit code makes of such claims, if they are MUST.
struct Weight {
  bool failures = false;  // one that failed counts
  bool doubts = false;    // one that could not be told does
};

Outcome OutcomeOf(const ClaimResult& claim, const Weight& weight) {
  const bool must = claim.level == Level::kMust;
  switch (claim.finding.verdict) {
    case Verdict::kPass:
      return Outcome::kPassed;
    case Verdict::kFail:
      return must && weight.failures ? Outcome::kFailed : Outcome::kNoted;
    case Verdict::kXfail:
      return Outcome::kExpected;
    case Verdict::kXpass:
      return weight.failures ? Outcome::kFailed : Outcome::kNoted;
    case Verdict::kInconclusive:
      return must && weight.doubts ? Outcome::kError : Outcome::kSkipped;
    case Verdict::kUnsupported:
      break;
  }
  return Outcome::kSkipped;
}

std::string MessageOf(const ClaimResult& claim) {
  std::string message = claim.finding.reason;
  if (claim.expected) {
    message += message.empty() ? "" : "; ";
    message += claim.finding.verdict == Verdict::kXpass
                   ? "passed, though a failure was expected: "
                   : "as expected: ";
    message += claim.expected->reason;
    if (!claim.expected->link.empty()) message += ", " + claim.expected->link;
    message += " (" + claim.expected->where + ")";
  }
  return OneLine(message);
}

Case CaseOf(const ClaimResult& claim, const Weight& weight) {
  return {.name = OneLine(claim.id),
          .outcome = OutcomeOf(claim, weight),
          .type = std::string(VerdictName(claim.finding.verdict)),
          .message = MessageOf(claim),
          .evidence = PlainLines(claim.finding.evidence),
          .replay = OneLine(claim.replay),
          .duration_s = claim.duration_s};
}

Case Plainly(std::string_view name, Outcome outcome, std::string_view type,
             std::string_view message) {
  return {.name = OneLine(name),
          .outcome = outcome,
          .type = std::string(type),
          .message = OneLine(message)};
}

// What decides on the exit code and is no claim.
Suite RunSuite(const RunReport& report) {
  Suite suite{.name = "run", .cases = {}};
  const bool whole = report.cut_short.empty();
  suite.cases.push_back(
      Plainly("reaches_its_end", whole ? Outcome::kPassed : Outcome::kError,
              whole ? "pass" : "inconclusive", report.cut_short));
  const bool caught = report.canary && report.canary->caught;
  suite.cases.push_back(
      Plainly("catches_the_canary", caught ? Outcome::kPassed : Outcome::kError,
              caught ? "pass" : "inconclusive",
              report.canary ? report.canary->name + ": " + report.canary->reason
                            : "no canary was tried"));
  for (const std::string& missing : report.missing) {
    suite.cases.push_back(
        Plainly("has_" + missing, Outcome::kFailed, "missing",
                missing + " was required and is not to be had"));
  }
  if (ExitCodeOf(report) == kExitNothingRan) {
    suite.cases.push_back(Plainly("examines_something", Outcome::kError,
                                  "inconclusive", "no claim was examined"));
  }
  return suite;
}

Weight WeightOf(const RunReport& report, const BackendReport& backend) {
  return {.failures = backend.supported,
          .doubts = backend.supported && InDoubt(report, backend)};
}

// That of all who were examined and stand on it.
Weight WeightOf(const RunReport& report, const Primitive& primitive) {
  const auto& carries = primitive.carries;
  if (carries.empty()) return {.failures = true, .doubts = false};
  Weight weight;
  for (const BackendReport& backend : report.backends) {
    if (std::find(carries.begin(), carries.end(), backend.name) ==
        carries.end()) {
      continue;
    }
    const Weight own = WeightOf(report, backend);
    weight.failures |= own.failures;
    weight.doubts |= own.doubts;
  }
  return weight;
}

Suite PrimitiveSuite(const RunReport& report) {
  Suite suite{.name = "primitives", .cases = {}};
  for (const Primitive& primitive : report.primitives) {
    suite.cases.push_back(CaseOf(primitive.claim, WeightOf(report, primitive)));
  }
  return suite;
}

// Whether a MUST claim that bears on `backend` had this verdict.
bool Told(const RunReport& report, const BackendReport& backend,
          Verdict verdict) {
  const auto bearing = Bearing(report, backend);
  return backend.supported &&
         std::any_of(bearing.begin(), bearing.end(),
                     [verdict](const ClaimResult* claim) {
                       return claim->level == Level::kMust &&
                              claim->finding.verdict == verdict;
                     });
}

// What becomes of the verdict; kPassed also if a claim tells it already.
Outcome OutcomeOfVerdict(const RunReport& report,
                         const BackendReport& backend) {
  if (Told(report, backend, Verdict::kFail)) return Outcome::kPassed;
  if (HeldTwice(backend)) return Outcome::kFailed;
  switch (backend.worth) {
    case Worth::kSafe:
      return Outcome::kPassed;
    case Worth::kUnsafe:
      return Outcome::kExpected;
    case Worth::kUnsupported:
      return Outcome::kSkipped;
    case Worth::kInconclusive:
      break;
  }
  return InDoubt(report, backend) ? Outcome::kError : Outcome::kSkipped;
}

Suite BackendSuite(const RunReport& report, const BackendReport& backend) {
  Suite suite{.name = OneLine(backend.name), .cases = {}};
  for (const ClaimResult& claim : backend.claims) {
    suite.cases.push_back(CaseOf(claim, WeightOf(report, backend)));
  }
  const Outcome verdict = OutcomeOfVerdict(report, backend);
  if (verdict != Outcome::kPassed || suite.cases.empty() ||
      backend.worth == Worth::kSafe) {
    suite.cases.push_back(
        Plainly("verdict", verdict, WorthName(backend.worth), backend.reason));
  }
  return suite;
}

}  // namespace

std::vector<Suite> SuitesOf(const RunReport& report) {
  std::vector<Suite> suites = {RunSuite(report)};
  if (!report.primitives.empty()) suites.push_back(PrimitiveSuite(report));
  for (const BackendReport& backend : report.backends) {
    suites.push_back(BackendSuite(report, backend));
  }
  return suites;
}

}  // namespace locklab::report
