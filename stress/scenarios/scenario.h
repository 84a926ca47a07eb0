// What many processes may do with a lock: one file a scenario, which registers
// itself in its last line.
//
//   // herd.cc
//   void SetUp(ContentionPlan* plan) { plan->processes = 16; ... }
//   void Turn(Worker& worker) { if (!worker.Meet() || !worker.Take()) return;
//                               worker.Hold(...); worker.Give(); }
//   const Registration kRegistered({.name = "herd", .doc = "...", ...});
//
// What a step is made of is told in stress/run/worker.h.
#ifndef LOCKLAB_STRESS_SCENARIOS_SCENARIO_H_
#define LOCKLAB_STRESS_SCENARIOS_SCENARIO_H_

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/subject/subject.h"
#include "stress/run/plan.h"
#include "stress/run/worker.h"

namespace locklab::scenario {

using run::ContentionPlan;
using run::ContentionResult;
using run::Delay;
using run::Worker;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""us;

struct Scenario {
  std::string_view name;  // "herd"
  std::string_view doc;   // one line
  // Writes its parameters into a plan that has the engine's defaults. Who runs
  // it may change them afterwards.
  void (*setup)(ContentionPlan* plan);
  // One turn of a contender; nullptr: take, hold, give, think.
  void (*step)(Worker& worker) = nullptr;
  // Whether what it is about came to pass: a run in which it did not says
  // nothing. nullptr: that lies in the nature of it.
  Finding (*check)(const ContentionPlan& plan,
                   const ContentionResult& result) = nullptr;
  // What its numbers tell beside those that all have; nullptr: nothing.
  std::string (*metrics)(const ContentionPlan& plan,
                         const ContentionResult& result) = nullptr;
  // Why a lock cannot be put to it; empty: it can. nullptr: all can.
  std::string (*excuse)(const SubjectFactory& subject) = nullptr;
};

// Makes a scenario known: at file scope, before main.
class Registration {
 public:
  explicit Registration(const Scenario& scenario);
};

// All that there are, by name.
[[nodiscard]] std::span<const Scenario> Scenarios();
// nullptr: there is none such.
[[nodiscard]] const Scenario* FindScenario(std::string_view name);

// Its plan as it stands, `dir`, duration and seed to be filled in.
[[nodiscard]] ContentionPlan PlanOf(const Scenario& scenario);

// Lets a plan whose parameters are known last so long, and gives those who
// still wait then the time to get the lock, one after the other.
void LastFor(std::chrono::milliseconds duration, ContentionPlan* plan);

}  // namespace locklab::scenario

#endif  // LOCKLAB_STRESS_SCENARIOS_SCENARIO_H_
