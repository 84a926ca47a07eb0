// Leads a process from one system call to the next with ptrace(2), and kills it
// at one of them: for locks whose calls do not all pass the seam, and as a
// second opinion on those whose calls do.
#ifndef LOCKLAB_STRESS_CRASH_STEPPER_H_
#define LOCKLAB_STRESS_CRASH_STEPPER_H_

#include <sys/types.h>

#include <functional>
#include <string>

#include "conformance/proc/poll_until.h"

namespace locklab::crash {

// Whether processes may be traced here at all. Starts one to find out.
[[nodiscard]] bool MayTrace();

// To be called by the process that is to be led. Throws std::system_error: no
// permission, as in some containers.
void LetParentLead();
// The system calls between two of these are counted. The first stands still
// until the parent leads on.
void MarkEdge(pid_t self);

// What tells where a process stands.
enum class Teller {
  kKernel,     // PTRACE_GET_SYSCALL_INFO, and the registers where there is none
  kRegisters,  // as under User Mode Linux; x86-64 only
};

struct Step {
  bool reached = false;  // the call came, and the process is being killed
  bool ended = false;    // the second edge came first; the process goes on
  int calls = 0;         // that were begun since the first edge
  std::string call;      // the name of the last one: "openat"
};

// Leads `pid`, a child that called LetParentLead and comes to its first edge,
// to its `nth` call after it, and kills it before the call is made or after it
// was made; `about_to_kill` is called right before that. Neither reached nor
// ended: the process stood still until the deadline, or died of itself. Only
// the thread that started the child may call this.
[[nodiscard]] Step LeadToDeath(pid_t pid, int nth, bool after,
                               proc::TimePoint deadline,
                               const std::function<void()>& about_to_kill,
                               Teller teller = Teller::kKernel);

}  // namespace locklab::crash

#endif  // LOCKLAB_STRESS_CRASH_STEPPER_H_
