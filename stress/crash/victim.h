// The process that dies, or whose call fails.
#ifndef LOCKLAB_STRESS_CRASH_VICTIM_H_
#define LOCKLAB_STRESS_CRASH_VICTIM_H_

#include <memory>
#include <string>

#include "conformance/subject/subject.h"
#include "stress/crash/experiment.h"
#include "stress/crash/point.h"
#include "stress/crash/scene.h"

namespace locklab::crash {

// The lock as its victim takes it. nullptr: it is not to be had so.
[[nodiscard]] std::unique_ptr<Subject> MakeVictims(
    const SubjectFactory& subject, Operation operation, lockfile::os::Os& os,
    const std::string& path);

// The body of the victim's process: comes to where the operation begins, says
// so, waits for the word to go, and runs into its fate. Returns the exit code:
// 0, also if the point was never reached; 1 if it could not begin (the trace
// says why).
int VictimMain(const SubjectFactory& subject, const std::string& path,
               const Point& point, Engine engine, Scene* scene);

// The body of a process that dies while it holds the lock: 0 if it got it.
int CorpseMain(const SubjectFactory& subject, const std::string& path);

}  // namespace locklab::crash

#endif  // LOCKLAB_STRESS_CRASH_VICTIM_H_
