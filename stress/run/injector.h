// Does faults to the workers of a run: by grant numbers, guarded by what each
// worker says that it is about, and followed by proof.
//
// A holder is caught by a trap (board.h): whoever gets the grant stands still
// in its hold until it was dealt with. Others are stopped first, and looked at
// then: a process that is stopped at the stage that was asked for dies or stays
// stopped there; another goes on, and the next one is tried. A fault without
// its proof does not count.
#ifndef LOCKLAB_STRESS_RUN_INJECTOR_H_
#define LOCKLAB_STRESS_RUN_INJECTOR_H_

#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "conformance/history/event.h"
#include "conformance/proc/child.h"
#include "conformance/proc/poll_until.h"
#include "conformance/subject/subject.h"
#include "stress/run/board.h"
#include "stress/run/faults.h"

namespace locklab::run {

class Breaker;

// The processes, as their supervisor knows them. Each is one actor.
class Victims {
 public:
  virtual ~Victims() = default;
  // How many were ever started; numbers count up from 0.
  [[nodiscard]] virtual history::Actor count() const = 0;
  // Its end was seen and dealt with.
  [[nodiscard]] virtual bool gone(history::Actor actor) const = 0;
  [[nodiscard]] virtual proc::Child& process(history::Actor actor) = 0;
  // Into the history, with the actor's number.
  virtual void Record(history::Actor actor, const history::Event& event) = 0;
  // It is dead, as it should be.
  virtual void Bury(history::Actor actor) = 0;
  // Whether another can be started, and starting it.
  [[nodiscard]] virtual bool HasSpare() const = 0;
  virtual void Replace() = 0;
};

// Used by the thread that started the workers.
class Injector {
 public:
  struct Scene {
    const SubjectFactory& subject;
    std::string lock;  // the path of what is locked
    Board& board;
    std::span<Slot> slots;
    Victims& victims;
    history::Actor breaker;  // its number in the history
  };

  // All of the scene outlives it. The same seed, the same faults.
  Injector(Scene scene, const FaultPlan& plan, uint64_t seed);

  // Does what is due; takes some milliseconds at most, a second or two if a
  // breaker hangs. To be called every millisecond or so. `ends`: nothing new
  // is begun, and what lasts is ended.
  void Step(proc::TimePoint now, bool ends);
  // Whether nobody is stopped or held up.
  [[nodiscard]] bool idle() const { return lasting_.empty(); }

  // When all workers are gone.
  [[nodiscard]] FaultReport Report();

 private:
  // What was begun and has yet to be ended.
  struct Lasting {
    Fault fault;
    history::Actor actor = 0;
    proc::TimePoint until;
    uint64_t grants = 0;  // when it began
  };

  void Excuse();
  void Begin(proc::TimePoint now);
  void LookAhead();
  // True: it was done, or will not be.
  [[nodiscard]] bool Try();
  [[nodiscard]] bool TryHolder();
  [[nodiscard]] bool TryOther();
  [[nodiscard]] std::optional<history::Actor> Pick(Stage stage);
  [[nodiscard]] bool Freeze(history::Actor actor, Stage stage);
  void Act(history::Actor actor);
  void Kill(history::Actor actor);
  [[nodiscard]] bool KillFor(history::Actor actor);
  void Last(history::Actor actor);
  void Break(history::Actor actor);
  void BreakDead(history::Actor actor);
  [[nodiscard]] bool OrderBreak(Breaker& breaker, bool* broke);
  void EndWhatLasted(proc::TimePoint now, bool ends);
  void End(const Lasting& lasting);
  void LetGo(history::Actor actor);
  // It is proven.
  void Count(FaultKind kind, Stage stage);
  // What is being done, for a replay.
  void Remember();
  [[nodiscard]] bool Busy(history::Actor actor) const;

  const Scene scene_;
  FaultSource source_;
  std::mt19937_64 random_;
  FaultReport report_;
  std::optional<Fault> fault_;  // whose turn it is
  std::optional<Fault> next_;   // after it, as far as that is known
  uint64_t grant_ = 0;          // at which it is being done
  int tries_ = 0;
  proc::TimePoint give_up_;
  std::vector<Lasting> lasting_;
};

}  // namespace locklab::run

#endif  // LOCKLAB_STRESS_RUN_INJECTOR_H_
