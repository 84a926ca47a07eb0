#include "stress/scenarios/campaign.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "conformance/proc/interrupts.h"
#include "conformance/proc/temp_dir.h"
#include "stress/run/contention.h"
#include "stress/run/merge.h"
#include "stress/scenarios/calls.h"

namespace locklab::scenario {
namespace {

constexpr size_t kMostFailures = 5;  // that are remembered, of one course

bool Interrupted() { return proc::Interrupts::Pending() != 0; }

// What makes a round be red, and its name.
struct Part {
  const char* name;
  Finding finding;
};

std::vector<Part> PartsOf(const ContentionResult& result,
                          const Finding& purpose) {
  std::vector<Part> parts = {{"exclusion", result.exclusion},
                             {"progress", result.progress}};
  if (result.coherence.verdict != Verdict::kUnsupported) {
    parts.push_back({"coherence", result.coherence});
  }
  if (result.survival.verdict != Verdict::kUnsupported) {
    parts.push_back({"survival", result.survival});
  }
  parts.push_back({"purpose", purpose});
  return parts;
}

Part WorstOf(const ContentionResult& result, const Finding& purpose) {
  Part worst{"", Finding::Pass()};
  for (const Part& part : PartsOf(result, purpose)) {
    if (&run::Worse(worst.finding, part.finding) == &part.finding) worst = part;
  }
  return worst;
}

// Runs rounds of one course and sums them up.
class Runner {
 public:
  Runner(const CampaignPlan& plan, const Course& course, CourseResult* result)
      : plan_(plan), course_(course), result_(*result) {}

  // False: it failed.
  bool Round(std::chrono::milliseconds duration) {
    const int64_t number = result_.rounds;
    ContentionPlan plan = course_.plan;
    plan.deadline += duration - plan.duration;
    plan.duration = duration;
    plan.seed = plan_.repeat > 0 ? plan_.seed : RoundSeed(plan_.seed, number);
    plan.keep_history = PlaceFor(number);
    const ContentionResult result = run::RunContention(*course_.subject, plan);
    const Finding purpose = course_.scenario->check == nullptr
                                ? Finding::Pass()
                                : course_.scenario->check(plan, result);
    Part worst = WorstOf(result, purpose);
    const bool failed = worst.finding.verdict == Verdict::kFail;
    if (!failed && !plan.keep_history.empty()) {
      proc::RemoveTree(plan.keep_history);
    }
    // What an interrupt cut short is no round.
    if (Interrupted() && !failed) return true;
    ++result_.rounds;
    run::Merge(result, judge::Lie::kAfter, &result_.total);
    result_.purpose = run::Worse(result_.purpose, purpose);
    if (failed) Remember(number, plan, std::move(worst));
    return !failed;
  }

 private:
  [[nodiscard]] std::string PlaceFor(int64_t round) const {
    if (plan_.keep.empty()) return "";
    // A canary's name has a colon.
    std::string backend = course_.backend;
    std::replace(backend.begin(), backend.end(), ':', '-');
    return fmt::format("{}/{}-{}-round-{}", plan_.keep, backend,
                       course_.scenario->name, round);
  }

  void Remember(int64_t round, const ContentionPlan& plan, Part worst) {
    ++result_.failed;
    if (result_.failures.size() >= kMostFailures) {
      if (!plan.keep_history.empty()) proc::RemoveTree(plan.keep_history);
      return;
    }
    result_.failures.push_back({.round = round,
                                .seed = plan.seed,
                                .what = worst.name,
                                .finding = std::move(worst.finding),
                                .history = plan.keep_history});
  }

  const CampaignPlan& plan_;
  const Course& course_;
  CourseResult& result_;
};

void CountCalls(const CampaignPlan& plan, CampaignResult* result) {
  const auto length = std::min(std::chrono::milliseconds(300), plan.duration);
  for (size_t i = 0; i < plan.courses.size() && !Interrupted(); ++i) {
    CourseResult& course = result->courses[i];
    if (course.Worst().verdict != Verdict::kPass) continue;
    const Course& of = plan.courses[i];
    course.calls = CallsPerAcquisition(*of.subject, of.plan, length);
  }
}

}  // namespace

Finding CourseResult::Worst() const {
  if (!excuse.empty()) return Finding::Unsupported(excuse);
  if (rounds == 0) return Finding::Inconclusive("it did not run");
  return WorstOf(total, purpose).finding;
}

uint64_t RoundSeed(uint64_t seed, int64_t round) {
  if (round == 0) return seed;
  // SplitMix64, of which each step is a round; short, so that it can be typed.
  uint64_t mixed = seed + static_cast<uint64_t>(round) * 0x9e3779b97f4a7c15;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return (mixed ^ (mixed >> 31)) >> 32;
}

CampaignResult RunCampaign(const CampaignPlan& plan) {
  const proc::Interrupts interrupts;
  CampaignResult result;
  result.courses.resize(plan.courses.size());
  for (size_t i = 0; i < plan.courses.size(); ++i) {
    const Course& course = plan.courses[i];
    std::string& excuse = result.courses[i].excuse;
    excuse = course.subject->WhyMissing();
    if (!excuse.empty() || course.scenario->excuse == nullptr) continue;
    excuse = course.scenario->excuse(*course.subject);
  }
  if (!plan.keep.empty()) std::filesystem::create_directories(plan.keep);
  const auto by_time =
      (plan.duration + plan.round - std::chrono::milliseconds(1)) / plan.round;
  const int64_t rounds = plan.repeat > 0 ? plan.repeat : by_time;
  bool go_on = true;
  for (int64_t round = 0; round < rounds && go_on; ++round) {
    const auto left =
        plan.repeat > 0 ? plan.duration : plan.duration - round * plan.round;
    for (size_t i = 0; i < plan.courses.size() && go_on; ++i) {
      const Course& course = plan.courses[i];
      if (!result.courses[i].excuse.empty()) continue;
      if (plan.progress) {
        const auto done =
            static_cast<double>(round) +
            static_cast<double>(i) / static_cast<double>(plan.courses.size());
        plan.progress(fmt::format("{}: {}, round {} of {}", course.backend,
                                  course.scenario->name, round + 1, rounds),
                      done / static_cast<double>(rounds));
      }
      const bool passed = Runner(plan, course, &result.courses[i])
                              .Round(std::min(left, plan.round));
      go_on = !Interrupted() && (passed || !plan.stop_at_failure);
    }
  }
  result.complete = !Interrupted();
  if (plan.count_calls) CountCalls(plan, &result);
  return result;
}

}  // namespace locklab::scenario
