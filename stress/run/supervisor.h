// Starts the workers of a contention run, watches them, ends them.
#ifndef LOCKLAB_STRESS_RUN_SUPERVISOR_H_
#define LOCKLAB_STRESS_RUN_SUPERVISOR_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "conformance/history/log_writer.h"
#include "conformance/proc/child.h"
#include "conformance/proc/poll_until.h"
#include "conformance/proc/shared.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/subject/subject.h"
#include "stress/run/board.h"
#include "stress/run/facts.h"
#include "stress/run/plan.h"
#include "stress/run/worker.h"

namespace locklab::run {

// For one run. Its destructor kills what still runs and removes the files.
class Supervisor {
 public:
  Supervisor(const SubjectFactory& subject, const ContentionPlan& plan);

  // See RunContention.
  [[nodiscard]] Facts Run();

 private:
  void MakePlaces();
  void SpawnAll();
  int WorkerMain(history::Actor actor);
  void AwaitReady();
  void Drive();
  // Whether there is nothing left to wait for.
  [[nodiscard]] bool Over(proc::TimePoint now, proc::TimePoint deadline);
  void WatchDeaths();
  void OnDeath(history::Actor actor, const proc::ExitStatus& end);
  void OnDeadline(proc::TimePoint now);
  void KillTheRest();
  void RecordCrash(history::Actor actor, history::Phase phase, int signal);
  void Trouble(const std::string& what);
  void CollectWitnesses();
  void JudgeHistory();

  const SubjectFactory& subject_;
  const ContentionPlan plan_;
  Facts facts_;
  // Of the directories: removed last.
  std::optional<proc::TempDir> work_;
  std::optional<proc::TempDir> logs_;
  Places places_;
  Places other_places_;  // the same through the other mount
  history::LogInfo info_;
  std::optional<history::LogWriter> log_;
  proc::Shared<Board> board_;
  proc::Shared<Slot> slots_;
  std::vector<proc::Child> workers_;  // by actor
  std::vector<bool> gone_;            // whose end was dealt with
  uint64_t grants_ = 0;               // when last looked at
  proc::TimePoint moved_;             // when that had last risen
};

}  // namespace locklab::run

#endif  // LOCKLAB_STRESS_RUN_SUPERVISOR_H_
