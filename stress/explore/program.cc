#include "stress/explore/program.h"

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace locklab::explore {
namespace {

using std::chrono_literals::operator""ns;

constexpr auto kRoles = std::to_array<RoleRow>({
    {Role::kContend, "contend", "takes the lock, waiting, and gives it back"},
    {Role::kTry, "try", "takes the lock if it is free, and gives it back"},
    {Role::kBreak, "break", "breaks the lock that it finds"},
});

void Contend(Subject& lock, bool waits, ActorOs& os) {
  Outcome outcome = lock.Acquire(waits ? -1ns : 0ns);
  if (outcome.got == Got::kTimeout && !waits) return os.Mark(Op::kRefused);
  if (!outcome.ok()) {
    return os.Mark(Op::kFailed, static_cast<uint32_t>(outcome.sys),
                   "acquire: " + outcome.message);
  }
  os.Mark(Op::kHold, os.hold());
  outcome = lock.Release();
  const bool told = outcome.ok() || outcome.code == lockfile::Errc::kLockLost;
  if (told) {
    return os.Mark(Op::kReleased, static_cast<uint32_t>(outcome.code));
  }
  os.Mark(Op::kFailed, static_cast<uint32_t>(outcome.sys),
          "release: " + outcome.message);
}

// The tenure and the pid of whom the lock is to be taken from, for the mark.
std::string Target(const lockfile::Owner& owner) {
  return owner.token + " " + std::to_string(owner.pid - kFirstPid);
}

void Break(Subject& lock, ActorOs& os) {
  std::optional<lockfile::Owner> owner;
  (void)lock.inspector()->ReadOwner(&owner);
  if (!owner.has_value()) return os.Mark(Op::kRefused);
  os.Mark(Op::kIntends, 0, Target(*owner));
  bool broke = false;
  const Outcome outcome = lock.inspector()->BreakIf(*owner, &broke);
  if (broke) return os.Mark(Op::kBroke, 0, Target(*owner));
  if (outcome.got == Got::kError) {
    os.Mark(Op::kFailed, static_cast<uint32_t>(outcome.sys),
            "break: " + outcome.message);
  }
}

}  // namespace

std::span<const RoleRow> Roles() { return kRoles; }

void Run(Role role, const SubjectFactory& subject, ActorOs& os) {
  const std::unique_ptr<Subject> lock =
      subject.MakeOn(os, std::string(kDirectory) + "/x");
  if (role == Role::kBreak) {
    Break(*lock, os);
  } else {
    Contend(*lock, role == Role::kContend, os);
  }
}

}  // namespace locklab::explore
