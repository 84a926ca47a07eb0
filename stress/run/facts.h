// What a run saw, and what follows from it: a pure function.
#ifndef LOCKLAB_STRESS_RUN_FACTS_H_
#define LOCKLAB_STRESS_RUN_FACTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "conformance/judge/judgement.h"
#include "stress/run/board.h"
#include "stress/run/plan.h"

namespace locklab::run {

// Of one lock.
struct Facts {
  int processes = 0;
  int contenders = 0;  // for this lock
  int64_t floor = 0;   // of acquisitions
  bool counter_file = true;

  // The first thing that went wrong with the run itself; empty: nothing did.
  std::string trouble;
  // Workers that were not done at the deadline, the lock having stood still
  // for long.
  std::vector<history::Actor> hung;
  std::string first_error;  // of a call of the lock: "worker 3: acquire: ..."

  int64_t clashes = 0;  // of the owner word
  std::vector<Clash> first_clashes;

  int64_t updates = 0;    // of the counter file, that were reported done
  int64_t counter = 0;    // its value at the end
  int counter_errno = 0;  // of the first access to it that failed
  int64_t stale_reads = 0;
  FaultReport faults;
  int died_updating = 0;  // workers, whose last update may or may not count

  Usage usage;
  history::Histogram response;  // see ContentionResult
  int64_t backlog = 0;
  judge::Judgement judgement;
};

[[nodiscard]] ContentionResult Conclude(Facts facts);

// Whether the slowest got half of its share at least.
[[nodiscard]] Finding FairnessOf(const judge::Judgement& judgement,
                                 int processes, int contenders);

// Whether what was to be done to it was done, and the lock bore it.
[[nodiscard]] Finding SurvivalOf(const FaultReport& faults);

}  // namespace locklab::run

#endif  // LOCKLAB_STRESS_RUN_FACTS_H_
