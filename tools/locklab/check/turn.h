// Runs that are made side by side disturb each other's measurements: so what is
// measured is measured by one of them while the others do nothing.
#ifndef LOCKLAB_TOOLS_LOCKLAB_CHECK_TURN_H_
#define LOCKLAB_TOOLS_LOCKLAB_CHECK_TURN_H_

#include <string>

namespace locklab::check {

// A run begins with Together() and goes on with Alone(). Whoever wants to be
// alone waits for all that work together, and keeps new ones from beginning, so
// that those who measure follow each other without a pause.
//
// The kernel's locks on an open file: whoever ends, however it does, is in
// nobody's way. Used by one thread.
class Turn {
 public:
  // All runs name the same file, which is made if it is missing; empty: nobody
  // runs beside this one. Throws std::system_error.
  explicit Turn(const std::string& file);
  ~Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  // Both return early when a signal is pending (proc::Interrupts).
  void Together();
  void Alone();

 private:
  int work_ = -1;  // held shared by who works, exclusively by who is alone
  int gate_ = -1;  // held shared by who wants to be alone, or is
};

}  // namespace locklab::check

#endif  // LOCKLAB_TOOLS_LOCKLAB_CHECK_TURN_H_
