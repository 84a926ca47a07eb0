// What a judge says of a history.
#ifndef LOCKLAB_CONFORMANCE_JUDGE_JUDGEMENT_H_
#define LOCKLAB_CONFORMANCE_JUDGE_JUDGEMENT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "conformance/history/event.h"
#include "conformance/history/histogram.h"
#include "conformance/history/log_reader.h"
#include "conformance/verdict/verdict.h"

namespace locklab::judge {

// Two actors that held one lock at once.
struct Violation {
  history::Actor holder = 0;    // who had it
  history::Actor intruder = 0;  // who got it, too
  history::Event held = {};     // how each of them got it
  history::Event intruded = {};
  int64_t number = 0;  // of `intruded` in the history, counted from 0
  // The events before, up to the intruder's acquire, and the one that shows
  // that the holder held it still.
  std::vector<history::Event> around = {};

  // "actor 5 acquired it at +0.2 s while actor 3 had held it since +0.1 s".
  [[nodiscard]] std::string Describe(int64_t start_ns) const;
};

struct ActorSummary {
  history::Actor actor = 0;
  int64_t acquisitions = 0;
  int64_t timeouts = 0;
  int64_t errors = 0;  // of acquire and release
  int64_t wait_max_ns = 0;
  // The most grants to others during one wait of its own.
  int64_t overtaken_max = 0;
  int64_t first_ns = 0;      // of its first event
  history::Event last = {};  // its last one, the end of itself aside
  bool crashed = false;
  bool waits = false;  // acquire was invoked and had not returned at the end
};

inline constexpr size_t kMaxEvidence = 4;

struct Judgement {
  int64_t events = 0;
  int64_t acquisitions = 0;
  int64_t timeouts = 0;
  int64_t acquire_errors = 0;
  int64_t release_errors = 0;
  int64_t crashes = 0;
  int64_t violations = 0;
  std::vector<Violation> evidence;  // the first kMaxEvidence of them
  // Releases that found the lock lost, and those of them for which no break
  // is recorded.
  int64_t lost = 0;
  int64_t lost_unexplained = 0;
  // Grant numbers that do not rise with the time: clocks or holds disagree.
  int64_t grants_out_of_order = 0;
  // Events that cannot follow what came before them, and the first of them.
  int64_t malformed = 0;
  std::string first_malformed;

  history::Histogram wait;  // acquire invoked to returned, successful ones
  history::Histogram hold;  // certain holds that ended with a release
  // From the invocation of a release to the return of the next acquire, if
  // that was waiting already.
  history::Histogram hand_off;
  // From the kill of a holder to the next grant.
  history::Histogram recovery;
  // From an actor's release to the return of its own next acquire.
  history::Histogram reacquire;

  int64_t start_ns = 0;  // CLOCK_MONOTONIC of the first and last event
  int64_t end_ns = 0;
  double hold_share = 0;       // of that time, the lock being held by anybody
  double active_share = 0;     // of that time, all actors being at it
  double jain = 0;             // of acquisitions: 1 is fair, 1/n is one for all
  int64_t longest_streak = 0;  // grants in a row to one actor
  std::vector<ActorSummary> actors;  // those that ever asked for the lock

  // Never two holders. Inconclusive if nobody ever held it or the history
  // contradicts itself.
  [[nodiscard]] Finding Exclusion() const;
  // Nobody waited in vain while others got it again and again, and no call
  // failed.
  [[nodiscard]] Finding Progress() const;
};

// Judges all that `reader` has left. Throws history::HistoryError.
[[nodiscard]] Judgement Judge(history::MergedReader& reader);

}  // namespace locklab::judge

#endif  // LOCKLAB_CONFORMANCE_JUDGE_JUDGEMENT_H_
