// The main job: everything that can be found out about locks in one
// directory, as one result.
#ifndef LOCKLAB_TOOLS_LOCKLAB_CHECK_SURVEY_H_
#define LOCKLAB_TOOLS_LOCKLAB_CHECK_SURVEY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "conformance/claims/claim.h"
#include "conformance/report/report.h"
#include "lib/backends.h"
#include "tools/locklab/check/progress.h"

namespace locklab::check {

struct SurveyPlan {
  std::string dir;  // usable: see directory.h
  std::vector<const lockfile::BackendRow*> backends;
  // Those that the filter left, in the order of the catalogue.
  std::vector<const Claim*> claims;
  // Whether `claims` is the whole catalogue: then latency is measured, too.
  bool whole = true;
  bool quick = true;
  uint64_t seed = 0;
  std::string out;  // where histories are left; empty: nowhere
  bool keep = false;
  std::string command_line;
};

// Examines and judges. Makes a scratch directory in plan.dir and removes it,
// after those of earlier runs that were killed. Ends early on SIGINT, SIGTERM
// or SIGHUP, or when the disk is full: `cut_short` says so then, and what was
// not reached is inconclusive. Main thread only.
// Throws std::system_error if there is no scratch directory to be had.
[[nodiscard]] report::RunReport Survey(const SurveyPlan& plan,
                                       Progress* progress);

}  // namespace locklab::check

#endif  // LOCKLAB_TOOLS_LOCKLAB_CHECK_SURVEY_H_
