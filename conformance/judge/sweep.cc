#include "conformance/judge/sweep.h"

#include <algorithm>
#include <utility>

#include "conformance/judge/merge.h"

namespace locklab::judge {

using history::Op;
using history::Phase;
using history::Result;

void Sweep::Add(const Event& event) {
  if (judgement_.events == 0) judgement_.start_ns = event.time_ns;
  judgement_.end_ns = event.time_ns;
  ring_[static_cast<size_t>(judgement_.events++) % kRing] = event;
  if (event.actor >= history::kMaxActors) {
    Malformed(event, "the supervisor holds no locks");
    return;
  }
  State& state = StateOf(event.actor);
  if (event.op == Op::kCrash) {
    OnCrash(state, event);
    return;
  }
  ActorSummary& summary = state.summary;
  if (summary.first_ns == 0) summary.first_ns = event.time_ns;
  summary.last = event;
  // Whoever acts is alive.
  if (state.suspicion.count > 0) Confirm(state, event.time_ns, &event);
  if (event.phase == Phase::kInvoke) {
    OnInvoke(state, event);
  } else {
    OnReturn(state, event);
  }
}

Sweep::State& Sweep::StateOf(Actor actor) {
  if (actor >= states_.size()) {
    const size_t before = states_.size();
    states_.resize(actor + 1);
    for (size_t i = before; i < states_.size(); ++i) {
      states_[i].summary.actor = static_cast<Actor>(i);
    }
  }
  return states_[actor];
}

void Sweep::Malformed(const Event& event, const char* what) {
  if (judgement_.malformed++ == 0) {
    judgement_.first_malformed =
        history::Describe(event, judgement_.start_ns) + ": " + what;
  }
}

void Sweep::OnInvoke(State& state, const Event& event) {
  if (state.in_flight != kNone) {
    Malformed(event, "an operation of this actor is under way already");
    return;
  }
  state.in_flight = event.op;
  state.invoked_ns = event.time_ns;
  state.grants_before = judgement_.acquisitions;
  if (event.op == Op::kAcquire) state.asked = true;
  if (event.op == Op::kBreak) OnBreakInvoked(state, event);
  if (event.op == Op::kRelease && state.holds) {
    if (state.certain) {
      judgement_.hold.Record(event.time_ns - state.held.time_ns);
    }
    EndCertainty(state, event.time_ns);
    EndHold(state);
    state.released_ns = last_release_ns_ = event.time_ns;
  }
}

void Sweep::OnReturn(State& state, const Event& event) {
  if (state.in_flight != event.op) {
    Malformed(event, "this operation was not under way");
    return;
  }
  state.in_flight = kNone;
  if (std::exchange(state.breaks_any, false)) --breaks_any_;
  if (event.op == Op::kAcquire) OnAcquired(state, event);
  if (event.op == Op::kRelease) OnReleased(state, event);
}

void Sweep::OnAcquired(State& state, const Event& event) {
  ActorSummary& summary = state.summary;
  const int64_t overtaken = judgement_.acquisitions - state.grants_before;
  summary.overtaken_max = std::max(summary.overtaken_max, overtaken);
  if (event.result == Result::kTimeout) {
    ++summary.timeouts;
    ++judgement_.timeouts;
  } else if (event.result != Result::kOk) {
    ++summary.errors;
    ++judgement_.acquire_errors;
  } else {
    const int64_t wait = event.time_ns - state.invoked_ns;
    judgement_.wait.Record(wait);
    summary.wait_max_ns = std::max(summary.wait_max_ns, wait);
    ++summary.acquisitions;
    ++judgement_.acquisitions;
    BeginHold(state, event);
  }
}

void Sweep::BeginHold(State& state, const Event& event) {
  CheckGrantOrder(event);
  streak_ = event.actor == last_grantee_ ? streak_ + 1 : 1;
  last_grantee_ = event.actor;
  judgement_.longest_streak = std::max(judgement_.longest_streak, streak_);
  if (last_release_ns_ >= 0 && state.invoked_ns < last_release_ns_) {
    judgement_.hand_off.Record(event.time_ns - last_release_ns_);
  }
  last_release_ns_ = -1;
  if (killed_ns_ >= 0) judgement_.recovery.Record(event.time_ns - killed_ns_);
  killed_ns_ = -1;
  if (state.released_ns > 0) {
    judgement_.reacquire.Record(event.time_ns - state.released_ns);
  }
  if (state.certain) return;  // it had it already: the same hold
  EndHold(state);
  for (const Actor holder : holders_) Suspect(states_[holder], event);
  state.holds = true;
  state.held = event;
  state.break_seen = breaks_any_ > 0;
  state.certain = !state.break_seen;
  if (!state.certain) return;
  if (holders_.empty()) held_since_ns_ = event.time_ns;
  holders_.push_back(event.actor);
}

// A later grant has a greater number: it was drawn within a hold, and one hold
// comes after the other.
void Sweep::CheckGrantOrder(const Event& event) {
  if (event.token == 0) return;
  if (event.time_ns > grant_ns_ && event.token < grant_max_) {
    ++judgement_.grants_out_of_order;
  }
  grant_ns_ = event.time_ns;
  grant_max_ = std::max(grant_max_, event.token);
}

void Sweep::OnReleased(State& state, const Event& event) {
  if (event.result == Result::kLost) {
    ++judgement_.lost;
    if (!state.break_seen) ++judgement_.lost_unexplained;
  } else if (event.result != Result::kOk) {
    ++state.summary.errors;
    ++judgement_.release_errors;
  }
}

void Sweep::OnBreakInvoked(State& state, const Event& event) {
  if (event.token == 0) {
    state.breaks_any = true;
    ++breaks_any_;
  }
  for (State& other : states_) {
    if (other.holds && (event.token == 0 || event.token == other.held.token)) {
      other.break_seen = true;
      EndCertainty(other, event.time_ns);
    }
  }
}

void Sweep::OnCrash(State& state, const Event& event) {
  if (event.phase == Phase::kInvoke) {
    if (state.holds) killed_ns_ = event.time_ns;
    // It is alive: it has yet to be killed.
    Confirm(state, event.time_ns, &event);
    EndCertainty(state, event.time_ns);
    return;
  }
  ++judgement_.crashes;
  state.summary.crashed = true;
  EndCertainty(state, event.time_ns);
  EndHold(state);
  state.in_flight = kNone;
  if (std::exchange(state.breaks_any, false)) --breaks_any_;
}

void Sweep::EndCertainty(State& state, int64_t time_ns) {
  if (!std::exchange(state.certain, false)) return;
  std::erase(holders_, state.summary.actor);
  if (holders_.empty()) held_ns_ += time_ns - held_since_ns_;
}

// What is still suspected now cannot be proven any more.
void Sweep::EndHold(State& state) {
  state.holds = false;
  state.suspicion = {};
  suspected_evidence_ -= state.evidence.size();
  state.evidence.clear();
}

void Sweep::Suspect(State& holder, const Event& intruder) {
  Suspicion& suspicion = holder.suspicion;
  if (suspicion.count == 0 || suspicion.last_ns != intruder.time_ns) {
    suspicion.at_last = 0;
  }
  ++suspicion.count;
  ++suspicion.at_last;
  suspicion.last_ns = intruder.time_ns;
  // The first of each hold always: any of them may turn out to be the only
  // one that is proven.
  if (judgement_.evidence.size() >= kMaxEvidence) return;
  if (holder.evidence.size() < kMaxEvidence &&
      (holder.evidence.empty() || suspected_evidence_ < kMaxEvidence)) {
    ++suspected_evidence_;
    holder.evidence.push_back({.holder = holder.summary.actor,
                               .intruder = intruder.actor,
                               .held = holder.held,
                               .intruded = intruder,
                               .number = judgement_.events - 1,
                               .around = Around()});
  }
}

// The holder was alive at `alive_ns` and had not given the lock back: whoever
// came before then intruded. Touching at one instant is no proof.
void Sweep::Confirm(State& state, int64_t alive_ns, const Event* last) {
  Suspicion& suspicion = state.suspicion;
  const int64_t open = suspicion.last_ns == alive_ns && suspicion.count > 0
                           ? suspicion.at_last
                           : 0;
  judgement_.violations += suspicion.count - open;
  suspicion.count = open;
  auto proven = std::stable_partition(
      state.evidence.begin(), state.evidence.end(),
      [&](const Violation& v) { return v.intruded.time_ns >= alive_ns; });
  for (auto it = proven; it != state.evidence.end(); ++it) {
    --suspected_evidence_;
    if (judgement_.evidence.size() >= kMaxEvidence) continue;
    if (last != nullptr) it->around.push_back(*last);
    judgement_.evidence.push_back(std::move(*it));
  }
  state.evidence.erase(proven, state.evidence.end());
}

// The latest events, in order, with the one that is being judged.
std::vector<history::Event> Sweep::Around() const {
  std::vector<Event> events;
  const auto end = static_cast<size_t>(judgement_.events);
  for (size_t i = end > kRing ? end - kRing : 0; i < end; ++i) {
    events.push_back(ring_[i % kRing]);
  }
  return events;
}

Judgement Sweep::Finish() {
  Judgement& out = judgement_;
  int64_t all_from = out.start_ns;
  int64_t all_to = out.end_ns;
  for (State& state : states_) {
    ActorSummary& summary = state.summary;
    // Nothing ended its hold: it lasts beyond the last event.
    Confirm(state, out.end_ns + 1, nullptr);
    EndCertainty(state, out.end_ns);
    if (!state.asked) continue;  // one that breaks, or nobody at all
    if (state.in_flight == Op::kAcquire) {
      summary.waits = true;
      summary.overtaken_max = std::max(summary.overtaken_max,
                                       out.acquisitions - state.grants_before);
    }
    all_from = std::max(all_from, summary.first_ns);
    all_to = std::min(all_to, summary.last.time_ns);
    out.actors.push_back(summary);
  }
  const auto total = static_cast<double>(out.end_ns - out.start_ns);
  if (total > 0) {
    out.hold_share = static_cast<double>(held_ns_) / total;
    out.active_share =
        static_cast<double>(std::max<int64_t>(all_to - all_from, 0)) / total;
  }
  out.jain = JainOf(out.actors);
  return std::move(judgement_);
}

}  // namespace locklab::judge
