// The contest that several claims judge: many processes on one lock.
#ifndef LOCKLAB_CONFORMANCE_CLAIMS_CONTEST_H_
#define LOCKLAB_CONFORMANCE_CLAIMS_CONTEST_H_

#include "conformance/claims/claim.h"

namespace locklab::claims {

// The one that a run holds for each lock: an arena that has its result already
// may give that instead of running it again.
[[nodiscard]] Contest StandardContest(uint64_t seed, bool quick);

// Runs it in the claim's arena.
[[nodiscard]] ContestResult Contend(const ClaimContext& context);

}  // namespace locklab::claims

#endif  // LOCKLAB_CONFORMANCE_CLAIMS_CONTEST_H_
