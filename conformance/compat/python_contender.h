// A process that locks with Python's lockfile (Debian's python3-lockfile) and
// does what it is told: the foreign peer of tests and claims.
#ifndef LOCKLAB_CONFORMANCE_COMPAT_PYTHON_CONTENDER_H_
#define LOCKLAB_CONFORMANCE_COMPAT_PYTHON_CONTENDER_H_

#include <optional>
#include <string>
#include <string_view>

#include "conformance/proc/line_child.h"

namespace locklab::compat {

// Used by one thread, which has to live as long as this.
class PythonContender {
 public:
  // Why there is none on this machine; empty: there is. Starts Python once.
  [[nodiscard]] static std::string WhyMissing();

  // `backend`: one of traits.python_compatible. Starts the process and does
  // not wait for it. Throws std::system_error.
  // When this ends it is killed; a lock that it holds stays.
  PythonContender(std::string_view backend, std::string_view path);

  // One request, without a line end; python_contender.py says which there are.
  void Send(std::string_view request) { child_.Send(request); }
  // The answer to the oldest request that has none. nullopt: not by then, or
  // the process has ended.
  std::optional<std::string> Receive(proc::TimePoint deadline);
  std::optional<std::string> Ask(std::string_view request,
                                 proc::TimePoint deadline) {
    Send(request);
    return Receive(deadline);
  }
  // SIGKILL, and its end was seen.
  proc::ExitStatus Kill() { return child_.Stop(); }

 private:
  proc::LineChild child_;
};

}  // namespace locklab::compat

#endif  // LOCKLAB_CONFORMANCE_COMPAT_PYTHON_CONTENDER_H_
