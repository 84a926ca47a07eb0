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
  total->fairness =
      FairnessOf(total->judgement, total->processes, total->contenders);
  total->acquisitions += other.acquisitions;
  total->violations += other.violations;
  total->witness_violations += other.witness_violations;
  total->updates += other.updates;
  total->lost_updates += other.lost_updates;
  total->stale_reads += other.stale_reads;
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
