#include "conformance/judge/judgement.h"

#include <fmt/format.h>

#include "conformance/judge/sweep.h"

namespace locklab::judge {
namespace {

// An actor that was overtaken so often, for each of the others, without once
// getting the lock was not merely unlucky.
constexpr int64_t kStarvedAfter = 100;

double Seconds(int64_t ns) { return static_cast<double>(ns) / 1'000'000'000; }

bool IsStarved(const ActorSummary& actor, size_t actors) {
  return actor.acquisitions == 0 && !actor.crashed &&
         actor.overtaken_max >= kStarvedAfter * static_cast<int64_t>(actors);
}

}  // namespace

std::string Violation::Describe(int64_t start_ns) const {
  return fmt::format(
      "actor {} acquired the lock at {:+.9f} s while actor {} had held it "
      "since {:+.9f} s",
      intruder, Seconds(intruded.time_ns - start_ns), holder,
      Seconds(held.time_ns - start_ns));
}

Finding Judgement::Exclusion() const {
  if (violations > 0) {
    return Finding::Fail(fmt::format("{} time{} two held the lock at once: {}",
                                     violations, violations == 1 ? "" : "s",
                                     evidence.front().Describe(start_ns)));
  }
  if (malformed > 0) {
    return Finding::Inconclusive("the history contradicts itself: " +
                                 first_malformed);
  }
  if (grants_out_of_order > 0) {
    return Finding::Inconclusive(fmt::format(
        "{} grant numbers do not rise with the time of the grants: the "
        "clocks of this machine's processors may disagree",
        grants_out_of_order));
  }
  if (lost_unexplained > 0) {
    return Finding::Fail(fmt::format(
        "{} times a living holder lost the lock that nobody had broken",
        lost_unexplained));
  }
  if (acquisitions == 0) return Finding::Inconclusive("nobody got the lock");
  return Finding::Pass();
}

Finding Judgement::Progress() const {
  if (acquire_errors + release_errors > 0) {
    return Finding::Fail(fmt::format("{} acquire and {} release calls failed",
                                     acquire_errors, release_errors));
  }
  for (const ActorSummary& actor : actors) {
    if (IsStarved(actor, actors.size())) {
      return Finding::Fail(fmt::format(
          "actor {} waited while others got the lock {} times, and never got "
          "it",
          actor.actor, actor.overtaken_max));
    }
  }
  if (acquisitions == 0) return Finding::Inconclusive("nobody got the lock");
  return Finding::Pass();
}

Judgement Judge(history::MergedReader& reader) {
  Sweep sweep;
  while (const history::Event* event = reader.Next()) sweep.Add(*event);
  return sweep.Finish();
}

}  // namespace locklab::judge
