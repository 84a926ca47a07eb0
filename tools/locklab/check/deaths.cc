#include "tools/locklab/check/deaths.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "conformance/proc/patience.h"
#include "conformance/report/text.h"
#include "stress/crash/enumerate.h"

namespace locklab::check {
namespace {

// Of a lock that fails everywhere, each costs the time until it counts as lost.
constexpr int64_t kMostFailures = 5;

crash::Plan PlanOf(const DeathsPlan& plan) {
  const bool slow = proc::Patience() > 1;
  crash::Plan all{
      .operations = {}, .waiters = {0, 1, 3}, .sample = 0, .seed = plan.seed};
  if (plan.quick) {
    all.waiters = slow ? std::vector<int>{1} : std::vector<int>{0, 1};
    all.sample = slow ? 1 : 2;
  }
  for (const crash::OperationRow& row : crash::Operations()) {
    all.operations.push_back(row.operation);
  }
  return all;
}

report::CrashPoint PointOf(const crash::Result& result) {
  report::CrashPoint point{.point = crash::PointName(result.point),
                           .waiters = result.point.waiters,
                           .call = result.call,
                           .verdict = result.finding.verdict,
                           .reason = result.finding.reason,
                           .recovery_ns = {}};
  if (result.recovery_ns >= 0) point.recovery_ns = result.recovery_ns;
  return point;
}

std::string Describe(const report::CrashPoint& point) {
  return fmt::format("a process died at {} with {} waiters: {}", point.point,
                     point.waiters, point.reason);
}

Finding Conclude(const std::vector<report::CrashPoint>& points,
                 const std::string& replay) {
  const auto first = [&points](Verdict verdict) {
    return std::find_if(points.begin(), points.end(), [verdict](const auto& p) {
      return p.verdict == verdict;
    });
  };
  for (const Verdict verdict : {Verdict::kFail, Verdict::kInconclusive}) {
    const auto found = first(verdict);
    if (found == points.end()) continue;
    return {verdict, Describe(*found),
            fmt::format("{} --point={} --waiters={}\n", replay, found->point,
                        found->waiters)};
  }
  const report::CrashSum sum = report::SumOf(points);
  return Finding::Pass(
      fmt::format("died at {} points, and the others had it again within {}",
                  sum.points, report::ShortTime(sum.worst_ns)));
}

}  // namespace

std::optional<Finding> TryDeaths(const SubjectFactory& subject,
                                 const DeathsPlan& plan,
                                 const std::function<bool()>& go_on,
                                 report::BackendReport* backend) {
  crash::Laboratory laboratory(subject, plan.dir, crash::EngineFor(subject),
                               proc::Patient(std::chrono::seconds(10)));
  const int64_t most = plan.quick ? 1 : kMostFailures;
  int64_t bad = 0;
  const crash::Enumeration done = crash::Enumerate(
      laboratory, PlanOf(plan),
      [&](const crash::Result& result) {
        if (result.finding.verdict != Verdict::kPass) ++bad;
        backend->crash.push_back(PointOf(result));
      },
      [&] { return bad < most && go_on(); });
  if (!done.complete && bad < most) return std::nullopt;
  if (backend->crash.empty()) return std::nullopt;
  return Conclude(backend->crash, plan.replay);
}

}  // namespace locklab::check
