#include "stress/run/injector.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <utility>

#include "conformance/proc/barrier.h"
#include "stress/run/breaker.h"

namespace locklab::run {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using history::Actor;
using history::Op;
using history::Phase;
using history::Result;

// For the kernel to do what it was asked to. Long, where many want to run.
constexpr auto kSoon = 500ms;
// For a stage that comes and goes: then the fault is given up.
constexpr auto kPatience = 500ms;
constexpr int kTriesAStep = 8;
// A holder whose lock was broken goes on when another has got the lock, or if
// nobody has for so long.
constexpr auto kSuccessorComes = 200ms;
constexpr auto kBreakerReturns = 2s;

}  // namespace

Injector::Injector(Scene scene, const FaultPlan& plan, uint64_t seed)
    : scene_(std::move(scene)), source_(plan, seed), random_(seed) {
  for (const FaultRow& row : FaultRows()) {
    if (plan.Asks(row.kind)) report_.Of(row.kind);
  }
  if (plan.Asks(FaultKind::kStop)) report_.Of(FaultKind::kContinue);
  Excuse();
}

// Of what cannot be done to this lock, whatever happens.
void Injector::Excuse() {
  const bool askable = scene_.subject.Make(scene_.lock)->inspector() != nullptr;
  const lockfile::Traits traits = scene_.subject.traits();
  for (FaultCount& count : report_.kinds) {
    if (!RowOf(count.kind).breaks) continue;
    if (!askable) {
      count.excuse = "there is no way to break this lock";
    } else if (count.kind == FaultKind::kBreak && !traits.breakable) {
      count.excuse = "this lock cannot be taken from a holder that lives";
    } else if (traits.released_on_crash) {
      count.excuse = "the kernel has freed the lock of the dead already";
    }
  }
}

void Injector::Step(proc::TimePoint now, bool ends) {
  EndWhatLasted(now, ends);
  if (ends) {
    scene_.board.trap.from = 0;
    // Somebody may have walked into it, all the same.
    if (const uint32_t who = scene_.board.trap.who.exchange(0)) LetGo(who - 1);
    return;
  }
  if (!fault_) Begin(now);
  if (fault_ && Try()) fault_.reset();
}

void Injector::Begin(proc::TimePoint now) {
  if (!next_) LookAhead();
  fault_ = std::exchange(next_, std::nullopt);
  tries_ = 0;
  give_up_ = now + kPatience;
}

// The trap for the next holder is set while this one stands still: later it may
// be too late.
void Injector::LookAhead() {
  do {
    next_ = source_.Next();
  } while (next_ && !report_.Of(next_->kind).excuse.empty());
  if (next_ && next_->stage == Stage::kHolding) {
    scene_.board.trap.from = next_->grant;
  }
}

bool Injector::Try() {
  if (fault_->stage == Stage::kHolding) return TryHolder();
  if (scene_.board.grants < fault_->grant) {
    give_up_ = proc::In(kPatience);
    return false;
  }
  return TryOther();
}

bool Injector::TryHolder() {
  const uint32_t who = scene_.board.trap.who.exchange(0);
  if (who == 0) return false;
  ++report_.Of(fault_->kind).due;
  grant_ = scene_.board.trap.grant;
  LookAhead();
  Act(who - 1);
  return true;
}

bool Injector::TryOther() {
  if (tries_ == 0) ++report_.Of(fault_->kind).due;
  for (int i = 0; i < kTriesAStep; ++i) {
    ++tries_;
    const std::optional<Actor> actor = Pick(fault_->stage);
    if (!actor) break;
    if (!Freeze(*actor, fault_->stage)) continue;
    grant_ = scene_.board.grants;
    LookAhead();
    Act(*actor);
    return true;
  }
  return proc::Clock::now() >= give_up_;
}

// One that says that it is at that stage, from a place in the row that is drawn
// anew each time.
std::optional<Actor> Injector::Pick(Stage stage) {
  const Actor count = scene_.victims.count();
  const auto first = static_cast<Actor>(random_() % count);
  for (Actor i = 0; i < count; ++i) {
    const Actor actor = (first + i) % count;
    if (scene_.slots[actor].stage.load(std::memory_order_relaxed) == stage &&
        !scene_.victims.gone(actor) && !Busy(actor)) {
      return actor;
    }
  }
  return std::nullopt;
}

bool Injector::Freeze(Actor actor, Stage stage) {
  proc::Child& process = scene_.victims.process(actor);
  process.Kill(SIGSTOP);
  if (process.WaitStopped(proc::In(kSoon)) &&
      scene_.slots[actor].stage == stage) {
    return true;
  }
  process.Kill(SIGCONT);
  return false;
}

// `actor` stands still, at the stage that the fault is for.
void Injector::Act(Actor actor) {
  switch (fault_->kind) {
    case FaultKind::kKill:
      return Kill(actor);
    case FaultKind::kStop:
    case FaultKind::kDelay:
      return Last(actor);
    case FaultKind::kBreak:
      return Break(actor);
    case FaultKind::kBreakDead:
      return BreakDead(actor);
    case FaultKind::kContinue:
      break;
  }
}

void Injector::Kill(Actor actor) {
  if (!KillFor(actor)) return;
  Remember();
  Count(FaultKind::kKill, fault_->stage);
}

// Kills it and puts another in its place. False: it is not proven.
bool Injector::KillFor(Actor actor) {
  if (!scene_.victims.HasSpare()) {
    scene_.victims.process(actor).Kill(SIGCONT);
    LetGo(actor);
    return false;
  }
  proc::Child& process = scene_.victims.process(actor);
  // From here on others may have what it has, and it is alive for the last
  // time.
  scene_.slots[actor].doomed = true;
  scene_.victims.Record(
      actor, {.sys = SIGKILL, .op = Op::kCrash, .phase = Phase::kInvoke});
  process.Kill(SIGKILL);
  const auto end = process.Wait(proc::In(10s));
  // Otherwise the supervisor finds it dead by another hand.
  if (!end || end->signal != SIGKILL) return false;
  scene_.victims.Bury(actor);
  scene_.victims.Replace();
  return true;
}

void Injector::Last(Actor actor) {
  if (fault_->kind == FaultKind::kStop && fault_->stage == Stage::kHolding) {
    if (!Freeze(actor, Stage::kHolding)) return LetGo(actor);
  }
  lasting_.push_back({.fault = *fault_,
                      .actor = actor,
                      .until = proc::Clock::now() + fault_->lasts,
                      .grants = scene_.board.grants});
  Remember();
  if (fault_->kind == FaultKind::kStop) Count(fault_->kind, fault_->stage);
}

void Injector::Break(Actor actor) {
  Slot& slot = scene_.slots[actor];
  Breaker breaker(scene_.subject, scene_.lock);
  bool broke = false;
  if (breaker.Names(scene_.victims.process(actor).pid(),
                    proc::In(kBreakerReturns))) {
    slot.broken = true;
    if (!OrderBreak(breaker, &broke)) broke = false;
  }
  if (!broke) {
    slot.broken = false;
    return LetGo(actor);
  }
  // It counts when the holder is told: see Report.
  Remember();
  lasting_.push_back({.fault = *fault_,
                      .actor = actor,
                      .until = proc::In(kSuccessorComes),
                      .grants = grant_});
}

void Injector::BreakDead(Actor actor) {
  Breaker breaker(scene_.subject, scene_.lock);
  if (!breaker.Names(scene_.victims.process(actor).pid(),
                     proc::In(kBreakerReturns))) {
    return LetGo(actor);
  }
  if (!KillFor(actor)) return;
  bool broke = false;
  Remember();
  if (OrderBreak(breaker, &broke)) Count(fault_->kind, fault_->stage);
}

bool Injector::OrderBreak(Breaker& breaker, bool* broke) {
  scene_.victims.Record(
      scene_.breaker,
      {.token = grant_, .op = Op::kBreak, .phase = Phase::kInvoke});
  const bool ok = breaker.Break(proc::In(kBreakerReturns), broke);
  const Result result = !ok      ? Result::kError
                        : *broke ? Result::kOk
                                 : Result::kTimeout;
  scene_.victims.Record(scene_.breaker, {.token = grant_,
                                         .op = Op::kBreak,
                                         .phase = Phase::kReturn,
                                         .result = result});
  return ok;
}

void Injector::EndWhatLasted(proc::TimePoint now, bool ends) {
  std::vector<Lasting> over;
  std::erase_if(lasting_, [&](const Lasting& lasting) {
    const bool is_over = ends || now >= lasting.until ||
                         (lasting.fault.kind == FaultKind::kBreak &&
                          scene_.board.grants > lasting.grants);
    if (is_over) over.push_back(lasting);
    return is_over;
  });
  for (const Lasting& lasting : over) End(lasting);
}

void Injector::End(const Lasting& lasting) {
  const Actor actor = lasting.actor;
  if (scene_.victims.gone(actor)) return;
  if (lasting.fault.kind == FaultKind::kStop) {
    proc::Child& process = scene_.victims.process(actor);
    ++report_.Of(FaultKind::kContinue).due;
    process.Kill(SIGCONT);
    if (process.WaitContinued(proc::In(kSoon))) {
      Count(FaultKind::kContinue, lasting.fault.stage);
    }
  }
  if (lasting.fault.kind == FaultKind::kDelay &&
      scene_.slots[actor].stage == Stage::kHolding &&
      scene_.board.owner == actor + 1) {
    Count(FaultKind::kDelay, Stage::kHolding);
  }
  if (lasting.fault.stage == Stage::kHolding) LetGo(actor);
}

void Injector::LetGo(Actor actor) {
  Slot& slot = scene_.slots[actor];
  slot.held_up = 0;
  proc::FutexWakeAll(slot.held_up);
}

void Injector::Count(FaultKind kind, Stage stage) {
  FaultCount& count = report_.Of(kind);
  ++count.done;
  ++count.at[static_cast<size_t>(stage)];
}

void Injector::Remember() {
  if (report_.done.size() >= FaultReport::kMostRemembered) return;
  report_.done.push_back(*fault_);
  report_.done.back().grant = std::max<uint64_t>(grant_, 1);
}

bool Injector::Busy(Actor actor) const {
  return std::any_of(
      lasting_.begin(), lasting_.end(),
      [&](const Lasting& lasting) { return lasting.actor == actor; });
}

FaultReport Injector::Report() {
  for (Actor actor = 0; actor < scene_.victims.count(); ++actor) {
    report_.told += scene_.slots[actor].told;
    report_.untold += scene_.slots[actor].untold;
  }
  for (int64_t i = 0; i < report_.told; ++i) {
    Count(FaultKind::kBreak, Stage::kHolding);
  }
  return std::move(report_);
}

}  // namespace locklab::run
