// One process of a contention run.
#ifndef LOCKLAB_STRESS_RUN_WORKER_H_
#define LOCKLAB_STRESS_RUN_WORKER_H_

#include <memory>
#include <random>
#include <span>
#include <string>

#include "conformance/history/log_writer.h"
#include "conformance/subject/subject.h"
#include "stress/run/board.h"
#include "stress/run/plan.h"

namespace locklab::run {

// Where a run has its things.
struct Places {
  std::string lock;     // what is to be locked
  std::string counter;  // the counter file
  std::string history;  // the directory of the logs
};

// Made and used in the worker's own process.
class Worker {
 public:
  // Throws history::HistoryError.
  Worker(const SubjectFactory& subject, const ContentionPlan& plan,
         const Places& places, const history::LogInfo& info, Board& board,
         std::span<Slot> slots);

  // Waits for the start, contends until it is told to stop, and tells that it
  // is done. Returns an exit code.
  int Run();

 private:
  bool WaitForStart();
  bool MayGoOn();
  // Takes the lock and gives it back once.
  void Turn();
  [[nodiscard]] bool Acquire(int64_t* acquired_ns);
  // Returns the number of the grant.
  uint64_t Enter(int64_t acquired_ns);
  // Whether what `owner` has may be had by another: it is dead, or about to
  // be, or its lock was broken.
  [[nodiscard]] bool IsForfeit(uint32_t owner) const;
  void StandStill(uint64_t grant);
  void Leave();
  void Release();
  [[nodiscard]] bool ReadCounter(int64_t* value);
  void WriteCounter(int64_t value);
  void CounterFailed(int error);
  void Clashed(uint32_t owner);
  void Failed(const char* call, const Outcome& outcome);
  void Now(Stage stage) { slot_.stage.store(stage, std::memory_order_relaxed); }
  void Spend(const Delay& delay);

  const ContentionPlan& plan_;
  const Places& places_;
  Board& board_;
  std::span<Slot> slots_;
  const history::Actor actor_;
  Slot& slot_;
  history::LogWriter log_;
  std::unique_ptr<Subject> subject_;
  std::mt19937_64 random_;
  bool entered_ = false;  // the owner word is ours
  int failures_ = 0;
};

}  // namespace locklab::run

#endif  // LOCKLAB_STRESS_RUN_WORKER_H_
