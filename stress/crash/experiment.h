// One experiment: a process dies at a point, or a call of it fails there, and
// the others have to get on.
#ifndef LOCKLAB_STRESS_CRASH_EXPERIMENT_H_
#define LOCKLAB_STRESS_CRASH_EXPERIMENT_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "conformance/subject/subject.h"
#include "conformance/verdict/verdict.h"
#include "stress/crash/point.h"

namespace locklab::crash {

// How a victim is brought to its point.
enum class Engine {
  // By the seam: calls are those of lib/os. All fates.
  kSeam,
  // By ptrace(2): calls are those of the kernel, whoever makes them. Deaths
  // alone; slower.
  kPtrace,
};

// The seam, if all of the lock's calls pass it.
[[nodiscard]] Engine EngineFor(const SubjectFactory& subject);

// What came of it.
struct Result {
  Point point;
  // Whether it came to the point. Proven: the victim noted it in memory that
  // outlives it, and what died was seen to die by SIGKILL.
  bool reached = false;
  std::string call;  // at the point: "Link job.lock"
  int calls = 0;     // that the operation made until its end or the victim's
  // Never two holders; the lock could be had again within the bound; no call
  // of the others failed; nothing is left. Inconclusive: the harness failed.
  Finding finding;
  // From the victim's death, or from the moment that somebody wanted the lock
  // if that was later, to the next grant; -1: nobody died.
  int64_t recovery_ns = -1;
};

// Makes experiments with one lock in one directory. Main thread only: its
// processes die with it. Not for more than one thread.
class Laboratory {
 public:
  // `dir` exists; each experiment makes a directory of its own in it and
  // removes it. `bound`: a lock that is not to be had for so long is a failure.
  // Throws std::system_error.
  Laboratory(const SubjectFactory& subject, std::string dir, Engine engine,
             std::chrono::milliseconds bound = std::chrono::seconds(10));
  ~Laboratory();
  Laboratory(const Laboratory&) = delete;
  Laboratory& operator=(const Laboratory&) = delete;

  // Why nothing can be found out about this lock; empty: it can. Also where
  // the engine is kPtrace and nobody may be traced.
  [[nodiscard]] std::string Excuse(Operation operation) const;

  // Takes some milliseconds, or the bound a few times if the lock hangs.
  [[nodiscard]] Result Try(const Point& point);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace locklab::crash

#endif  // LOCKLAB_STRESS_CRASH_EXPERIMENT_H_
