// What a contention run is to do, and what came of it.
#ifndef LOCKLAB_STRESS_RUN_PLAN_H_
#define LOCKLAB_STRESS_RUN_PLAN_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "conformance/judge/judgement.h"
#include "conformance/verdict/verdict.h"
#include "stress/run/delay.h"
#include "stress/run/faults.h"

namespace locklab::run {

class Worker;

struct ContentionPlan {
  std::string dir;  // on the filesystem under test; a directory is made in it
  // `dir` through another mount, where every second worker works; or empty.
  std::string other_dir;
  int processes = 8;
  int threads = 1;  // in each, and each contends with a lock object of its own
  // In the one directory: contender N wants lock N modulo `locks`.
  int locks = 1;
  int64_t acquisitions = 0;  // in all, then they stop; 0: no such bound
  std::chrono::milliseconds duration{0};  // then they stop; 0: no such bound
  Delay hold;                             // between acquire and release
  Delay think;                            // between release and acquire
  Delay timeout;  // of an attempt, where a scenario has them
  // Open loop, where a scenario has one: how many arrivals a second, of all
  // contenders together, at random or evenly.
  double rate = 0;
  bool poisson = true;
  // What a turn is, see worker.h; nullptr: take the lock, hold it, give it
  // back, think.
  void (*step)(Worker& worker) = nullptr;
  // Counted from the start. Whoever is not done by then is killed.
  std::chrono::milliseconds deadline{30000};
  // With fewer acquisitions than these nothing is called correct. 0: what
  // `acquisitions` asks for, or else 10 a process.
  int64_t floor = 0;
  // Whether a counter file is read and written under the lock. Without it
  // the hold is nothing but the hold, and coherence is not judged.
  bool counter_file = true;
  // What is done to the workers meanwhile. Fairness is not judged then.
  FaultPlan faults;
  uint64_t seed = 0;

  // How many contend in all.
  [[nodiscard]] int contenders() const { return processes * threads; }

  // Where the history's logs are left; must not hold any yet. Empty: they go
  // to a temporary place (in memory, if there is room) and are removed.
  std::string keep_history;
  std::string command_line;  // what replays it: for the history's header
  // Of all logs together; when it is used up, the run stops as if its
  // duration were over.
  int64_t history_bytes = int64_t{512} << 20;
};

// What the contenders used of the machine, the harness's own part included.
struct Usage {
  int64_t cpu_ns = 0;     // user and system
  int64_t slept = 0;      // times that one gave up the processor
  int64_t preempted = 0;  // and that it was taken away

  bool operator==(const Usage&) const = default;
};

struct ContentionResult {
  Finding exclusion;  // never two holders: witness and history agree
  Finding coherence;  // the counter file lost no update
  Finding progress;   // every process got it, and none hung
  Finding fairness;   // the slowest process got half of its share at least
  // The faults that were asked for were done and proven, holders whose lock
  // was broken were told, and the lock could be had afterwards, with nothing
  // left beside it. Unsupported if no faults were asked for.
  Finding survival;

  int processes = 0;
  int contenders = 0;
  int64_t acquisitions = 0;
  int64_t violations = 0;          // as the judge counts them
  int64_t witness_violations = 0;  // as the owner word saw them
  int64_t updates = 0;             // of the counter file
  int64_t lost_updates = 0;
  int64_t stale_reads = 0;  // of a counter that another had written since
  // Everything else that the history tells: waits, holds, hand-offs, shares,
  // fairness, and counts for each actor.
  judge::Judgement judgement;
  // Open loop: from the time that the schedule says to the grant; and arrivals
  // that were due at the end and not begun.
  history::Histogram response;
  int64_t backlog = 0;
  Usage usage;
  FaultReport faults;
  std::vector<std::string> evidence;  // lines for people; empty if all is well
};

}  // namespace locklab::run

#endif  // LOCKLAB_STRESS_RUN_PLAN_H_
