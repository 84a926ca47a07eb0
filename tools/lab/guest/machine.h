// The process that a guest is, and the one that watches over it.
#ifndef LOCKLAB_TOOLS_LAB_GUEST_MACHINE_H_
#define LOCKLAB_TOOLS_LAB_GUEST_MACHINE_H_

#include <string>

#include "conformance/proc/child.h"

namespace locklab::lab {

class Machine {
 public:
  // Boots it with what session::Prepare() left in `scratch`. Its first serial
  // line is out() and, for a shell, in(); without a shell in() is a line for
  // signals. Throws std::runtime_error if there is no kernel for it, or
  // std::system_error.
  Machine(const std::string& scratch, bool shell);
  // Ends it.
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // Pipes; reading them does not wait.
  [[nodiscard]] int out() const { return out_; }
  [[nodiscard]] int err() const { return err_; }
  [[nodiscard]] int in() const { return in_; }

  // Whether all of its processes have ended. Does not wait.
  bool Ended() { return keeper_.Poll().has_value(); }
  // Ends all of them and waits for that.
  void Stop();
  // "exited with 0"; once it has ended.
  std::string HowEnded();

 private:
  int out_ = -1;
  int err_ = -1;
  int in_ = -1;
  int life_ = -1;  // the guest lives as long as this is open
  proc::Child keeper_;
};

}  // namespace locklab::lab

#endif  // LOCKLAB_TOOLS_LAB_GUEST_MACHINE_H_
