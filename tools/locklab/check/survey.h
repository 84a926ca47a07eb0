// The main job: everything that can be found out about locks in one
// directory, as one result.
#ifndef LOCKLAB_TOOLS_LOCKLAB_CHECK_SURVEY_H_
#define LOCKLAB_TOOLS_LOCKLAB_CHECK_SURVEY_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "conformance/claims/claim.h"
#include "conformance/claims/features.h"
#include "conformance/expect/expectations.h"
#include "conformance/report/recorder.h"
#include "conformance/report/report.h"
#include "tools/locklab/check/progress.h"
#include "tools/locklab/subjects.h"

namespace locklab::check {

// What has to be there, or the run is red.
struct Required {
  // Must have been examined of a lock, and must not be unsupported for want of
  // anything.
  std::vector<const Claim*> claims;
  std::vector<std::string> backends;
  std::vector<const Feature*> features;
};

struct SurveyPlan {
  std::string dir;          // usable: see directory.h
  std::string other_mount;  // the same directory through another mount, or ""
  std::string variant;      // of the lab, or ""
  std::string turn;         // the file of a Turn (turn.h), or ""
  std::vector<cli::NamedSubject> subjects;
  // Those that the filter left, in the order of the catalogue.
  std::vector<const Claim*> claims;
  Required required;
  expect::Expectations expectations;
  std::vector<std::string> expectation_files;  // their names, for the report
  bool latency = true;                         // whether it is measured
  size_t lanes = 3;  // how many claims are examined at a time
  std::chrono::milliseconds claim_deadline{60000};
  bool quick = true;
  uint64_t seed = 0;
  std::string run_id;  // see report::Context
  // An existing directory where the histories of the run are left, one
  // directory a lock; empty: nowhere.
  std::string histories;
  bool keep = false;
  std::string command_line;
};

// Examines and judges. Makes a scratch directory in plan.dir and removes it,
// after those of earlier runs that were killed. Ends early on SIGINT, SIGTERM
// or SIGHUP, or when the disk is full: `cut_short` says so then, and what was
// not reached is inconclusive. `recorder` may be nullptr. Main thread only.
// Throws std::system_error if there is no scratch directory to be had.
[[nodiscard]] report::RunReport Survey(const SurveyPlan& plan,
                                       Progress* progress,
                                       report::Recorder* recorder);

}  // namespace locklab::check

#endif  // LOCKLAB_TOOLS_LOCKLAB_CHECK_SURVEY_H_
