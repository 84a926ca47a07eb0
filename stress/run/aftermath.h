// What a lock is like after a run with faults.
#ifndef LOCKLAB_STRESS_RUN_AFTERMATH_H_
#define LOCKLAB_STRESS_RUN_AFTERMATH_H_

#include <string>

#include "conformance/subject/subject.h"
#include "stress/run/faults.h"

namespace locklab::run {

// Lets a new process take the lock at `path` and give it back, and looks then
// what lies beside it. `kept` may: the name of a file in the same directory.
// Fills in `aftermath` and `litter`. Takes some milliseconds; ten seconds if
// the lock is not to be had. Main thread only.
void SeeAftermath(const SubjectFactory& subject, const std::string& path,
                  const std::string& kept, FaultReport* report);

}  // namespace locklab::run

#endif  // LOCKLAB_STRESS_RUN_AFTERMATH_H_
