// Locks under scenarios, for as long as one likes: the time is cut into rounds,
// each with its own seed and its own history, which is judged and dropped. What
// is kept of hours is what is kept of seconds.
#ifndef LOCKLAB_STRESS_SCENARIOS_CAMPAIGN_H_
#define LOCKLAB_STRESS_SCENARIOS_CAMPAIGN_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "stress/scenarios/scenario.h"

namespace locklab::scenario {

// One lock under one scenario.
struct Course {
  std::string backend;
  const SubjectFactory* subject = nullptr;
  const Scenario* scenario = nullptr;
  ContentionPlan plan;  // dir and seed are set; duration is that of a round
};

struct FailedRound {
  int64_t round = 0;  // from 0
  uint64_t seed = 0;  // alone, it is that of a run of this one round
  std::string what;   // "exclusion", "progress", ...
  Finding finding;
  std::string history;  // where it was kept; empty: nowhere
};

struct CourseResult {
  std::string excuse;  // why the lock was not put to it; empty: it was
  ContentionResult total;
  Finding purpose = Finding::Pass();  // what the scenario itself says
  int64_t rounds = 0;
  int64_t failed = 0;
  std::vector<FailedRound> failures;  // the first of them
  std::optional<double> calls;        // per acquisition, if they were counted

  // The worst of what makes a lock be red: not its fairness.
  [[nodiscard]] Finding Worst() const;
};

struct CampaignPlan {
  std::vector<Course> courses;
  std::chrono::milliseconds duration{0};  // of each course
  std::chrono::milliseconds round{10000};
  uint64_t seed = 0;
  // So many rounds of each, all with that seed, however long they take;
  // 0: until the time is over.
  int64_t repeat = 0;
  bool stop_at_failure = false;
  bool count_calls = true;
  std::string keep;  // failed rounds leave their histories here; empty: nowhere
  // Before each round: "link: herd, round 3", and which share of all is done.
  std::function<void(const std::string& what, double share)> progress;
};

struct CampaignResult {
  std::vector<CourseResult> courses;  // as in the plan
  bool complete = true;               // false: interrupted
};

// The seed of a round: that of round 0 is `seed` itself, so that a run of one
// round can be had again by its seed.
[[nodiscard]] uint64_t RoundSeed(uint64_t seed, int64_t round);

// Runs the courses in turn, a round of each, until their time is over; ends
// early when it is interrupted (see proc::Interrupts) or at a failure, if
// asked. Blocks, and is to be called, as run::RunContention. Throws
// std::filesystem::filesystem_error if `keep` cannot be written.
[[nodiscard]] CampaignResult RunCampaign(const CampaignPlan& plan);

}  // namespace locklab::scenario

#endif  // LOCKLAB_STRESS_SCENARIOS_CAMPAIGN_H_
