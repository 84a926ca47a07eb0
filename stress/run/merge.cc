#include "stress/run/merge.h"

#include <algorithm>

#include "stress/run/facts.h"

namespace locklab::run {
namespace {

// Lines that a total shows at most.
constexpr size_t kMostEvidence = 100;

int Badness(Verdict verdict) {
  switch (verdict) {
    case Verdict::kFail:
    case Verdict::kXpass:
      return 3;
    case Verdict::kInconclusive:
      return 2;
    case Verdict::kUnsupported:
      return 1;
    case Verdict::kPass:
    case Verdict::kXfail:
      break;
  }
  return 0;
}

void MergeFaults(const FaultReport& other, FaultReport* total) {
  for (const FaultCount& count : other.kinds) {
    FaultCount& sum = total->Of(count.kind);
    sum.due += count.due;
    sum.done += count.done;
    for (size_t i = 0; i < kStages; ++i) sum.at[i] += count.at[i];
    sum.excuse = count.excuse;
  }
  total->told += other.told;
  total->untold += other.untold;
  if (total->aftermath.empty()) total->aftermath = other.aftermath;
  if (total->litter.empty()) total->litter = other.litter;
}

}  // namespace

const Finding& Worse(const Finding& a, const Finding& b) {
  return Badness(b.verdict) > Badness(a.verdict) ? b : a;
}

void Merge(const ContentionResult& other, judge::Lie lie,
           ContentionResult* total) {
  if (total->contenders == 0) {
    *total = other;
    return;
  }
  judge::Merge(other.judgement, lie, &total->judgement);
  total->exclusion = Worse(total->exclusion, other.exclusion);
  total->coherence = Worse(total->coherence, other.coherence);
  total->progress = Worse(total->progress, other.progress);
  if (lie == judge::Lie::kBeside) total->contenders += other.contenders;
  MergeFaults(other.faults, &total->faults);
  // A kind that came to nothing in one of them may have come in the other.
  total->survival = SurvivalOf(total->faults);
  if (total->faults.kinds.empty()) {
    total->fairness =
        FairnessOf(total->judgement, total->processes, total->contenders);
  }
  total->acquisitions += other.acquisitions;
  total->violations += other.violations;
  total->witness_violations += other.witness_violations;
  total->updates += other.updates;
  total->lost_updates += other.lost_updates;
  total->stale_reads += other.stale_reads;
  total->response.Merge(other.response);
  total->backlog += other.backlog;
  total->usage.cpu_ns += other.usage.cpu_ns;
  total->usage.slept += other.usage.slept;
  total->usage.preempted += other.usage.preempted;
  const size_t room =
      kMostEvidence - std::min(kMostEvidence, total->evidence.size());
  const size_t more = std::min(room, other.evidence.size());
  total->evidence.insert(total->evidence.end(), other.evidence.begin(),
                         other.evidence.begin() + static_cast<ptrdiff_t>(more));
}

}  // namespace locklab::run
