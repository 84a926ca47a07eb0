// What is explored: processes, what they do, what may happen to them; and one
// way through it.
#ifndef LOCKLAB_STRESS_EXPLORE_SCENE_H_
#define LOCKLAB_STRESS_EXPLORE_SCENE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/subject/subject.h"
#include "stress/explore/model.h"
#include "stress/explore/program.h"
#include "stress/explore/world.h"

namespace locklab::explore {

// What may be found wrong.
enum class Wrong : uint8_t {
  kNothing,
  kTwoHolders,
  kLostUnasked,  // a holder lost it, and nobody had been asked to break it
  kNotLearnt,    // it was broken, and its holder was not told
  kFailed,       // an operation failed for no reason
  kDeadlock,     // nobody can go on
  kBlocked,      // the dead block the living
  kLitter,       // something stays when all are done
  kLeak,         // a descriptor stays open
};
// "two-holders" and a sentence.
[[nodiscard]] std::string_view WrongName(Wrong wrong);
[[nodiscard]] std::string_view WrongDoc(Wrong wrong);

// What happens next, and to which process.
enum class Event : uint8_t {
  kStep,       // its next call is made
  kCrash,      // it dies
  kRestart,    // a new process takes its part, with a pid of its own
  kReuse,      // the same, with the pid of the dead one
  kLostReply,  // the call is made, its reply lost, and the call made again
  kStaleLook,  // a look shows what an earlier one has shown
  kLeaseLoss,  // its host loses its kernel locks
  kError,      // its next call fails, and does nothing
  kReboot,     // its host boots: all there die, and begin anew with their pids
  kPowerLoss,  // the same, and no file has kept its text
};

struct EventRow {
  Event event;
  std::string_view name;        // in schedules
  std::optional<Spend> spends;  // of what is allowed
  std::string_view flag;        // of locklab explore; "": none
  std::string_view doc;         // of the flag
};
[[nodiscard]] std::span<const EventRow> Events();
[[nodiscard]] const EventRow& RowOf(Event event);

struct Choice {
  uint8_t slot = 0;
  Event event = Event::kStep;
  bool operator==(const Choice&) const = default;
};
using Schedule = std::vector<Choice>;

// "a5,b3,a:crash,b2": process a makes five steps, b three, a dies...
[[nodiscard]] std::string FormatSchedule(const Schedule& schedule);
// nullopt: it is none.
[[nodiscard]] std::optional<Schedule> ParseSchedule(std::string_view text);

struct Scene {
  const SubjectFactory* subject = nullptr;
  const Model* model = nullptr;
  std::vector<Role> roles = {Role::kContend, Role::kContend};  // one a process
  int rounds = 1;  // that each of them makes
  int waits = 1;   // that one of them makes in a round, at most
  std::array<uint8_t, kSpends> allowed{};
  // Whether everybody who survives must get on.
  bool liveness = true;
  // Whether looks show how many names a file has; otherwise always one. The
  // library does not look at that.
  bool link_counts = false;
  // Whether calls that nobody else can notice, nor change the result of, are
  // made together with the call before them, and deaths that are no other than
  // standing still are left out: see Kernel::IsQuiet, Machine::IsQuiet and
  // Machine::IsLikeStandingStill.
  bool reduce = true;
  // Whether positions of a process's code are one where its memory is the same:
  // see actors.h.
  bool merge = true;
  // What is looked for; kNothing: all that may be wrong. Else the rest is
  // passed over, as if it were right.
  Wrong only = Wrong::kNothing;

  [[nodiscard]] uint8_t& allow(Spend what) {
    return allowed[static_cast<size_t>(what)];
  }
  [[nodiscard]] int processes() const { return static_cast<int>(roles.size()); }
};

}  // namespace locklab::explore

#endif  // LOCKLAB_STRESS_EXPLORE_SCENE_H_
