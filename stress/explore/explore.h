// Searches all schedules of a scene.
//
// Breadth first: the first counterexample is a shortest one. Or by preemptions:
// first all schedules without one, then all with one, and so on, so that where
// the search does not come to its end, it is still known that nothing is wrong
// with fewer. A preemption is a step of one process where the one that made the
// last step could have gone on, and did not wait; a death is none.
//
// States are kept whole and compared whole, so that nothing is merged that
// differs (but see actors.h on how memories are compared). What makes
// a state is the world (world.h) and the position of each process (actors.h),
// and by preemptions whom a step would interrupt;
// of processes that have not begun and do the same, one stands for all.
#ifndef LOCKLAB_STRESS_EXPLORE_EXPLORE_H_
#define LOCKLAB_STRESS_EXPLORE_EXPLORE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "stress/explore/call.h"
#include "stress/explore/scene.h"

namespace locklab::explore {

struct Limits {
  size_t memory = size_t{2} << 30;    // bytes, roughly
  uint32_t depth = 0;                 // steps; 0: no limit
  std::chrono::milliseconds time{0};  // of the processor; 0: no limit
  // In the order of their number of preemptions, and up to so many.
  std::optional<uint32_t> preemptions = std::nullopt;
};

struct Counterexample {
  Wrong wrong = Wrong::kNothing;
  std::string reason;  // beside WrongDoc; may be empty
  Schedule schedule;
};

struct Exploration {
  // The state space within the scene's bounds was searched to its end.
  bool complete = false;
  std::string bound;  // what ended it otherwise
  // Every schedule with at most so many preemptions was searched; nullopt: it
  // was not searched in that order, or not even those without any.
  std::optional<uint32_t> preemptions;
  std::optional<Counterexample> found;

  uint64_t states = 0;
  uint64_t transitions = 0;
  uint32_t depth = 0;    // of the deepest state
  size_t worlds = 0;     // different file systems among the states
  size_t positions = 0;  // of the processes' code
  size_t bytes = 0;      // of memory, roughly
  double seconds = 0;
  double cpu_seconds = 0;  // of the processor, which others may use as well
  bool merged = false;     // positions, by what is in the processes' memory
  bool waits_cut = false;  // somebody waited as often as is explored
  // How often a call was made with an outcome (0 or an errno).
  std::map<std::pair<Op, int>, uint64_t> coverage;

  [[nodiscard]] double states_per_second() const {
    return seconds > 0 ? static_cast<double>(states) / seconds : 0;
  }
};

// `go_on` is asked every some thousand states; false ends the search. Blocks
// until it is done. Throws std::logic_error where the lock's code cannot be
// explored: it is not deterministic, or does not go through the seam.
[[nodiscard]] Exploration Explore(const Scene& scene, const Limits& limits,
                                  const std::function<bool()>& go_on = {});

// Why this lock, or this lock in this model, cannot be explored, or is not to
// be; empty: it can. May try it out.
[[nodiscard]] std::string Excuse(const Scene& scene);

}  // namespace locklab::explore

#endif  // LOCKLAB_STRESS_EXPLORE_EXPLORE_H_
