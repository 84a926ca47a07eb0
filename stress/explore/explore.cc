#include "stress/explore/explore.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <stdexcept>
#include <vector>

#include "stress/explore/machine.h"

namespace locklab::explore {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t kNone = ~uint32_t{0};
constexpr uint64_t kLookAround = 2048;  // states between looks at the limits

double ProcessorTime() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) +
         static_cast<double>(used.tv_nsec) * 1e-9;
}

struct State {
  uint32_t world = 0;
  std::array<Position, kMaxProcesses> at{};
  bool operator==(const State&) const = default;
};

// States by number, in the order in which they were found, and how.
class States {
 public:
  States() : slots_(4096, kFree) {}

  // The number of the state; `fresh`: it was not known.
  uint32_t Add(const State& state, uint32_t from, Choice choice, bool* fresh) {
    const auto hash = static_cast<uint32_t>(HashOf(state));
    size_t at = hash & (slots_.size() - 1);
    for (; slots_[at] != kFree; at = (at + 1) & (slots_.size() - 1)) {
      const auto number = static_cast<uint32_t>(slots_[at]);
      if (slots_[at] >> 32 == hash && states_[number] == state) {
        *fresh = false;
        return number;
      }
    }
    *fresh = true;
    const auto number = static_cast<uint32_t>(states_.size());
    slots_[at] = (uint64_t{hash} << 32) | number;
    states_.push_back(state);
    from_.push_back(from);
    choices_.push_back(choice);
    if (states_.size() * 3 > slots_.size() * 2) Grow();
    return number;
  }

  [[nodiscard]] const State& operator[](uint32_t number) const {
    return states_[number];
  }
  [[nodiscard]] size_t size() const { return states_.size(); }
  [[nodiscard]] size_t bytes() const {
    return states_.capacity() *
               (sizeof(State) + sizeof(uint32_t) + sizeof(Choice)) +
           slots_.capacity() * sizeof(uint64_t);
  }

  [[nodiscard]] Schedule WayTo(uint32_t number) const {
    Schedule way;
    for (; from_[number] != kNone; number = from_[number]) {
      way.push_back(choices_[number]);
    }
    std::reverse(way.begin(), way.end());
    return way;
  }

 private:
  static uint64_t HashOf(const State& state) {
    return HashBytes(&state, sizeof state);
  }

  void Grow() {
    std::vector<uint64_t> old(slots_.size() * 2, kFree);
    old.swap(slots_);
    for (const uint64_t slot : old) {
      if (slot == kFree) continue;
      size_t at = (slot >> 32) & (slots_.size() - 1);
      while (slots_[at] != kFree) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = slot;
    }
  }

  // A part of the hash, that tells most others, above the number.
  static constexpr uint64_t kFree = ~uint64_t{0};
  std::vector<uint64_t> slots_;
  std::vector<State> states_;
  std::vector<uint32_t> from_;
  std::vector<Choice> choices_;
};

class Search {
 public:
  Search(const Scene& scene, const Limits& limits,
         const std::function<bool()>& go_on)
      : scene_(scene), limits_(limits), go_on_(go_on), machine_(scene) {}

  Exploration Run() {
    try {
      Work();
    } catch (const std::length_error& full) {
      out_.bound = full.what();
    }
    out_.complete = out_.bound.empty();
    out_.states = states_.size();
    out_.worlds = worlds_.size();
    out_.positions = machine_.actors().size();
    out_.merged = machine_.actors().merges();
    out_.bytes = Bytes();
    out_.seconds = Elapsed();
    out_.cpu_seconds = ProcessorTime() - cpu_start_;
    for (int op = 0; op < kOps; ++op) {
      for (int error = 0; error < kErrors; ++error) {
        const uint64_t count = counts_[op][error];
        if (count == 0 || !IsCall(static_cast<Op>(op))) continue;
        out_.coverage[{static_cast<Op>(op), error}] = count;
      }
    }
    return std::move(out_);
  }

  [[nodiscard]] bool rewrites() const { return machine_.rewrites(); }

 private:
  static constexpr int kErrors = 140;

  [[nodiscard]] size_t Bytes() const {
    return states_.bytes() + worlds_.bytes() + machine_.bytes();
  }
  [[nodiscard]] double Elapsed() const {
    return std::chrono::duration<double>(Clock::now() - start_).count();
  }

  void Work() {
    Moment first = machine_.Start();
    (void)Reach(first, kNone, {});
    uint32_t level_end = 1;
    for (uint32_t number = 0; number < states_.size(); ++number) {
      if (number == level_end) {
        ++out_.depth;
        level_end = static_cast<uint32_t>(states_.size());
      }
      if (number % kLookAround == 0 && !LookAround()) return;
      if (limits_.depth != 0 && out_.depth >= limits_.depth) {
        out_.bound = "depth " + std::to_string(limits_.depth);
        return;
      }
      if (!Expand(number)) return;
    }
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

  // False: something is wrong there.
  bool Expand(uint32_t number) {
    const State state = states_[number];
    Moment here;
    worlds_.Get(state.world, &here.world);
    std::copy(state.at.begin(), state.at.end(), here.at.begin());
    bool parked = false;
    machine_.Choices(here, &choices_, &parked);
    out_.waits_cut |= parked;
    if (choices_.empty() && !parked && SomebodyLives(here)) {
      return Found(Wrong::kDeadlock, states_.WayTo(number));
    }
    for (const Choice choice : choices_) {
      Moment there = here;
      made_.clear();
      ++out_.transitions;
      const Wrong wrong = machine_.Do(&there, choice, &made_);
      for (const Made& made : made_) {
        ++counts_[static_cast<size_t>(made.call.op)]
                 [std::min(made.result.error, kErrors - 1)];
      }
      if (wrong != Wrong::kNothing) {
        Schedule way = states_.WayTo(number);
        way.push_back(choice);
        return Found(wrong, std::move(way));
      }
      if (!Reach(there, number, choice)) return false;
    }
    return true;
  }

  bool Reach(const Moment& moment, uint32_t from, Choice choice) {
    State state{.world = worlds_.Id(moment.world)};
    std::copy_n(moment.at.begin(), kMaxProcesses, state.at.begin());
    bool fresh = false;
    const uint32_t number = states_.Add(state, from, choice, &fresh);
    if (!fresh || !scene_.liveness) return true;
    const Wrong wrong = machine_.Conclude(moment, state.world);
    return wrong == Wrong::kNothing || Found(wrong, states_.WayTo(number));
  }

  bool Found(Wrong wrong, Schedule way) {
    const std::string reason = machine_.reason();
    out_.found = Counterexample{wrong, {}, Whole(way)};
    if (wrong == Wrong::kFailed || wrong == Wrong::kLitter ||
        wrong == Wrong::kBlocked) {
      out_.found->reason = reason;
    }
    return false;
  }

  // With a step for each call, so that it can be replayed whatever is reduced.
  Schedule Whole(const Schedule& way) {
    Schedule whole;
    Moment moment = machine_.Start();
    for (const Choice choice : way) {
      made_.clear();
      (void)machine_.Do(&moment, choice, &made_);
      whole.push_back(choice);
      for (size_t i = 1; i < made_.size(); ++i) {
        whole.push_back({.slot = choice.slot});
      }
    }
    return whole;
  }

  static bool SomebodyLives(const Moment& moment) {
    return std::any_of(moment.at.begin(), moment.at.end(),
                       [](Position at) { return at != kNowhere; });
  }

  const Scene& scene_;
  const Limits limits_;
  const std::function<bool()>& go_on_;
  const Clock::time_point start_ = Clock::now();
  const double cpu_start_ = ProcessorTime();
  Machine machine_;
  Worlds worlds_;
  States states_;
  std::vector<Choice> choices_;
  std::vector<Made> made_;
  std::array<std::array<uint64_t, kErrors>, kOps> counts_{};
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
