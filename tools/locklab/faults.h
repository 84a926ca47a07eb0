// What `locklab stress` does to the processes on purpose: its flags, what came
// of it, and the smallest run that still fails.
#ifndef LOCKLAB_TOOLS_LOCKLAB_FAULTS_H_
#define LOCKLAB_TOOLS_LOCKLAB_FAULTS_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "stress/run/plan.h"
#include "tools/locklab/command.h"
#include "tools/locklab/stress_report.h"

namespace CLI {
class App;
}  // namespace CLI

namespace locklab::cli {

struct FaultFlags {
  std::string mix = "none";
  uint64_t every = 100;
  std::string schedule;
  uint64_t acquisitions = 0;
  uint64_t repeat = 0;
  bool shrink = false;
};

// `flags` outlives `app`.
void AddFaultFlags(CLI::App& app, FaultFlags* flags);
// Puts them into `plan`. Throws UsageError.
void Apply(const FaultFlags& flags, run::ContentionPlan* plan);

// What Apply read it from, as flags; empty if there are no faults.
[[nodiscard]] std::string FaultParameters(const run::ContentionPlan& plan);

// A table of the faults and the recovery from them; nothing if there were none.
void PrintFaults(const std::string& name, const run::ContentionResult& result,
                 std::ostream& out);

// Makes the first failed round of each lock smaller, and says how to see it.
// Takes a minute and more for each.
void PrintShrunk(const StressRun& run, Console& out);

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_FAULTS_H_
