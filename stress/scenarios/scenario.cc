#include "stress/scenarios/scenario.h"

#include <algorithm>

namespace locklab::scenario {
namespace {

// Filled before main, in whatever order.
std::vector<Scenario>& Registered() {
  static std::vector<Scenario> scenarios;
  return scenarios;
}

}  // namespace

Registration::Registration(const Scenario& scenario) {
  std::vector<Scenario>& all = Registered();
  const auto place = std::lower_bound(
      all.begin(), all.end(), scenario,
      [](const auto& a, const auto& b) { return a.name < b.name; });
  all.insert(place, scenario);
}

std::span<const Scenario> Scenarios() { return Registered(); }

const Scenario* FindScenario(std::string_view name) {
  for (const Scenario& scenario : Scenarios()) {
    if (scenario.name == name) return &scenario;
  }
  return nullptr;
}

ContentionPlan PlanOf(const Scenario& scenario) {
  ContentionPlan plan;
  plan.step = scenario.step;
  scenario.setup(&plan);
  return plan;
}

void LastFor(std::chrono::milliseconds duration, ContentionPlan* plan) {
  constexpr std::chrono::milliseconds kGrace{30000};
  // A lock that a thousand wait for may take its time for each.
  constexpr std::chrono::milliseconds kEach{200};
  constexpr int kSlowest = 40;  // mean holds, in some scenario
  const auto drain = plan->hold.mean() * (3 * plan->contenders() + kSlowest);
  plan->duration = duration;
  plan->deadline = duration + kGrace + kEach * plan->contenders() +
                   std::chrono::ceil<std::chrono::milliseconds>(drain);
  // Many do not get it often in a short time; once is what they all need.
  plan->floor = plan->contenders();
}

}  // namespace locklab::scenario
