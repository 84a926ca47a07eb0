// Several results as one: of the rounds of a long run, or of locks that were
// contended for at the same time.
#ifndef LOCKLAB_STRESS_RUN_MERGE_H_
#define LOCKLAB_STRESS_RUN_MERGE_H_

#include "conformance/judge/merge.h"
#include "stress/run/plan.h"

namespace locklab::run {

// Adds `other` to `total`, which may be empty. Of two findings the worse one
// stays; fairness is that of all together.
void Merge(const ContentionResult& other, judge::Lie lie,
           ContentionResult* total);

// Which of two is the worse: a failure, what could not be told, what does not
// apply, and nothing wrong, in this order. The first of equals.
[[nodiscard]] const Finding& Worse(const Finding& a, const Finding& b);

}  // namespace locklab::run

#endif  // LOCKLAB_STRESS_RUN_MERGE_H_
