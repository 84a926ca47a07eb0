// A whole run of another program: its exit code and what it wrote.
#ifndef LOCKLAB_CONFORMANCE_PROC_PROGRAM_H_
#define LOCKLAB_CONFORMANCE_PROC_PROGRAM_H_

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "conformance/proc/child.h"
#include "conformance/proc/temp_dir.h"

namespace locklab::proc {

struct Ended {
  int code = -1;  // 1000 + signal, if a signal killed it
  std::string out;
  std::string err;
};

// A program that runs, with its output in files. It does not outlive the
// object.
class Program {
 public:
  // `prepare` runs in the child before exec.
  explicit Program(const std::vector<std::string>& argv,
                   const std::function<void()>& prepare = {});

  // Waits for its end, and kills it when that does not come; a minute is enough
  // for most of ours.
  Ended Wait(std::chrono::seconds limit = std::chrono::minutes(1));
  // Waits until what it wrote so far contains `text`; false: it ended first,
  // or a minute passed.
  bool Says(const std::string& text);
  // Sends a signal to the program alone.
  void Kill(int signal);

  [[nodiscard]] std::string out() const;
  [[nodiscard]] std::string err() const;
  [[nodiscard]] pid_t pid() const { return child_.pid(); }

 private:
  proc::TempDir dir_;
  proc::Child child_;
};

// As much of a file as can be read; empty if it is not there.
[[nodiscard]] std::string ReadWhole(const std::string& path);

}  // namespace locklab::proc

#endif  // LOCKLAB_CONFORMANCE_PROC_PROGRAM_H_
