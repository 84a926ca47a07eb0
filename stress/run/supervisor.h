// Starts the workers of a contention run, watches them, ends them.
#ifndef LOCKLAB_STRESS_RUN_SUPERVISOR_H_
#define LOCKLAB_STRESS_RUN_SUPERVISOR_H_

#include <deque>
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
#include "stress/run/injector.h"
#include "stress/run/plan.h"
#include "stress/run/worker.h"

namespace locklab::run {

// For one run. Its destructor kills what still runs and removes the files.
class Supervisor : private Victims {
 public:
  Supervisor(const SubjectFactory& subject, const ContentionPlan& plan);

  // See RunContention. What was seen of each lock.
  [[nodiscard]] std::vector<Facts> Run();

 private:
  // One lock and what belongs to it.
  struct Site {
    Places here;
    Places there;  // the same through the other mount
    std::optional<history::LogWriter> log;
    int counter_errno = 0;
  };

  // See Victims. Where there are faults, an actor is a process, and there is
  // one lock.
  [[nodiscard]] history::Actor count() const override;
  [[nodiscard]] bool gone(history::Actor actor) const override;
  [[nodiscard]] proc::Child& process(history::Actor actor) override;
  void Record(history::Actor actor, const history::Event& event) override;
  void Bury(history::Actor actor) override;
  [[nodiscard]] bool HasSpare() const override;
  void Replace() override;

  void MakePlaces();
  void MakeSite(size_t lock);
  void SpawnAll();
  void Spawn();
  void MakeInjector();
  int ProcessMain(size_t process);
  int WorkerMain(history::Actor actor);
  void AwaitReady();
  void Drive();
  // Whether there is nothing left to wait for.
  [[nodiscard]] bool Over(proc::TimePoint now, proc::TimePoint deadline);
  void WatchDeaths();
  void OnDeath(size_t process, const proc::ExitStatus& end);
  void OnDeadline(proc::TimePoint now);
  void KillTheRest();
  void RecordCrash(history::Actor actor, history::Phase phase, int signal);
  void Trouble(const std::string& what);
  [[nodiscard]] uint64_t Grants() const;
  [[nodiscard]] Facts FactsOf(size_t lock);
  void CollectWitnesses(size_t lock, Facts* facts) const;
  void JudgeHistory(size_t lock, Facts* facts) const;

  [[nodiscard]] size_t LockOf(history::Actor actor) const {
    return actor % static_cast<size_t>(plan_.locks);
  }
  [[nodiscard]] size_t ProcessOf(history::Actor actor) const {
    return actor / static_cast<size_t>(plan_.threads);
  }
  // Those of a process, or those that want a lock, the dead among them.
  [[nodiscard]] std::vector<history::Actor> ActorsOf(size_t process) const;
  [[nodiscard]] std::vector<history::Actor> ContendersFor(size_t lock) const;

  const SubjectFactory& subject_;
  const ContentionPlan plan_;
  Facts facts_;  // what is the same for all locks
  // Of the directories: removed last.
  std::optional<proc::TempDir> work_;
  std::optional<proc::TempDir> logs_;
  history::LogInfo info_;
  std::deque<Site> sites_;  // by lock
  proc::Shared<Gate> gate_;
  proc::Shared<Board> boards_;        // by lock
  proc::Shared<Tally> responses_;     // by lock; none without an open loop
  proc::Shared<Slot> slots_;          // by actor, with those who may follow
  std::vector<proc::Child> workers_;  // by process
  std::vector<bool> gone_;            // by process: whose end was dealt with
  std::optional<Injector> injector_;
  uint64_t grants_ = 0;    // when last looked at
  proc::TimePoint moved_;  // when that had last risen
};

}  // namespace locklab::run

#endif  // LOCKLAB_STRESS_RUN_SUPERVISOR_H_
