// What locklab stress says of its results.
#ifndef LOCKLAB_TOOLS_LOCKLAB_STRESS_REPORT_H_
#define LOCKLAB_TOOLS_LOCKLAB_STRESS_REPORT_H_

#include <string>
#include <vector>

#include "stress/run/detector.h"
#include "stress/run/recovery.h"
#include "stress/scenarios/campaign.h"
#include "tools/locklab/command.h"

namespace locklab::cli {

struct StressRun {
  scenario::CampaignPlan plan;
  scenario::CampaignResult result;
  run::Detection canary;
  std::string dir;
  std::string variant;  // of the lab, or ""
  double duration_s = 0;
  // Of a comparison with peers: how long a killed holder's lock stays, of each
  // lock, and which locks are not there.
  struct LeftByDead {
    std::string backend;
    run::Recovery recovery;
  };
  std::vector<LeftByDead> recoveries;
  std::vector<std::string> missing;
};

[[nodiscard]] Exit CodeOf(const StressRun& run);
// The command that runs one round of a course again.
[[nodiscard]] std::string ReplayOf(const StressRun& run,
                                   const scenario::Course& course,
                                   uint64_t seed);
void PrintStressText(const StressRun& run, Console& out);
void PrintStressJson(const StressRun& run, Exit code, std::ostream& out);

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_STRESS_REPORT_H_
