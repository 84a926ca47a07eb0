// Threads, each with a lock object of its own, in a few processes.
#include "stress/scenarios/scenario.h"

namespace locklab::scenario {
namespace {

void SetUp(ContentionPlan* plan) {
  plan->processes = 2;
  plan->threads = 4;
  plan->hold = Delay::Exponential(200us);
}

std::string Excuse(const SubjectFactory& subject) {
  if (subject.traits().excludes_threads) return "";
  return "this lock does not claim to exclude threads of one process";
}

const Registration kRegistered({
    .name = "threads",
    .doc = "threads of a few processes, each with a lock object of its own",
    .setup = SetUp,
    .excuse = Excuse,
});

}  // namespace
}  // namespace locklab::scenario
