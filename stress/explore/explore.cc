#include "stress/explore/explore.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <stdexcept>
#include <utility>
#include <vector>

#include "stress/explore/machine.h"
#include "stress/explore/states.h"
#include "stress/explore/steps.h"

namespace locklab::explore {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kLookAround = 2048;  // states between looks at the limits

double ProcessorTime() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) +
         static_cast<double>(used.tv_nsec) * 1e-9;
}

class Search {
 public:
  Search(const Scene& scene, const Limits& limits,
         const std::function<bool()>& go_on)
      : scene_(scene),
        limits_(limits),
        go_on_(go_on),
        machine_(scene),
        steps_(machine_) {}

  Exploration Run() {
    try {
      Work();
    } catch (const std::length_error& full) {
      out_.bound = full.what();
    }
    out_.complete = out_.bound.empty();
    out_.states = states_.size();
    out_.worlds = steps_.worlds();
    out_.positions = machine_.actors().size();
    out_.merged = machine_.actors().merges();
    out_.bytes = Bytes();
    out_.seconds = Elapsed();
    out_.cpu_seconds = ProcessorTime() - cpu_start_;
    out_.coverage = steps_.Count();
    return std::move(out_);
  }

  [[nodiscard]] bool rewrites() const { return machine_.rewrites(); }

 private:
  [[nodiscard]] size_t Bytes() const {
    return states_.bytes() + steps_.bytes() + machine_.bytes() +
           (queue_.capacity() + next_.capacity()) * sizeof(uint32_t);
  }
  [[nodiscard]] double Elapsed() const {
    return std::chrono::duration<double>(Clock::now() - start_).count();
  }

  [[nodiscard]] bool ByPreemptions() const {
    return limits_.preemptions.has_value();
  }

  // A level has all states of a depth, or of a number of preemptions. By depth,
  // what is reached belongs to the next level, by preemptions to the present
  // one, and the next begins with what interrupts in the states of this one: so
  // each state is found with the fewest that lead there.
  void Work() {
    const State first = steps_.Enter(machine_.Start());
    if (!Reach(first, {})) return;
    if (!ByPreemptions()) queue_.swap(next_);
    for (level_ = 0; !queue_.empty(); ++level_) {
      if (!WorkOnLevel()) return;
      if (ByPreemptions()) out_.preemptions = level_;
      queue_.clear();
      queue_.swap(next_);
      if (!queue_.empty() && IsTooDeep()) return;
    }
    if (cut_) {
      out_.bound = std::to_string(*limits_.preemptions) + " preemptions";
    }
  }

  // Those of the level before come first, to be interrupted.
  bool WorkOnLevel() {
    const size_t interrupted =
        ByPreemptions() && level_ > 0 ? queue_.size() : 0;
    for (size_t i = 0; i < queue_.size(); ++i) {
      if (expanded_++ % kLookAround == 0 && !LookAround()) return false;
      if (i + 1 < queue_.size()) steps_.Fetch(states_[queue_[i + 1]]);
      interrupts_ = i < interrupted;
      may_interrupt_ = false;
      if (!Expand(queue_[i]) || !ReachAll()) return false;
      if (!may_interrupt_) continue;
      if (level_ < *limits_.preemptions) {
        next_.push_back(queue_[i]);
      } else {
        cut_ = true;
      }
    }
    return true;
  }

  bool IsTooDeep() {
    if (ByPreemptions() || level_ + 1 != limits_.depth) return false;
    out_.bound = "depth " + std::to_string(limits_.depth);
    return true;
  }

  bool LookAround() {
    if (Bytes() > limits_.memory) {
      out_.bound = "memory of " + std::to_string(limits_.memory >> 20) + " MiB";
    } else if (limits_.time.count() > 0 &&
               (ProcessorTime() - cpu_start_) * 1000 >
                   static_cast<double>(limits_.time.count())) {
      out_.bound =
          "processor time of " + std::to_string(limits_.time.count()) + " ms";
    } else if (go_on_ && !go_on_()) {
      out_.bound = "a signal";
    }
    return out_.bound.empty();
  }

  // False: something is wrong there. All steps come before all else.
  bool Expand(uint32_t number) {
    const State state = states_[number];
    bool stuck = true;
    bool lives = false;
    std::array<bool, 8> fresh_role{};
    for (int slot = 0; slot < scene_.processes(); ++slot) {
      if (state.at[slot] == kNowhere) continue;
      lives = true;
      // Processes that have not begun are as alike as their roles: one of them
      // stands for all.
      if (machine_.IsFirst(state.at[slot], slot)) {
        bool& seen = fresh_role[static_cast<size_t>(scene_.roles[slot])];
        if (std::exchange(seen, true)) continue;
      }
      const Stand stand = steps_.Of(state, slot);
      out_.waits_cut |= stand.parked;
      stuck = stuck && stand.count == 0 && !stand.parked;
      if (!stand.steps) continue;
      if (!Go(number, state, slot, steps_.MovesOf(stand)[0])) return false;
    }
    for (int slot = 0; slot < scene_.processes(); ++slot) {
      if (machine_.IsFirst(state.at[slot], slot)) continue;
      const Stand stand = steps_.Of(state, slot);
      stuck = stuck && stand.count == 0;
      for (Move& move : steps_.MovesOf(stand).subspan(stand.steps ? 1 : 0)) {
        if (!Go(number, state, slot, move)) return false;
      }
    }
    return !stuck || !lives || Found(Wrong::kDeadlock, states_.WayTo(number));
  }

  bool Go(uint32_t number, const State& state, int slot, Move& move) {
    const Choice choice{.slot = static_cast<uint8_t>(slot),
                        .event = move.event};
    if (ByPreemptions() && Interrupts(state, choice) != interrupts_) {
      may_interrupt_ = may_interrupt_ || !interrupts_;
      return true;
    }
    ++out_.transitions;
    Wrong wrong = Wrong::kNothing;
    State there = steps_.Take(state, slot, move, &wrong);
    if (wrong != Wrong::kNothing) {
      if (!ReachAll()) return false;
      Schedule way = states_.WayTo(number);
      way.push_back(choice);
      return Found(wrong, std::move(way));
    }
    if (ByPreemptions()) SetLast(&there, choice, move);
    const States::Origin& here = states_.OriginOf(number);
    states_.Fetch(there);
    reached_.push_back({there,
                        {.from = number,
                         .choice = choice,
                         .depth = static_cast<uint16_t>(here.depth + 1)}});
    return true;
  }

  // All that is reached from a state is looked up together, so that the
  // processor waits for memory once.
  bool ReachAll() {
    for (const auto& [state, origin] : reached_) {
      if (!Reach(state, origin)) return false;
    }
    reached_.clear();
    return true;
  }

  static bool Interrupts(const State& state, Choice choice) {
    return IsStep(choice.event) && state.last != kNobody &&
           state.last != choice.slot;
  }

  // Who waits, cannot go on, or is gone is not interrupted.
  static void SetLast(State* state, Choice choice, const Move& move) {
    if (IsStep(choice.event)) state->last = choice.slot;
    if (state->last == choice.slot && move.patient) state->last = kNobody;
    if (move.others) state->last = kNobody;
  }

  // Whether the process makes a call, be it with another result.
  static bool IsStep(Event event) {
    return event == Event::kStep || event == Event::kLostReply ||
           event == Event::kStaleLook || event == Event::kError;
  }

  bool Reach(const State& state, const States::Origin& origin) {
    bool fresh = false;
    const uint32_t number = states_.Add(state, origin, &fresh);
    if (!fresh) return true;
    (ByPreemptions() ? queue_ : next_).push_back(number);
    out_.depth = std::max<uint32_t>(out_.depth, origin.depth);
    if (!scene_.liveness || machine_.IsConcluded(state.at, state.world)) {
      return true;
    }
    const Wrong wrong = machine_.Conclude(steps_.MomentOf(state), state.world);
    return wrong == Wrong::kNothing || Found(wrong, states_.WayTo(number));
  }

  bool Found(Wrong wrong, Schedule way) {
    std::string reason = machine_.reason();
    out_.found = Counterexample{wrong, {}, Whole(way, &reason)};
    if (wrong == Wrong::kFailed || wrong == Wrong::kLitter ||
        wrong == Wrong::kBlocked) {
      out_.found->reason = reason;
    }
    return false;
  }

  // With a step for each call, so that it can be replayed whatever is reduced.
  // `reason`: of what goes wrong in the last step, if anything does.
  Schedule Whole(const Schedule& way, std::string* reason) {
    Schedule whole;
    Moment moment = machine_.Start();
    for (const Choice choice : way) {
      made_.clear();
      const Wrong wrong = machine_.Do(&moment, choice, &made_);
      if (wrong != Wrong::kNothing) *reason = machine_.reason();
      whole.push_back(choice);
      for (size_t i = 1; i < made_.size(); ++i) {
        whole.push_back({.slot = choice.slot});
      }
    }
    return whole;
  }

  const Scene& scene_;
  const Limits limits_;
  const std::function<bool()>& go_on_;
  const Clock::time_point start_ = Clock::now();
  const double cpu_start_ = ProcessorTime();
  Machine machine_;
  Steps steps_;
  States states_;
  std::vector<uint32_t> queue_;  // of the present level
  std::vector<uint32_t> next_;
  uint32_t level_ = 0;
  bool interrupts_ = false;     // what is made now interrupts
  bool may_interrupt_ = false;  // something else would, in this state
  bool cut_ = false;            // something was left out, for its preemptions
  std::vector<std::pair<State, States::Origin>> reached_;  // of this state
  uint64_t expanded_ = 0;
  std::vector<Made> made_;
  Exploration out_;
};

}  // namespace

Exploration Explore(const Scene& scene, const Limits& limits,
                    const std::function<bool()>& go_on) {
  Search search(scene, limits, go_on);
  Exploration found = search.Run();
  if (!scene.reduce || !search.rewrites() || found.found.has_value()) {
    return found;
  }
  Scene whole = scene;
  whole.reduce = false;
  return Search(whole, limits, go_on).Run();
}

std::string Excuse(const Scene& scene) {
  const lockfile::Traits traits = scene.subject->traits();
  if (traits.bypasses_seam) {
    return "its calls do not pass the seam: another library makes them";
  }
  if (traits.released_on_crash && scene.model->local_locks) {
    return "the model has no kernel locks between hosts";
  }
  const auto breaks = [](Role role) { return role == Role::kBreak; };
  if (!traits.breakable && std::ranges::any_of(scene.roles, breaks)) {
    return "it cannot be broken";
  }
  // Whether one process alone can take it: a look at what it needs.
  Scene alone = scene;
  alone.roles = {Role::kTry};
  alone.allowed = {};
  alone.liveness = false;
  const Exploration tried = Explore(alone, {});
  if (tried.found.has_value() && tried.found->wrong == Wrong::kFailed) {
    return tried.found->reason;
  }
  return "";
}

}  // namespace locklab::explore
