#include "stress/explore/steps.h"

#include <algorithm>

namespace locklab::explore {
namespace {

constexpr int kMostErrors = 255;

bool HappensToOthers(Event event) {
  return event == Event::kReboot || event == Event::kPowerLoss;
}

}  // namespace

State Steps::Enter(const Moment& moment) {
  State state{.world = worlds_.Id(moment.world)};
  std::copy_n(moment.at.begin(), kMaxProcesses, state.at.begin());
  return state;
}

Moment Steps::MomentOf(const State& state) const {
  Moment moment;
  worlds_.Get(state.world, &moment.world);
  std::copy(state.at.begin(), state.at.end(), moment.at.begin());
  return moment;
}

// The world, the position (which tells the slot), and whether it is left alone,
// since what nobody can notice is made together then: see Machine::IsQuiet.
uint64_t Steps::KeyOf(const State& state, int slot) const {
  constexpr uint32_t kAlone = uint32_t{1} << 31;
  constexpr uint32_t kGone = uint32_t{1} << 30;
  uint32_t low = state.at[slot] == kNowhere
                     ? kGone + static_cast<uint32_t>(slot)
                     : state.at[slot];
  bool alone = true;
  for (int other = 0; other < kMaxProcesses; ++other) {
    if (other == slot) continue;
    alone = alone && machine_.IsOutOfTheWay(state.at[other]);
  }
  if (alone) low |= kAlone;
  return (static_cast<uint64_t>(state.world) << 32) | low;
}

Stand& Steps::Of(const State& state, int slot) {
  const uint64_t key = KeyOf(state, slot);
  const uint32_t* const known = known_.Find(key);
  if (known != nullptr) return stands_[*known];
  const uint32_t number = WorkOut(state, slot);
  known_.Add(key, number);
  return stands_[number];
}

uint32_t Steps::WorkOut(const State& state, int slot) {
  const Moment here = MomentOf(state);
  Stand stand{.moves = static_cast<uint32_t>(moves_.size())};
  stand.parked = state.at[slot] != kNowhere && machine_.IsParked(here, slot);
  machine_.ChoicesOf(here, slot, &choices_);
  stand.count = static_cast<uint8_t>(choices_.size());
  stand.steps = !choices_.empty() && choices_[0].event == Event::kStep;
  for (const Choice choice : choices_) moves_.push_back(MoveOf(here, choice));
  stands_.push_back(stand);
  return static_cast<uint32_t>(stands_.size() - 1);
}

Move Steps::MoveOf(const Moment& here, Choice choice) {
  Move move{.event = choice.event, .others = HappensToOthers(choice.event)};
  if (move.others) return move;
  Moment there = here;
  made_.clear();
  move.wrong = machine_.Make(&there, choice, &made_);
  move.holds = machine_.Holds(there, choice.slot);
  move.patient = machine_.IsPatient(there, choice.slot);
  move.world = worlds_.Id(there.world);
  move.at = there.at[choice.slot];
  move.outcomes = static_cast<uint32_t>(outcomes_.size());
  move.calls = static_cast<uint32_t>(made_.size());
  for (const Made& made : made_) {
    outcomes_.emplace_back(made.call.op, static_cast<uint8_t>(std::min(
                                             made.result.error, kMostErrors)));
  }
  return move;
}

State Steps::Take(const State& state, int slot, Move& move, Wrong* wrong) {
  ++move.uses;
  State to = state;
  if (move.others) {
    Moment moment = MomentOf(state);
    *wrong = machine_.Do(
        &moment, {.slot = static_cast<uint8_t>(slot), .event = move.event},
        nullptr);
    return Enter(moment);
  }
  to.world = move.world;
  to.at[slot] = move.at;
  *wrong = move.wrong;
  if (*wrong == Wrong::kNothing && move.holds &&
      machine_.MayMeet(to.at, slot)) {
    *wrong = machine_.Meet(MomentOf(to), slot);
  }
  return to;
}

Steps::Coverage Steps::Count() const {
  Coverage coverage;
  for (const Move& move : moves_) {
    if (move.uses == 0) continue;
    for (uint32_t i = 0; i < move.calls; ++i) {
      const auto& [op, error] = outcomes_[move.outcomes + i];
      if (IsCall(op)) coverage[{op, error}] += move.uses;
    }
  }
  return coverage;
}

size_t Steps::bytes() const {
  return worlds_.bytes() + known_.bytes() + stands_.capacity() * sizeof(Stand) +
         moves_.capacity() * sizeof(Move) +
         outcomes_.capacity() * sizeof(outcomes_[0]);
}

}  // namespace locklab::explore
