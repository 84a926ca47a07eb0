// Protocol bugs that the explorer has to find: those of conformance/canary
// that show in an interleaving or a death, and those that only a model can
// show. A search that finds nothing is worth what these find.
#ifndef LOCKLAB_STRESS_EXPLORE_SEEDED_H_
#define LOCKLAB_STRESS_EXPLORE_SEEDED_H_

#include <memory>
#include <span>
#include <string_view>

#include "conformance/subject/subject.h"
#include "stress/explore/scene.h"

namespace locklab::explore {

struct SeededBug {
  std::string_view name;
  std::string_view doc;     // one line
  std::string_view canary;  // of conformance/canary; "": one of this file
  std::string_view model;
  std::string_view roles;  // one letter a process: c(ontend), t(ry), b(reak)
  Wrong wrong;             // what must be found
  int rounds = 1;
  uint8_t crashes = 0;
  uint8_t reuses = 0;
  uint8_t reboots = 0;
  uint8_t stale_looks = 0;
  // What else it does wrong is passed over.
  bool only = false;
  // Shows it, where the search for it takes more than a second.
  std::string_view schedule = "";
};

[[nodiscard]] std::span<const SeededBug> SeededBugs();
// The broken lock of the row.
[[nodiscard]] std::unique_ptr<SubjectFactory> MakeSeeded(const SeededBug& bug);
// The scene in which it shows; the subject outlives it.
[[nodiscard]] Scene SceneOf(const SeededBug& bug,
                            const SubjectFactory& subject);
// The roles that a word of letters names; empty: it is none.
[[nodiscard]] std::vector<Role> ParseRoles(std::string_view letters);

}  // namespace locklab::explore

#endif  // LOCKLAB_STRESS_EXPLORE_SEEDED_H_
