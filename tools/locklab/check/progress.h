// What a person sees while a run is under way: one line that changes, with an
// estimate, on a terminal; in a pipe one plain line for each stage.
#ifndef LOCKLAB_TOOLS_LOCKLAB_CHECK_PROGRESS_H_
#define LOCKLAB_TOOLS_LOCKLAB_CHECK_PROGRESS_H_

#include <chrono>
#include <string>

#include "tools/locklab/command.h"

namespace locklab::check {

class Progress {
 public:
  explicit Progress(cli::Console& console) : console_(console) {}
  ~Progress() { Clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // How much work there is in all, in any unit, before the first Done.
  void SetTotal(double total) { total_ = total; }
  // A stage begins: "claims", "link: 8 processes contend".
  void Stage(const std::string& what);
  // What is being done within the stage.
  void Now(const std::string& what);
  void Done(double work);
  // Takes the line away, for other output.
  void Clear();

  // "43 %, 12 s left: WHAT", cut to `width` columns. For tests.
  [[nodiscard]] std::string Line(double elapsed_s, size_t width) const;

 private:
  using Clock = std::chrono::steady_clock;
  void Draw();

  cli::Console& console_;
  double total_ = 0;
  double done_ = 0;
  std::string stage_;
  std::string now_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point drawn_;  // never yet
  bool shown_ = false;
};

}  // namespace locklab::check

#endif  // LOCKLAB_TOOLS_LOCKLAB_CHECK_PROGRESS_H_
