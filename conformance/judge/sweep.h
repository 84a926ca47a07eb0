// Judges a history: a pure function of its events, in one pass, with memory
// for each actor and none for the history's length.
//
// What is certain
//  - An actor certainly holds the lock from the return of a successful acquire
//    until it invokes release: both times were taken inside of the hold.
//  - An actor that the supervisor killed held it at least until the kill was
//    decided (crash, invoke). One that was found dead (crash, return, without
//    an invoke) is known to have lived at its own last event, and no longer.
//  - A hold that an actor sets out to break (break, invoke) may be gone from
//    that moment on, whatever the break returns.
//  - A hold that nothing ended lasts to the end of the history.
// Two certain holds of different actors that share more than the instant at
// which one ends are a violation. Whatever is not certain is never one.
//
// Histories from live runs and kept ones get the same verdict.
#ifndef LOCKLAB_CONFORMANCE_JUDGE_SWEEP_H_
#define LOCKLAB_CONFORMANCE_JUDGE_SWEEP_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "conformance/history/event.h"
#include "conformance/judge/judgement.h"

namespace locklab::judge {

class Sweep {
 public:
  // Takes events in the order of history::Before.
  void Add(const history::Event& event);
  // After the last event; the sweep is of no further use.
  [[nodiscard]] Judgement Finish();

 private:
  using Event = history::Event;
  using Actor = history::Actor;

  // Intruders into a hold whose holder has yet to be seen alive after them.
  struct Suspicion {
    int64_t count = 0;
    int64_t last_ns = 0;  // when the latest came
    int64_t at_last = 0;  // how many came at that very time
  };
  struct State {
    ActorSummary summary;
    history::Op in_flight = kNone;
    int64_t invoked_ns = 0;     // of what is in flight
    int64_t released_ns = 0;    // its last release was invoked; 0: none was
    int64_t grants_before = 0;  // when that was invoked
    bool asked = false;         // for the lock, ever
    bool breaks_any = false;    // what is in flight is a break of any hold
    bool holds = false;         // from acquire's return to release's invoke
    bool certain = false;       // and nobody may have broken it since
    bool break_seen = false;    // why it is not certain, or was not
    Event held;                 // acquire's return
    Suspicion suspicion;
    std::vector<Violation> evidence;  // of what is suspected
  };
  static constexpr history::Op kNone{};
  static constexpr size_t kRing = 8;

  State& StateOf(Actor actor);
  void OnInvoke(State& state, const Event& event);
  void OnReturn(State& state, const Event& event);
  void OnAcquired(State& state, const Event& event);
  void OnReleased(State& state, const Event& event);
  void OnBreakInvoked(State& state, const Event& event);
  void OnCrash(State& state, const Event& event);
  void Malformed(const Event& event, const char* what);

  void BeginHold(State& state, const Event& event);
  void EndCertainty(State& state, int64_t time_ns);
  void EndHold(State& state);
  void Suspect(State& holder, const Event& intruder);
  void Confirm(State& state, int64_t alive_ns, const Event* last);
  void CheckGrantOrder(const Event& event);
  [[nodiscard]] std::vector<Event> Around() const;

  Judgement judgement_;
  std::vector<State> states_;     // by actor
  std::vector<Actor> holders_;    // whose hold is certain
  int64_t breaks_any_ = 0;        // in flight
  int64_t held_since_ns_ = 0;     // while holders_ is not empty
  int64_t held_ns_ = 0;           // by anybody
  int64_t last_release_ns_ = -1;  // the hand-off that is under way
  int64_t killed_ns_ = -1;        // the holder, and nobody got it since
  Actor last_grantee_ = history::kSupervisor;
  int64_t streak_ = 0;
  uint64_t grant_max_ = 0;
  int64_t grant_ns_ = 0;
  size_t suspected_evidence_ = 0;
  std::array<Event, kRing> ring_{};
};

}  // namespace locklab::judge

#endif  // LOCKLAB_CONFORMANCE_JUDGE_SWEEP_H_
