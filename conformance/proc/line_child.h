// A program that is asked a line and answers a line, on its standard input and
// output: Python's lockfile, and every other lock behind an adapter.
#ifndef LOCKLAB_CONFORMANCE_PROC_LINE_CHILD_H_
#define LOCKLAB_CONFORMANCE_PROC_LINE_CHILD_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/proc/child.h"
#include "conformance/proc/poll_until.h"

namespace locklab::proc {

// What it exits with if there is no such program, or it cannot be run; its
// stderr says which. As shells do it.
inline constexpr int kExitNoProgram = 127;

// Used by one thread, which has to live as long as this: the program dies with
// it. After a fork, the child must not use it but may destroy it.
class LineChild {
 public:
  enum class Heard {
    kLine,
    kNothing,  // by the deadline
    kTooLong,  // a line of more than kLongestLine bytes; `text`: its beginning
    kEnd,      // it closed its output, or died
  };
  struct Answer {
    Heard heard = Heard::kNothing;
    std::string text = {};
  };
  static constexpr size_t kLongestLine = 4096;

  // Starts `argv[0]`, which is a path; does not wait for it. Unless `options`
  // say otherwise it shares the caller's process group, so that whoever kills
  // that kills it, and what it has started, too. Throws std::system_error.
  explicit LineChild(const std::vector<std::string>& argv,
                     SpawnOptions options = {});
  // Kills it (its group, if it has its own).
  ~LineChild();
  LineChild(const LineChild&) = delete;
  LineChild& operator=(const LineChild&) = delete;

  // One line, without its end. Does not wait: what does not fit into the
  // socket is lost, and the answer to it is missed.
  void Send(std::string_view line);
  // There will be no more.
  void EndInput();
  // The next line that it says, without its end.
  Answer Receive(TimePoint deadline);
  // Something that was not asked for: bytes that came since the last answer.
  // Empty: nothing did.
  [[nodiscard]] std::string Unasked();
  // What it said last on stderr: one line of it, of what was said first. For
  // one that has ended.
  [[nodiscard]] std::string LastWords();

  // Its end by itself, if it comes by then.
  std::optional<ExitStatus> Wait(TimePoint deadline) {
    return child_.Wait(deadline);
  }
  // SIGKILL, and its end was seen.
  ExitStatus Stop() { return child_.Stop(); }
  [[nodiscard]] pid_t pid() const { return child_.pid(); }

 private:
  // False: there is nothing more to read.
  bool ReadSome();

  Child child_;
  int to_ = -1;
  int from_ = -1;
  int complaints_ = -1;
  std::string read_;  // and not yet asked for
};

}  // namespace locklab::proc

#endif  // LOCKLAB_CONFORMANCE_PROC_LINE_CHILD_H_
