// What a process of the model does with the lock.
#ifndef LOCKLAB_STRESS_EXPLORE_PROGRAM_H_
#define LOCKLAB_STRESS_EXPLORE_PROGRAM_H_

#include <span>
#include <string_view>

#include "conformance/subject/subject.h"
#include "stress/explore/actor_os.h"

namespace locklab::explore {

enum class Role : uint8_t {
  kContend,  // takes the lock, waiting for it, and gives it back
  kTry,      // the same, without waiting
  kBreak,    // breaks the lock that it finds, if there is one
};

struct RoleRow {
  Role role;
  std::string_view name;
  std::string_view doc;
};
[[nodiscard]] std::span<const RoleRow> Roles();

// One round: with a fresh object, to its end. Marks on `os` what comes of it.
void Run(Role role, const SubjectFactory& subject, ActorOs& os);

}  // namespace locklab::explore

#endif  // LOCKLAB_STRESS_EXPLORE_PROGRAM_H_
