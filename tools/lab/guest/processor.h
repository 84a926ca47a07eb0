// A processor for each guest. The kernel of a guest and its processes are
// processes here that take turns, many thousand times a second: on one
// processor a turn is a change of address spaces, on two it is an interrupt
// from one to the other.
#ifndef LOCKLAB_TOOLS_LAB_GUEST_PROCESSOR_H_
#define LOCKLAB_TOOLS_LAB_GUEST_PROCESSOR_H_

#include <optional>
#include <string>

namespace locklab::lab {

// One of the processors that this process may run on and that no other guest
// of this host has, whoever's it is. It is kept as long as this lives, in this
// process or in one that was forked from it. Nothing of it is left on disk.
class Processor {
 public:
  // `kind` is whose: there is one for each kind on each processor.
  explicit Processor(const std::string& kind = "guest");
  ~Processor();
  Processor(const Processor&) = delete;
  Processor& operator=(const Processor&) = delete;

  // nullopt: there are more guests than processors, or none could be kept.
  [[nodiscard]] std::optional<int> number() const { return number_; }
  // Moves the calling thread there, and what it starts. Does nothing without
  // a processor: then the scheduler knows best.
  void Settle() const;

 private:
  std::optional<int> number_;
  int claim_ = -1;
};

}  // namespace locklab::lab

#endif  // LOCKLAB_TOOLS_LAB_GUEST_PROCESSOR_H_
