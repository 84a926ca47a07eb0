// Many processes on one lock, watched by witnesses that share nothing with it.
//
// Each worker takes the lock, holds it, gives it back, thinks, and starts
// again. While it holds the lock it
//  - puts its name into an owner word in shared memory, which must be empty,
//  - draws the next grant number, so that grants have an order of their own,
//  - reads, and before the release writes, a counter in a file on the
//    filesystem under test: what one holder wrote the next one must read.
// What each did and when is recorded; the judge looks for overlaps, and has to
// agree with the owner word.
#ifndef LOCKLAB_STRESS_RUN_CONTENTION_H_
#define LOCKLAB_STRESS_RUN_CONTENTION_H_

#include "conformance/claims/claim.h"
#include "conformance/subject/subject.h"
#include "stress/run/plan.h"

namespace locklab::run {

// Runs it. Blocks until the workers are done, at most until the deadline and a
// moment more. Whatever goes wrong with the run itself (no more processes, no
// space, a worker killed by somebody else, SIGINT) makes the findings
// inconclusive and is said there; it never throws for that. Two holders that
// were seen are a failure all the same.
//
// All workers are gone and all files removed when it returns, or when this
// process is killed (files: by the next run). An interrupt that came meanwhile
// is left pending: see proc::Interrupts. Main thread only.
[[nodiscard]] ContentionResult RunContention(const SubjectFactory& subject,
                                             const ContentionPlan& plan);

// What a claim asks for, in terms of the engine, and back.
[[nodiscard]] ContentionPlan PlanOf(const Contest& contest,
                                    const std::string& dir);
[[nodiscard]] ContestResult ContestOf(const ContentionResult& result);

// The engine as claims see it.
class ContentionArena : public Arena {
 public:
  ContestResult Contend(const SubjectFactory& subject, const std::string& dir,
                        const Contest& contest) override {
    return ContestOf(RunContention(subject, PlanOf(contest, dir)));
  }
};

}  // namespace locklab::run

#endif  // LOCKLAB_STRESS_RUN_CONTENTION_H_
