// The filesystems that a run of the lab goes to, one after the other or side by
// side.
#ifndef LOCKLAB_TOOLS_LOCKLAB_LAB_TOUR_H_
#define LOCKLAB_TOOLS_LOCKLAB_LAB_TOUR_H_

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "conformance/proc/temp_dir.h"
#include "tools/lab/run.h"
#include "tools/lab/variant.h"
#include "tools/locklab/check/progress.h"
#include "tools/locklab/command.h"

namespace locklab::cli {

// A variant that is to be examined, and what became of it.
struct Stop {
  const lab::Variant* variant = nullptr;
  bool named = false;  // by its own name, so that its lack is red
  bool reached = false;
  std::string missing = {};  // why it is not to be had; empty: it was run
  int code = 0;
  double duration_s = 0;
  std::string output = {};  // what it printed, unless that was shown at once
};

// Images and guests have mount options and command lines, in which some
// characters would stand in the way. Throws UsageError.
void RequirePlainPath(const std::string& path);

// Main thread only.
class Tour {
 public:
  // `args` is a subcommand that RunOn (tools/lab/run.h) knows, and its flags.
  // `jobs`: how many run side by side; 0: as many as is sound. Throws
  // UsageError.
  Tour(std::vector<Stop>* stops, std::vector<std::string> args, uint64_t jobs,
       Context* context);
  ~Tour();

  // Ends early on SIGINT, SIGTERM or SIGHUP, which are handed on.
  void Run();

  [[nodiscard]] bool json() const { return json_; }
  // Of the runs that were made, if they are kept; "" if there are not several.
  [[nodiscard]] std::string Matrix() const;

 private:
  struct Visit;  // a stop under way, in a process of its own

  void KeepResults();
  [[nodiscard]] size_t Limit(const Stop& stop) const;
  [[nodiscard]] bool MayBegin(const Stop& stop) const;
  [[nodiscard]] std::vector<Stop*> Order() const;
  [[nodiscard]] bool Missing(Stop* stop);
  [[nodiscard]] std::string Title(const Stop& stop) const;
  void RunHere(Stop* stop);
  void Begin(Stop* stop);
  // Waits a moment, and sees to those that have ended.
  void Look();
  void End(Visit* visit);
  void Show(const Stop& stop, const std::string& complaints);
  void ShowProgress();
  [[nodiscard]] lab::Job JobAt(const Stop& stop, bool aside) const;
  // What a guest kept comes to the other results.
  void BringHome(const lab::Job& job, Stop* stop);
  void Done(const lab::Job& job, const lab::Result& result, Stop* stop);

  std::vector<Stop>& stops_;
  Context& context_;
  const uint64_t jobs_;
  lab::Job job_;
  bool surveys_ = false;  // the subcommand is one that takes turns at measuring
  bool json_ = false;
  bool enough_ = false;  // no other stop begins
  std::optional<proc::TempDir> scratch_;
  std::set<std::string> earlier_;  // runs that are in the store already
  std::list<Visit> under_way_;
  check::Progress progress_;
};

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_LAB_TOUR_H_
