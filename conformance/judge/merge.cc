#include "conformance/judge/merge.h"

#include <algorithm>

namespace locklab::judge {
namespace {

void MergeActor(const ActorSummary& other, ActorSummary* total) {
  total->acquisitions += other.acquisitions;
  total->timeouts += other.timeouts;
  total->errors += other.errors;
  total->wait_max_ns = std::max(total->wait_max_ns, other.wait_max_ns);
  total->overtaken_max = std::max(total->overtaken_max, other.overtaken_max);
  total->last = other.last;
  total->crashed |= other.crashed;
  total->waits |= other.waits;
}

// Both in rising order of their actors.
void MergeActors(const std::vector<ActorSummary>& others,
                 std::vector<ActorSummary>* total) {
  for (const ActorSummary& other : others) {
    const auto place = std::lower_bound(
        total->begin(), total->end(), other,
        [](const auto& a, const auto& b) { return a.actor < b.actor; });
    if (place != total->end() && place->actor == other.actor) {
      MergeActor(other, &*place);
    } else {
      total->insert(place, other);
    }
  }
}

void MergeEvidence(const Judgement& other, Judgement* total) {
  for (const Violation& violation : other.evidence) {
    if (total->evidence.size() >= kMaxEvidence) return;
    Violation& added = total->evidence.emplace_back(violation);
    const int64_t shift = total->start_ns - other.start_ns;
    added.held.time_ns += shift;
    added.intruded.time_ns += shift;
    for (history::Event& event : added.around) event.time_ns += shift;
  }
}

void MergeShares(const Judgement& other, Lie lie, Judgement* total) {
  const auto length = static_cast<double>(total->end_ns - total->start_ns);
  const auto added = static_cast<double>(other.end_ns - other.start_ns);
  if (length + added > 0) {
    const auto mean = [&](double a, double b) {
      return (a * length + b * added) / (length + added);
    };
    total->hold_share = mean(total->hold_share, other.hold_share);
    total->active_share = mean(total->active_share, other.active_share);
  }
  const int64_t more = other.end_ns - other.start_ns;
  if (lie == Lie::kAfter) {
    total->end_ns += more;
  } else {
    total->end_ns = std::max(total->end_ns, total->start_ns + more);
  }
}

}  // namespace

double JainOf(const std::vector<ActorSummary>& actors) {
  double sum = 0;
  double squares = 0;
  for (const ActorSummary& actor : actors) {
    const auto count = static_cast<double>(actor.acquisitions);
    sum += count;
    squares += count * count;
  }
  if (squares == 0) return 0;
  return sum * sum / (static_cast<double>(actors.size()) * squares);
}

void Merge(const Judgement& other, Lie lie, Judgement* total) {
  if (total->events == 0) {
    *total = other;
    return;
  }
  if (other.events == 0) return;
  MergeEvidence(other, total);
  MergeShares(other, lie, total);
  total->events += other.events;
  total->acquisitions += other.acquisitions;
  total->timeouts += other.timeouts;
  total->acquire_errors += other.acquire_errors;
  total->release_errors += other.release_errors;
  total->crashes += other.crashes;
  total->violations += other.violations;
  total->lost += other.lost;
  total->lost_unexplained += other.lost_unexplained;
  total->grants_out_of_order += other.grants_out_of_order;
  if (total->malformed == 0) total->first_malformed = other.first_malformed;
  total->malformed += other.malformed;
  total->wait.Merge(other.wait);
  total->hold.Merge(other.hold);
  total->hand_off.Merge(other.hand_off);
  total->recovery.Merge(other.recovery);
  total->reacquire.Merge(other.reacquire);
  total->longest_streak = std::max(total->longest_streak, other.longest_streak);
  MergeActors(other.actors, &total->actors);
  total->jain = JainOf(total->actors);
}

}  // namespace locklab::judge
