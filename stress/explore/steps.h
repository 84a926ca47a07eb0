// What may happen to a process in a world, looked up.
//
// A step of a process depends on the world and on its own position, and not on
// where the others stand (but see Alone): there are far fewer such pairs than
// states, so that each is worked out once, by Machine, and found ever after.
#ifndef LOCKLAB_STRESS_EXPLORE_STEPS_H_
#define LOCKLAB_STRESS_EXPLORE_STEPS_H_

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "stress/explore/interner.h"
#include "stress/explore/machine.h"
#include "stress/explore/states.h"

namespace locklab::explore {

// One thing that may happen.
struct Move {
  Event event = Event::kStep;
  Wrong wrong = Wrong::kNothing;  // what comes of it, as far as it is alone
  bool holds = false;             // it is inside then: look whether another is
  bool others = false;            // it happens to others, too: ask Machine
  bool patient = false;           // see Machine::IsPatient, of then
  uint32_t world = 0;             // what it leads to
  Position at = kNowhere;
  uint32_t uses = 0;      // how often it was taken
  uint32_t outcomes = 0;  // of its calls: see Steps::Count()
  uint32_t calls = 0;
};

// A process in a world.
struct Stand {
  uint32_t moves = 0;  // the first of them
  uint8_t count = 0;
  bool steps = false;   // its first move is a step
  bool parked = false;  // see Machine::IsParked
};

class Steps {
 public:
  using Coverage = std::map<std::pair<Op, int>, uint64_t>;

  // The machine outlives it.
  explicit Steps(Machine& machine) : machine_(machine) {}

  [[nodiscard]] State Enter(const Moment& moment);
  [[nodiscard]] Moment MomentOf(const State& state) const;
  // It is going to be asked of every process.
  void Fetch(const State& state) const {
    for (int slot = 0; slot < kMaxProcesses; ++slot) {
      if (state.at[slot] != kNowhere) known_.Fetch(KeyOf(state, slot));
    }
  }
  // Stays where it is until the next call.
  [[nodiscard]] Stand& Of(const State& state, int slot);
  [[nodiscard]] std::span<Move> MovesOf(const Stand& stand) {
    return {moves_.data() + stand.moves, stand.count};
  }
  // Where the move leads. `wrong`: what comes of it in all.
  [[nodiscard]] State Take(const State& state, int slot, Move& move,
                           Wrong* wrong);
  // How often a call was made with an outcome (0 or an errno).
  [[nodiscard]] Coverage Count() const;

  [[nodiscard]] size_t worlds() const { return worlds_.size(); }
  [[nodiscard]] size_t bytes() const;

 private:
  [[nodiscard]] uint64_t KeyOf(const State& state, int slot) const;
  uint32_t WorkOut(const State& state, int slot);
  Move MoveOf(const Moment& here, Choice choice);

  Machine& machine_;
  Worlds worlds_;
  NumberMap known_;
  std::vector<Stand> stands_;
  std::vector<Move> moves_;
  std::vector<std::pair<Op, uint8_t>> outcomes_;
  std::vector<Choice> choices_;
  std::vector<Made> made_;
};

}  // namespace locklab::explore

#endif  // LOCKLAB_STRESS_EXPLORE_STEPS_H_
