// Many searches, within one processor time for all, several at once.
#ifndef LOCKLAB_STRESS_EXPLORE_SEARCHES_H_
#define LOCKLAB_STRESS_EXPLORE_SEARCHES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "stress/explore/explore.h"
#include "stress/explore/scene.h"

namespace locklab::explore {

struct Budget {
  double seconds = 0;  // of the processor, for all; 0: no limit
  int jobs = 1;        // so many at once, each in a thread
  size_t memory = 0;   // bytes, for each
  uint32_t depth = 0;  // see Limits
  std::optional<uint32_t> preemptions = std::nullopt;  // see Limits
  // What does not come to its end breadth first, or will not, is searched by
  // preemptions, with the time that the others leave.
  bool fall_back = false;
};

// Searches them, short ones first, and returns what came of each; nullopt: it
// was not begun. `begins` is called before each search, by one thread at a
// time; `go_on` by any. The scenes outlive the call. Throws what Explore does.
[[nodiscard]] std::vector<std::optional<Exploration>> SearchAll(
    std::span<const Scene* const> scenes, const Budget& budget,
    const std::function<void(const Scene&)>& begins,
    const std::function<bool()>& go_on);

}  // namespace locklab::explore

#endif  // LOCKLAB_STRESS_EXPLORE_SEARCHES_H_
