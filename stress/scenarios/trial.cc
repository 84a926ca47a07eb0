#include "stress/scenarios/trial.h"

#include <fmt/format.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conformance/proc/duration.h"
#include "stress/scenarios/campaign.h"

namespace locklab::scenario {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kQuick{150};
constexpr milliseconds kFull{2000};
// How many times as long one may last where the disk is slow.
constexpr int kMostStretch = 16;

// FNV-1a of the lock's name, so that the locks of a run differ in theirs.
uint64_t Draw(uint64_t seed, std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325 ^ seed;
  for (const char c : name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return hash >> 32;
}

std::vector<const Scenario*> Chosen(const SubjectFactory& subject,
                                    const TrialPlan& plan) {
  std::vector<const Scenario*> all;
  for (const Scenario& scenario : Scenarios()) {
    if (scenario.excuse == nullptr || scenario.excuse(subject).empty()) {
      all.push_back(&scenario);
    }
  }
  if (!plan.quick || all.empty()) return all;
  return {all[Draw(plan.seed, subject.name()) % all.size()]};
}

// With the command that shows the finding again, unless it is good.
Finding Try(const SubjectFactory& subject, const Scenario& scenario,
            const TrialPlan& plan, const std::function<bool()>& go_on) {
  const milliseconds once = plan.quick ? kQuick : kFull;
  for (int stretch = 1;; stretch *= 4) {
    const milliseconds duration = stretch * once;
    Course course{.backend = std::string(subject.name()),
                  .subject = &subject,
                  .scenario = &scenario,
                  .plan = PlanOf(scenario)};
    LastFor(duration, &course.plan);
    course.plan.dir = plan.dir;
    course.plan.seed = plan.seed;
    CampaignPlan campaign{.courses = {std::move(course)},
                          .duration = duration,
                          .round = duration,
                          .seed = plan.seed,
                          .count_calls = false,
                          .keep = {},
                          .progress = nullptr};
    const CampaignResult result = RunCampaign(campaign);
    Finding found = result.courses.front().Worst();
    const bool told =
        found.verdict == Verdict::kPass || found.verdict == Verdict::kFail;
    if (!told && stretch < kMostStretch && go_on()) continue;
    if (found.verdict == Verdict::kPass) return found;
    found.reason = fmt::format("{}: {}", scenario.name, found.reason);
    found.evidence +=
        fmt::format("{} --scenario={} --duration={} --seed={}\n", plan.replay,
                    scenario.name, proc::DurationText(duration), plan.seed);
    return found;
  }
}

}  // namespace

std::optional<Finding> TryScenarios(const SubjectFactory& subject,
                                    const TrialPlan& plan,
                                    const std::function<bool()>& go_on) {
  std::string names;
  Finding doubt = Finding::Pass();
  for (const Scenario* scenario : Chosen(subject, plan)) {
    Finding found = Try(subject, *scenario, plan, go_on);
    if (!go_on()) return std::nullopt;
    if (found.verdict == Verdict::kFail) return found;
    if (found.verdict != Verdict::kPass) doubt = std::move(found);
    names += (names.empty() ? "" : ", ") + std::string(scenario->name);
  }
  if (names.empty()) return std::nullopt;
  if (doubt.verdict != Verdict::kPass) return doubt;
  return Finding::Pass("two never held it, and all got it: " + names);
}

}  // namespace locklab::scenario
