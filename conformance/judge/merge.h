// Several judgements as one: of the rounds of a long run, or of locks that
// were contended for at the same time.
#ifndef LOCKLAB_CONFORMANCE_JUDGE_MERGE_H_
#define LOCKLAB_CONFORMANCE_JUDGE_MERGE_H_

#include "conformance/judge/judgement.h"

namespace locklab::judge {

// How two histories lie in time.
enum class Lie {
  kAfter,   // one after the other: their lengths add up
  kBeside,  // at the same time: the longer one counts
};

// Adds what `other` says to `total`. Actors of one number are one actor. Shares
// of time are weighted with the lengths; evidence of the first violations
// stays, up to kMaxEvidence. Times in `total` count from its own start.
void Merge(const Judgement& other, Lie lie, Judgement* total);

// Jain's index of the acquisitions: 1 is fair, 1/n is one for all; 0: nobody
// got the lock.
[[nodiscard]] double JainOf(const std::vector<ActorSummary>& actors);

}  // namespace locklab::judge

#endif  // LOCKLAB_CONFORMANCE_JUDGE_MERGE_H_
