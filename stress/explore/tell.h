// A way through a scene, for people and for programs.
#ifndef LOCKLAB_STRESS_EXPLORE_TELL_H_
#define LOCKLAB_STRESS_EXPLORE_TELL_H_

#include <string>
#include <vector>

#include "stress/explore/scene.h"

namespace locklab::explore {

// A call that was made, or what else happened to a process.
struct ToldCall {
  uint8_t slot = 0;
  std::string call{};    // "Link x.lock.<a> x.lock"
  std::string result{};  // "ok", "EEXIST", "fd 3"; "": it has none
  bool holds = false;    // the process is inside from now on
};

struct Told {
  std::vector<ToldCall> calls;  // one a step
  // Of the last step, or if all others died after it.
  Wrong wrong = Wrong::kNothing;
  std::string reason;
  // The schedule asks for something that cannot happen: at this step, from 1.
  size_t impossible = 0;
};

// Runs the schedule in the model, a call a step, whatever the scene reduces.
[[nodiscard]] Told Tell(const Scene& scene, const Schedule& schedule);

// A table with a column a process.
[[nodiscard]] std::string Table(const Scene& scene, const Told& told);

}  // namespace locklab::explore

#endif  // LOCKLAB_STRESS_EXPLORE_TELL_H_
