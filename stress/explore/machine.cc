#include "stress/explore/machine.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

#include "lib/errors.h"

namespace locklab::explore {
namespace {

using lockfile::Errc;

constexpr int kJanitor = kMaxProcesses;
// So many calls are enough for one process that nobody disturbs.
constexpr int kAlone = 600;

// Not those that ask nothing of a disk.
bool CanFail(Op op) {
  return IsCall(op) && op != Op::kWaitEvent && op != Op::kStatus &&
         op != Op::kClose;
}

bool CanBeRepeated(Op op) {
  return op == Op::kOpen || op == Op::kLink || op == Op::kSymlink ||
         op == Op::kUnlink || op == Op::kMakeDir || op == Op::kRemoveDir ||
         op == Op::kRename || op == Op::kRenameNoReplace;
}

}  // namespace

Machine::Machine(const Scene& scene)
    : scene_(scene),
      kernel_(*scene.model, scene.link_counts, lexicon_),
      actors_(*scene.subject, *scene.model, lexicon_, scene.merge) {}

size_t Machine::bytes() const {
  return lexicon_.texts.bytes() + lexicon_.calls.bytes() +
         lexicon_.results.bytes() + actors_.bytes() +
         concluded_worlds_.bytes() + concluded_.bytes() + left_alone_.bytes();
}

Life Machine::LifeOf(const Moment& moment, int slot, Role role) const {
  const Process& process = moment.world.processes[slot];
  const int host = scene_.model->many_hosts ? slot : 0;
  return {.tenure = {.slot = static_cast<uint8_t>(slot),
                     .incarnation = process.incarnation,
                     .round = process.round},
          .pid = process.pid,
          .start = process.start,
          .host = static_cast<uint8_t>(host),
          .boot = moment.world.boots[slot],
          .role = static_cast<uint8_t>(role)};
}

Position Machine::Enter(Moment* moment, int slot, Role role) {
  return actors_.Begin(LifeOf(*moment, slot, role));
}

Moment Machine::Start() {
  Moment moment{.world = EmptyWorld()};
  for (int slot = 0; slot < scene_.processes(); ++slot) {
    kernel_.Start(moment.world, slot, slot + 1, 1);
    moment.at[slot] = Enter(&moment, slot, scene_.roles[slot]);
    first_[slot] = moment.at[slot];
  }
  return moment;
}

bool Machine::IsFresh(const Moment& moment, int slot) const {
  const Process& process = moment.world.processes[slot];
  return moment.at[slot] == first_[slot] && process.alive != 0 &&
         process.incarnation == 0 && process.round == 0;
}

bool Machine::May(const Moment& moment, Spend what) const {
  const auto index = static_cast<size_t>(what);
  return moment.world.spent[index] < scene_.allowed[index];
}

bool Machine::Holds(const Moment& moment, int slot) const {
  return actors_.Next(moment.at[slot]).op == Op::kHold &&
         !moment.world.processes[slot].IsEndangered();
}

void Machine::Choices(const Moment& moment, std::vector<Choice>* choices,
                      bool* parked) {
  choices->clear();
  std::array<bool, 8> fresh_role{};
  for (int slot = 0; slot < scene_.processes(); ++slot) {
    if (!IsLive(moment, slot)) continue;
    // Processes that have not begun are as alike as their roles: one of them
    // stands for all.
    if (IsFresh(moment, slot)) {
      bool& seen = fresh_role[static_cast<size_t>(scene_.roles[slot])];
      if (std::exchange(seen, true)) continue;
    }
    const Call& call = actors_.Next(moment.at[slot]);
    if (IsParked(moment, slot)) {
      *parked = true;
    } else if (kernel_.Ready(moment.world, slot, call)) {
      choices->push_back({.slot = static_cast<uint8_t>(slot)});
    }
  }
  for (int slot = 0; slot < scene_.processes(); ++slot) {
    Exceptions(moment, slot, choices);
  }
}

void Machine::ChoicesOf(const Moment& moment, int slot,
                        std::vector<Choice>* choices) {
  choices->clear();
  if (IsLive(moment, slot) && !IsParked(moment, slot) &&
      kernel_.Ready(moment.world, slot, actors_.Next(moment.at[slot]))) {
    choices->push_back({.slot = static_cast<uint8_t>(slot)});
  }
  Exceptions(moment, slot, choices);
}

void Machine::Exceptions(const Moment& moment, int slot,
                         std::vector<Choice>* choices) {
  const auto add = [&](Event event) {
    choices->push_back({.slot = static_cast<uint8_t>(slot), .event = event});
  };
  if (!IsLive(moment, slot)) {
    if (moment.world.processes[slot].alive != 0) return;  // it is done
    if (May(moment, Spend::kRestart)) add(Event::kRestart);
    if (May(moment, Spend::kReuse)) add(Event::kReuse);
    return;
  }
  if (IsFresh(moment, slot)) return;
  if (May(moment, Spend::kCrash) && !IsLikeStandingStill(moment, slot)) {
    add(Event::kCrash);
  }
  if (May(moment, Spend::kReboot)) add(Event::kReboot);
  if (May(moment, Spend::kPowerLoss) && !scene_.model->many_hosts) {
    add(Event::kPowerLoss);
  }
  const Call& call = actors_.Next(moment.at[slot]);
  if (scene_.model->lost_replies && CanBeRepeated(call.op) &&
      May(moment, Spend::kLostReply)) {
    add(Event::kLostReply);
  }
  Result shown;
  if (scene_.model->stale_looks && May(moment, Spend::kStaleLook) &&
      kernel_.StaleLook(moment.world, slot, call, &shown)) {
    World copy = moment.world;
    const Result fresh = kernel_.Do(copy, slot, call);
    if (lexicon_.results.Id(fresh) != lexicon_.results.Id(shown)) {
      add(Event::kStaleLook);
    }
  }
  if (scene_.model->lease_loss && May(moment, Spend::kLeaseLoss)) {
    add(Event::kLeaseLoss);
  }
  if (CanFail(call.op) && May(moment, Spend::kError)) add(Event::kError);
}

bool Machine::IsPossible(const Moment& moment, Choice choice) {
  if (choice.slot >= scene_.processes()) return false;
  if (choice.event == Event::kStep) {
    return IsLive(moment, choice.slot) &&
           kernel_.Ready(moment.world, choice.slot,
                         actors_.Next(moment.at[choice.slot]));
  }
  std::vector<Choice> choices;
  Exceptions(moment, choice.slot, &choices);
  return std::find(choices.begin(), choices.end(), choice) != choices.end();
}

Wrong Machine::Do(Moment* moment, Choice choice, std::vector<Made>* made) {
  const Wrong wrong = Make(moment, choice, made);
  if (wrong != Wrong::kNothing || !Holds(*moment, choice.slot)) return wrong;
  return Meet(*moment, choice.slot);
}

Wrong Machine::Make(Moment* moment, Choice choice, std::vector<Made>* made) {
  World& world = moment->world;
  if (const auto spends = RowOf(choice.event).spends; spends.has_value()) {
    ++world.of(*spends);
  }
  Process& process = world.processes[choice.slot];
  switch (choice.event) {
    case Event::kCrash:
      kernel_.Kill(world, choice.slot);
      moment->at[choice.slot] = kNowhere;
      return Wrong::kNothing;
    case Event::kRestart:
    case Event::kReuse: {
      ++process.incarnation;
      const int pid = choice.event == Event::kReuse
                          ? choice.slot + 1
                          : 10 + choice.slot * 10 + process.incarnation;
      kernel_.Start(world, choice.slot, pid, 1 + process.incarnation);
      moment->at[choice.slot] =
          Enter(moment, choice.slot, scene_.roles[choice.slot]);
      return Wrong::kNothing;
    }
    case Event::kReboot:
      Reboot(moment, choice.slot);
      return Wrong::kNothing;
    case Event::kPowerLoss:
      Reboot(moment, choice.slot);
      Kernel::LoseTexts(world);
      return Wrong::kNothing;
    case Event::kLeaseLoss:
      kernel_.DropLocks(world, choice.slot);
      process.endangered = 0xff;
      return Wrong::kNothing;
    default:
      return Step(moment, choice, made);
  }
}

// The host of the process boots. Whoever was there and had not done yet begins
// anew, and is called what it was called before.
void Machine::Reboot(Moment* moment, int slot) {
  World& world = moment->world;
  for (int each = 0; each < kSlots; ++each) {
    if (scene_.model->many_hosts && each != slot) continue;
    ++world.boots[each];
    if (each >= scene_.processes()) continue;
    const bool begins = IsLive(*moment, each);
    const int pid = world.processes[each].pid;
    if (world.processes[each].alive != 0) kernel_.Kill(world, each);
    moment->at[each] = kNowhere;
    if (!begins) continue;
    ++world.processes[each].incarnation;
    kernel_.Start(world, each, pid, 1);
    moment->at[each] = Enter(moment, each, scene_.roles[each]);
  }
}

// What the operating system makes of a call.
Result Machine::MakeCall(Moment* moment, Choice choice, const Call& call) {
  World& world = moment->world;
  const int slot = choice.slot;
  Result result;
  if (choice.event == Event::kError) return Result::Fail(EIO);
  if (choice.event == Event::kStaleLook) {
    (void)kernel_.StaleLook(world, slot, call, &result);
    return result;
  }
  if (choice.event == Event::kLostReply) {
    // The client of a request that is repeated knows of one descriptor.
    const Result first = kernel_.Do(world, slot, call);
    if (call.op == Op::kOpen && first.error == 0) {
      (void)kernel_.Do(
          world, slot,
          {.op = Op::kClose, .fd = static_cast<uint8_t>(first.value)});
    }
  }
  return kernel_.Do(world, slot, call);
}

Wrong Machine::Step(Moment* moment, Choice choice, std::vector<Made>* made) {
  const int slot = choice.slot;
  const Call call = actors_.Next(moment->at[slot]);
  Result result;
  if (call.op == Op::kHold) {
    Process& holder = moment->world.processes[slot];
    if ((holder.broken & Process::Bit(holder.hold)) != 0) holder.must_learn = 1;
  } else {
    result = MakeCall(moment, choice, call);
  }
  if (made != nullptr) made->push_back({call, result});
  moment->at[slot] =
      actors_.After(moment->at[slot], lexicon_.results.Id(result));
  return Settle(moment, slot, made);
}

Wrong Machine::Meet(const Moment& moment, int slot) const {
  for (int other = 0; other < scene_.processes(); ++other) {
    if (other != slot && Holds(moment, other)) return Wrong::kTwoHolders;
  }
  return Wrong::kNothing;
}

bool Machine::MayMeet(const std::array<Position, kMaxProcesses>& at,
                      int slot) const {
  for (int other = 0; other < scene_.processes(); ++other) {
    if (other != slot && actors_.Next(at[other]).op == Op::kHold) return true;
  }
  return false;
}

bool Machine::IsPatient(const Moment& moment, int slot) const {
  if (!IsLive(moment, slot)) return true;
  const Call& call = actors_.Next(moment.at[slot]);
  return call.op == Op::kWaitEvent || !kernel_.Ready(moment.world, slot, call);
}

bool Machine::HasWaited(Position at) const {
  return actors_.Next(at).op == Op::kWaitEvent &&
         actors_.Waits(at) >= scene_.waits;
}

bool Machine::IsSpent(const Moment& moment) const {
  for (int i = 0; i < kSpends; ++i) {
    const auto what = static_cast<Spend>(i);
    if (!May(moment, what)) continue;
    if (what != Spend::kRestart && what != Spend::kReuse) return false;
    for (int slot = 0; slot < scene_.processes(); ++slot) {
      if (moment.world.processes[slot].alive == 0) return false;
    }
  }
  return true;
}

bool Machine::IsQuiet(const Moment& moment, int slot, const Call& call) const {
  if (kernel_.IsQuiet(moment.world, slot, call)) return true;
  if (call.op == Op::kWaitEvent || call.op == Op::kWaitLock) return false;
  if (!IsSpent(moment)) return false;
  if (call.op == Op::kStatus && !kernel_.Exists(moment.world, slot, call)) {
    return true;
  }
  for (int other = 0; other < scene_.processes(); ++other) {
    if (other == slot || !IsLive(moment, other)) continue;
    if (scene_.liveness || !IsParked(moment, other)) return false;
  }
  return true;
}

bool Machine::IsLikeStandingStill(const Moment& moment, int slot) const {
  if (!scene_.reduce || scene_.liveness || !scene_.model->many_hosts ||
      scene_.subject->traits().released_on_crash) {
    return false;
  }
  for (const Spend again : {Spend::kRestart, Spend::kReuse, Spend::kReboot}) {
    if (scene_.allowed[static_cast<size_t>(again)] != 0) return false;
  }
  const World& world = moment.world;
  return std::none_of(
      world.files.begin(), world.files.begin() + world.files_in_use,
      [slot](const OpenFile& each) { return each.slot == slot; });
}

// Passes marks, which are no steps, and calls that are quiet.
Wrong Machine::Settle(Moment* moment, int slot, std::vector<Made>* made) {
  for (int calls = 0;;) {
    Position& at = moment->at[slot];
    const Call call = actors_.Next(at);
    Result result;
    if (call.op == Op::kEnd) return Sought(EndRound(moment, slot));
    if (call.op == Op::kHold) {
      moment->world.processes[slot].hold = static_cast<uint8_t>(call.value);
      return Wrong::kNothing;
    }
    if (!IsCall(call.op)) {
      const Wrong wrong = Sought(Pass(moment, slot, call));
      if (wrong != Wrong::kNothing) return wrong;
    } else if (scene_.reduce && ++calls < kAlone &&
               IsQuiet(*moment, slot, call)) {
      result = kernel_.Do(moment->world, slot, call);
      if (made != nullptr) made->push_back({call, result});
    } else {
      return Wrong::kNothing;
    }
    at = actors_.After(at, lexicon_.results.Id(result));
  }
}

Wrong Machine::Pass(Moment* moment, int slot, const Call& mark) {
  World& world = moment->world;
  const std::string_view text = lexicon_.texts.Text(mark.text);
  switch (mark.op) {
    case Op::kIntends:
      Aim(&world, text, &Process::endangered);
      return Wrong::kNothing;
    case Op::kBroke:
      Aim(&world, text, &Process::broken);
      return Wrong::kNothing;
    case Op::kReleased:
      return Released(world.processes[slot], mark.value);
    case Op::kFailed:
      reason_ = std::string(text);
      // A reason: it has failed to tell, or what it did.
      return world.of(Spend::kLostReply) + world.of(Spend::kError) == 0
                 ? Wrong::kFailed
                 : Wrong::kNothing;
    default:
      return Wrong::kNothing;
  }
}

Wrong Machine::Released(const Process& process, uint32_t code) {
  const bool lost = code == static_cast<uint32_t>(Errc::kLockLost);
  if (lost && !process.IsEndangered()) return Wrong::kLostUnasked;
  if (!lost && process.must_learn != 0) return Wrong::kNotLearnt;
  return Wrong::kNothing;
}

// Marks the tenure that a breaker means, if it still lasts.
void Machine::Aim(World* world, std::string_view target,
                  uint8_t Process::*bits) {
  Tenure tenure;
  if (ParseToken(target, &tenure)) {
    if (tenure.slot >= kSlots) return;
    Process& process = world->processes[tenure.slot];
    if (process.alive != 0 && process.incarnation == tenure.incarnation &&
        process.round == tenure.round) {
      process.*bits |= Process::Bit(HoldOf(target));
    }
    return;
  }
  // A lock whose owner is told by its pid alone.
  int pid = 0;
  const std::string_view digits = target.substr(target.find(' ') + 1);
  std::from_chars(digits.data(), digits.data() + digits.size(), pid);
  for (Process& process : world->processes) {
    if (process.alive != 0 && process.pid == pid) process.*bits = 0xff;
  }
}

Wrong Machine::EndRound(Moment* moment, int slot) {
  World& world = moment->world;
  const bool leaks =
      std::any_of(world.files.begin(), world.files.begin() + world.files_in_use,
                  [slot](const OpenFile& each) { return each.slot == slot; });
  Process& process = world.processes[slot];
  process.BeginRound();
  ++process.round;
  moment->at[slot] = slot != kJanitor && process.round < scene_.rounds
                         ? Enter(moment, slot, scene_.roles[slot])
                         : kNowhere;
  return leaks ? Wrong::kLeak : Wrong::kNothing;
}

// --- if the others died now --------------------------------------------------

Wrong Machine::Conclude(const Moment& moment, uint32_t world) {
  // A release that has failed may leave the lock to a process that lives on.
  if (moment.world.spent[static_cast<size_t>(Spend::kError)] != 0) {
    return Wrong::kNothing;
  }
  bool any = false;
  for (int slot = 0; slot < scene_.processes(); ++slot) {
    if (!IsLive(moment, slot)) continue;
    any = true;
    // Who else lives, the world tells.
    const uint64_t key = (static_cast<uint64_t>(world) << 32) | moment.at[slot];
    if (world != kNoNumber && left_alone_.Find(key) != nullptr) continue;
    Moment alone = moment;
    for (int other = 0; other < scene_.processes(); ++other) {
      if (other == slot || !IsLive(moment, other)) continue;
      kernel_.Kill(alone.world, other);
      alone.at[other] = kNowhere;
    }
    const Wrong wrong = RunAlone(std::move(alone), slot);
    if (wrong != Wrong::kNothing) return wrong;
    if (world != kNoNumber) left_alone_.Add(key, 0);
  }
  return any ? Wrong::kNothing : LookAfter(moment);
}

bool Machine::IsConcluded(const std::array<Position, kMaxProcesses>& at,
                          uint32_t world) const {
  bool any = false;
  for (const Position each : at) {
    if (each == kNowhere) continue;
    any = true;
    const uint64_t key = (static_cast<uint64_t>(world) << 32) | each;
    if (left_alone_.Find(key) == nullptr) return false;
  }
  return any;
}

Wrong Machine::RunAlone(Moment moment, int slot) {
  const size_t begun = path_.size();
  for (int calls = 0; IsLive(moment, slot); ++calls) {
    moment.world.spent = {};  // does not matter any more
    const uint64_t here =
        (static_cast<uint64_t>(concluded_worlds_.Id(moment.world)) << 32) |
        moment.at[slot];
    if (concluded_.Find(here) != nullptr) break;
    path_.push_back(here);
    const Call& call = actors_.Next(moment.at[slot]);
    if (calls == kAlone || !kernel_.Ready(moment.world, slot, call)) {
      reason_ = "process " + std::string(1, static_cast<char>('a' + slot)) +
                " does not come to its end alone; it stands at " +
                Describe(call, lexicon_);
      path_.resize(begun);
      return Wrong::kBlocked;
    }
    const Wrong wrong =
        Step(&moment, {.slot = static_cast<uint8_t>(slot)}, nullptr);
    if (wrong != Wrong::kNothing) {
      path_.resize(begun);
      return wrong;
    }
  }
  if (!IsLive(moment, slot) && slot != kJanitor) {
    const Wrong wrong = LookAfter(std::move(moment));
    if (wrong != Wrong::kNothing) return wrong;
  }
  if (!IsLive(moment, slot) && slot == kJanitor) {
    const Wrong wrong = Tidy(moment.world);
    if (wrong != Wrong::kNothing) return wrong;
  }
  for (size_t i = begun; i < path_.size(); ++i) concluded_.Add(path_[i], 0);
  path_.resize(begun);
  return Wrong::kNothing;
}

// Those who are done leave; a last process takes the lock and gives it back.
// Then all must be tidy.
Wrong Machine::LookAfter(Moment moment) {
  for (int slot = 0; slot < scene_.processes(); ++slot) {
    if (moment.world.processes[slot].alive != 0) {
      kernel_.Kill(moment.world, slot);
    }
  }
  kernel_.Start(moment.world, kJanitor, 99, 9);
  moment.world.processes[kJanitor].incarnation = 0;
  moment.at[kJanitor] = Enter(&moment, kJanitor, Role::kContend);
  return RunAlone(std::move(moment), kJanitor);
}

Wrong Machine::Tidy(const World& world) {
  const bool keeps = scene_.subject->traits().keeps_file;
  for (int i = 0; i < world.entries_in_use; ++i) {
    const std::string_view name = lexicon_.texts.Text(world.entries[i].name);
    if (keeps && (name == "x.lock" || name == "x")) continue;
    reason_ = Shorten(name) + " is left";
    return Wrong::kLitter;
  }
  return Wrong::kNothing;
}

}  // namespace locklab::explore
