#include "conformance/report/recommend.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <tuple>

#include "conformance/report/text.h"

namespace locklab::report {
namespace {

int FailuresOf(const RunReport& report, const BackendReport& backend) {
  const auto bearing = Bearing(report, backend);
  return static_cast<int>(std::count_if(
      bearing.begin(), bearing.end(), [](const ClaimResult* claim) {
        return claim->level != Level::kReport &&
               (claim->finding.verdict == Verdict::kFail ||
                claim->finding.verdict == Verdict::kXfail);
      }));
}

// A kernel lock may be local to each client, and one client alone cannot tell.
bool SeenFromOneSide(const RunReport& report) {
  return report.context.filesystem.shared && report.context.other_mount.empty();
}

int64_t WaitOf(const BackendReport& backend) {
  return backend.contention ? backend.contention->wait_ns.p99
                            : std::numeric_limits<int64_t>::max();
}

std::string ReasonFor(const BackendReport& best, const RunReport& report) {
  const int failures = FailuresOf(report, best);
  std::string reason =
      failures == 0 ? "every claim that applies held"
                    : fmt::format("safe, with {} failed SHOULD {}", failures,
                                  failures == 1 ? "claim" : "claims");
  reason += best.released_on_crash
                ? "; the kernel frees it when its holder dies"
                : "; a dead holder is proven dead and its lock taken over";
  if (best.contention) {
    reason += fmt::format("; with {} processes 99 % of the waits were under {}",
                          best.contention->processes,
                          ShortTime(best.contention->wait_ns.p99));
  }
  if (SeenFromOneSide(report)) {
    reason +=
        "; other hosts may share this filesystem, and it was seen through one "
        "mount only: give --other-mount to know what holds between two";
  }
  return reason;
}

}  // namespace

std::optional<Recommendation> Recommend(const RunReport& report) {
  if (report.context.partial() || !report.cut_short.empty()) return {};
  const BackendReport* best = nullptr;
  const auto rank = [&report](const BackendReport& backend) {
    const bool kernel = backend.released_on_crash;
    return std::tuple(FailuresOf(report, backend),
                      kernel == SeenFromOneSide(report), WaitOf(backend));
  };
  for (const BackendReport& backend : report.backends) {
    if (backend.worth != Worth::kSafe) continue;
    if (best == nullptr || rank(backend) < rank(*best)) best = &backend;
  }
  if (best == nullptr) {
    return Recommendation{.backend = "",
                          .reason = "no lock was found safe here"};
  }
  return Recommendation{.backend = best->name,
                        .reason = ReasonFor(*best, report)};
}

}  // namespace locklab::report
