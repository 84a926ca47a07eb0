#include "tools/locklab/check/contest.h"

#include <algorithm>

#include "conformance/proc/patience.h"
#include "conformance/proc/temp_dir.h"

namespace locklab::check {
namespace {

// How many times as long a contest may last where the disk is slow.
constexpr int kMostStretch = 16;

}  // namespace

ContestResult MeasuredArena::Contend(const SubjectFactory& subject,
                                     const std::string& dir,
                                     const Contest& contest) {
  const auto known = results_.find(subject.name());
  if (contest == contest_ && known != results_.end()) return known->second;
  return ContentionArena::Contend(subject, dir, contest);
}

std::optional<Finding> MeasuredArena::Tried(Trial trial,
                                            const SubjectFactory& subject) {
  const auto known = tried_.find({trial, std::string(subject.name())});
  if (known == tried_.end()) return std::nullopt;
  return known->second;
}

run::ContentionResult HoldContest(const SubjectFactory& subject,
                                  run::ContentionPlan plan,
                                  const std::function<bool()>& go_on) {
  plan.floor = std::max(2, 10 / proc::Patience()) * plan.processes;
  for (int stretch = 1;; stretch *= 4) {
    if (!plan.keep_history.empty()) proc::RemoveTree(plan.keep_history);
    run::ContentionResult result = run::RunContention(subject, plan);
    if (result.acquisitions >= plan.floor || stretch == kMostStretch ||
        !go_on()) {
      return result;
    }
    plan.duration *= 4;
    plan.deadline += plan.duration;
  }
}

void AddDistribution(const history::Histogram& histogram, const char* of,
                     report::BackendReport* backend) {
  if (histogram.count() == 0) return;
  report::Distribution& added = backend->distributions.emplace_back();
  added.of = of;
  histogram.ForEach([&added](int64_t value, int64_t count) {
    added.buckets.emplace_back(value, count);
  });
}

void Report(const run::ContentionResult& result,
            report::BackendReport* backend) {
  const judge::Judgement& judgement = result.judgement;
  const history::Percentiles wait = judgement.wait.percentiles();
  backend->contention = report::Contention{
      .processes = result.processes,
      .acquisitions = result.acquisitions,
      .violations = std::max(result.violations, result.witness_violations),
      .wait_ns = {wait.p50, wait.p90, wait.p99, wait.p99_9, wait.max},
      .jain = judgement.jain};
  AddDistribution(judgement.wait, "wait_ns", backend);
  AddDistribution(judgement.hold, "hold_ns", backend);
  AddDistribution(judgement.hand_off, "hand_off_ns", backend);
}

}  // namespace locklab::check
