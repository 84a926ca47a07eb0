// One contender: a process of a contention run, or a thread in one.
//
// A scenario's step is one turn of it, made of the calls below:
//
//   void Turn(Worker& worker) {
//     if (!worker.Take()) return;
//     worker.Hold(worker.Sample(worker.plan().hold));
//     worker.Give();
//   }
//
// A step takes the lock once at most and gives it back; it is called until the
// run is over.
#ifndef LOCKLAB_STRESS_RUN_WORKER_H_
#define LOCKLAB_STRESS_RUN_WORKER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>

#include "conformance/history/log_writer.h"
#include "conformance/subject/subject.h"
#include "stress/run/arrivals.h"
#include "stress/run/board.h"
#include "stress/run/plan.h"
#include "stress/run/tally.h"

namespace locklab::run {

// Where a lock has its things.
struct Places {
  std::string lock;     // what is to be locked
  std::string counter;  // the counter file
  std::string history;  // the directory of the logs
};

// What a worker shares with others. Outlives it.
struct Post {
  const Places& places;
  Gate& gate;
  Board& board;               // of its lock
  std::span<Slot> slots;      // of all contenders, whatever lock they want
  Tally* response = nullptr;  // of an open loop
};

// Made in the worker's own process, used by one thread.
class Worker {
 public:
  using Ns = std::chrono::nanoseconds;
  static constexpr Ns kForEver{-1};

  // Throws history::HistoryError.
  Worker(const SubjectFactory& factory, const ContentionPlan& plan,
         const Post& post, const history::LogInfo& info);

  // Waits for the start, contends until it is told to stop, and tells that it
  // is done. Returns an exit code.
  int Run();

  // --- what steps are made of ------------------------------------------------

  [[nodiscard]] const ContentionPlan& plan() const { return plan_; }
  // Which one of those that want the same lock, from 0.
  [[nodiscard]] int index() const;
  [[nodiscard]] int contenders() const;  // for this lock
  [[nodiscard]] Board& board() const { return post_.board; }
  [[nodiscard]] std::mt19937_64& random() { return random_; }
  [[nodiscard]] Ns Sample(const Delay& delay) { return delay.Sample(random_); }
  [[nodiscard]] bool Stopping() const {
    return post_.gate.stop.load(std::memory_order_relaxed) != 0;
  }

  // Takes the lock. False: not had in time, or the call failed; the turn is
  // over then. `timeout` as in Subject::Acquire.
  [[nodiscard]] bool Take(Ns timeout = kForEver);
  // Guards the counter file for so long.
  void Hold(Ns length);
  void Give();
  // Does nothing for so long, or until the run is over.
  void Rest(Ns length);
  // The same until a time of history::NowNs().
  void RestUntil(int64_t time_ns);
  // Waits until `word` is no longer `seen`: true; or the run is over: false.
  bool AwaitChange(std::atomic<uint32_t>& word, uint32_t seen);
  // Waits until all contenders of the run are here: true; or it is over.
  bool Meet();
  // Does a part of the turn in a new process with a lock object of its own.
  // False: it failed; the failure is recorded.
  bool InNewProcess(const std::function<void()>& part);

  // Open loop. Waits for the next arrival that the schedule has for this
  // contender: true; or until the run is over: false. An arrival that is
  // overdue does not wait.
  bool AwaitArrival();
  // The lock was granted to the arrival: how long after its time?
  void Served();

 private:
  void Contend();
  bool WaitForStart();
  bool MayGoOn();
  void Finish();
  // Returns the number of the grant.
  uint64_t Enter();
  // Whether what `owner` has may be had by another: it is dead, or about to
  // be, or its lock was broken.
  [[nodiscard]] bool IsForfeit(uint32_t owner) const;
  void StandStill();
  void Leave();
  void Release();
  [[nodiscard]] bool ReadCounter(int64_t* value);
  void WriteCounter(int64_t value);
  void CounterFailed(int error);
  void Clashed(uint32_t owner);
  void Failed(const char* call, const std::string& message);
  void Now(Stage stage) { slot_.stage.store(stage, std::memory_order_relaxed); }

  const SubjectFactory& factory_;
  const ContentionPlan& plan_;
  const Post post_;
  const history::Actor actor_;
  Slot& slot_;
  history::LogWriter log_;
  std::unique_ptr<Subject> subject_;
  std::mt19937_64 random_;
  std::optional<Arrivals> arrivals_;
  int64_t arrived_ns_ = 0;  // by the schedule
  int64_t acquired_ns_ = 0;
  uint64_t grant_ = 0;    // of this turn
  bool entered_ = false;  // the owner word is ours
  bool met_ = false;      // others wait for us
  int failures_ = 0;
};

}  // namespace locklab::run

#endif  // LOCKLAB_STRESS_RUN_WORKER_H_
