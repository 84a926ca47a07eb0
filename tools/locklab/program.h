// Runs locklab as its users do, for tests: as a program, by its exit code and
// its output.
#ifndef LOCKLAB_TOOLS_LOCKLAB_PROGRAM_H_
#define LOCKLAB_TOOLS_LOCKLAB_PROGRAM_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "conformance/proc/child.h"
#include "conformance/proc/temp_dir.h"

namespace locklab::cli {

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

// The program under test, and a whole run of it.
[[nodiscard]] std::vector<std::string> LocklabArgv(
    const std::vector<std::string>& args);
[[nodiscard]] Ended RunLocklab(const std::vector<std::string>& args);

// Waits until no process is left that was told about --dir=`dir` on its
// command line, a run and all that it forked. False: some are.
[[nodiscard]] bool NobodyIsOn(const std::string& dir);

// As much of a file as can be read; empty if it is not there.
[[nodiscard]] std::string ReadWhole(const std::string& path);

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_PROGRAM_H_
