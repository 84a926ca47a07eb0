// What the explorer's tests search, as rows of tables.
#ifndef LOCKLAB_STRESS_EXPLORE_PROBLEM_H_
#define LOCKLAB_STRESS_EXPLORE_PROBLEM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <ostream>
#include <string_view>

#include "conformance/subject/subject.h"
#include "stress/explore/sanitizers.h"
#include "stress/explore/scene.h"
#include "stress/explore/seeded.h"

namespace locklab::explore {

// The longest searches. Those that a sanitizer watches at each access, and that
// have no stage, take less on.
struct Sizes {
  std::string_view two;    // processes, and what they do
  std::string_view three;  // that only try
  size_t memory_to_fall_back_from;
};
#ifdef LOCKLAB_SANITIZED
inline constexpr Sizes kSizes{
    .two = "tt", .three = "tt", .memory_to_fall_back_from = size_t{8} << 20};
#else
inline constexpr Sizes kSizes{
    .two = "cc", .three = "ttt", .memory_to_fall_back_from = size_t{32} << 20};
#endif

// A problem, and what its search has to come to.
struct Problem {
  std::string_view backend;
  std::string_view roles;
  uint8_t crashes = 0;
  uint8_t reuses = 0;
  std::string_view model = "posix";
  // Exactly, where positions are not merged: what a memory looks like is the
  // compiler's affair. 0: it does not matter.
  uint64_t states = 0;
  uint64_t whole_states = 0;  // the same, where nothing is reduced
  uint8_t lost_replies = 0;
  uint8_t errors = 0;
  uint8_t power_losses = 0;
  bool reduce = true;
};

inline void PrintTo(const Problem& problem, std::ostream* out) {
  *out << problem.backend << " " << problem.roles << " in " << problem.model
       << ", " << int{problem.crashes} << " deaths";
}

// Its scene, and the lock that plays in it.
class Posed {
 public:
  explicit Posed(const Problem& problem)
      : subject_(BackendSubject(problem.backend)) {
    scene_.subject = subject_.get();
    scene_.model = FindModel(problem.model);
    scene_.roles = ParseRoles(problem.roles);
    scene_.allow(Spend::kCrash) = problem.crashes;
    scene_.allow(Spend::kReuse) = problem.reuses;
    scene_.allow(Spend::kLostReply) = problem.lost_replies;
    scene_.allow(Spend::kError) = problem.errors;
    scene_.allow(Spend::kPowerLoss) = problem.power_losses;
    scene_.liveness = !scene_.model->many_hosts;
    scene_.merge = problem.states == 0;
    scene_.reduce = problem.reduce;
  }
  Scene& scene() { return scene_; }
  [[nodiscard]] const Scene& scene() const { return scene_; }

 private:
  std::unique_ptr<SubjectFactory> subject_;
  Scene scene_;
};

}  // namespace locklab::explore

#endif  // LOCKLAB_STRESS_EXPLORE_PROBLEM_H_
