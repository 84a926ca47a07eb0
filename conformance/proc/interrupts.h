// Lets a run that SIGINT, SIGTERM or SIGHUP wants to end clean up first.
//
//   const Interrupts interrupts;           // handlers in place
//   while (Interrupts::Pending() == 0) ... // and then remove what was made
//
// Scopes nest. When the outermost ends, the handlers are as they were, and a
// signal that nobody took is raised again: the process then ends by it, as its
// caller expects. Signals that were ignored stay ignored. Main thread only;
// forked Children start without any of it.
#ifndef LOCKLAB_CONFORMANCE_PROC_INTERRUPTS_H_
#define LOCKLAB_CONFORMANCE_PROC_INTERRUPTS_H_

namespace locklab::proc {

class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // The signal that came last, 0: none.
  [[nodiscard]] static int Pending();
  // The same, and forgets it: the caller sees to the rest.
  static int Take();
};

}  // namespace locklab::proc

#endif  // LOCKLAB_CONFORMANCE_PROC_INTERRUPTS_H_
