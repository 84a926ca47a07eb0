// How long a lock stays with a holder that was killed.
#ifndef LOCKLAB_STRESS_RUN_RECOVERY_H_
#define LOCKLAB_STRESS_RUN_RECOVERY_H_

#include <chrono>
#include <string>

#include "conformance/history/histogram.h"
#include "conformance/subject/subject.h"

namespace locklab::run {

struct Recovery {
  int kills = 0;
  int recovered = 0;        // the waiter got it within the bound
  history::Histogram next;  // from the kill to the waiter's grant
  std::string trouble;      // why it could not be seen; else empty
};

// In `dir`, `kills` times: a process takes the lock, another one waits for it,
// and the first is killed. Each waits for at most `bound`; a lock that does not
// come free two times is not asked again. Blocks; leaves nothing. Ends early on
// a pending interrupt (proc::Interrupts). Never throws for what goes wrong:
// see `trouble`.
[[nodiscard]] Recovery MeasureRecovery(const SubjectFactory& subject,
                                       const std::string& dir, int kills,
                                       std::chrono::milliseconds bound);

}  // namespace locklab::run

#endif  // LOCKLAB_STRESS_RUN_RECOVERY_H_
