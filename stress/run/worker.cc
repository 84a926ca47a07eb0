#include "stress/run/worker.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>

#include "conformance/proc/barrier.h"
#include "conformance/proc/poll_until.h"

namespace locklab::run {
namespace {

using history::NowNs;
using history::Op;
using history::Phase;
using history::Result;

// A call that fails again and again says nothing new.
constexpr int kMaxFailures = 3;

// The same for a run and its replay, different for each worker.
uint64_t SeedFor(uint64_t seed, history::Actor actor) {
  std::seed_seq sequence{static_cast<uint32_t>(seed),
                         static_cast<uint32_t>(seed >> 32), actor};
  std::array<uint32_t, 2> words{};
  sequence.generate(words.begin(), words.end());
  return uint64_t{words[0]} << 32 | words[1];
}

Result ResultOf(const Outcome& outcome) {
  if (outcome.ok()) return Result::kOk;
  if (outcome.code == lockfile::Errc::kLockLost) return Result::kLost;
  return outcome.got == Got::kTimeout ? Result::kTimeout : Result::kError;
}

uint32_t EventLimit(const ContentionPlan& plan) {
  const int64_t each = plan.history_bytes / plan.processes /
                       static_cast<int64_t>(sizeof(history::Event));
  return static_cast<uint32_t>(std::clamp<int64_t>(each, 1000, 1u << 31));
}

// Sleeps, or spins where a sleep would take longer than what is to be spent.
void SpendNs(int64_t ns) {
  constexpr int64_t kWorthASleep = 20'000;
  if (ns <= 0) return;
  const int64_t until = NowNs() + ns;
  if (ns >= kWorthASleep) {
    const timespec at{static_cast<time_t>(until / 1'000'000'000),
                      static_cast<long>(until % 1'000'000'000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) ==
           EINTR) {
    }
  }
  while (NowNs() < until) {
  }
}

}  // namespace

Worker::Worker(const SubjectFactory& subject, const ContentionPlan& plan,
               const Places& places, const history::LogInfo& info, Board& board,
               std::span<Slot> slots)
    : plan_(plan),
      places_(places),
      board_(board),
      slots_(slots),
      actor_(info.actor),
      slot_(slots[info.actor]),
      log_(history::LogPath(places.history, info.actor), info),
      subject_(subject.Make(places.lock)),
      random_(SeedFor(plan.seed, info.actor)) {
  log_.LimitTo(EventLimit(plan));
}

int Worker::Run() {
  // Sleeps as short as a hold are to be that short.
  prctl(PR_SET_TIMERSLACK, 1);
  if (!WaitForStart()) return 1;
  while (MayGoOn()) {
    Turn();
    Now(Stage::kThinking);
    Spend(plan_.think);
  }
  Now(Stage::kDone);
  slot_.finished = true;
  board_.finished.fetch_add(1);
  proc::FutexWakeAll(board_.finished);
  return 0;
}

bool Worker::WaitForStart() {
  board_.ready.fetch_add(1);
  proc::FutexWakeAll(board_.ready);
  return proc::WaitWhile(board_.go, 0, proc::In(plan_.deadline));
}

bool Worker::MayGoOn() {
  if (board_.stop.load(std::memory_order_relaxed)) return false;
  if (failures_ >= kMaxFailures) return false;
  if (plan_.acquisitions > 0 &&
      board_.tickets.fetch_add(1) >= plan_.acquisitions) {
    return false;
  }
  // A turn is recorded whole or not at all: nobody may hold the lock unseen.
  if (log_.Reserve(4)) return true;
  slot_.out_of_room = true;
  board_.stop = true;
  return false;
}

void Worker::Turn() {
  int64_t acquired_ns = 0;
  if (!Acquire(&acquired_ns)) return;
  const uint64_t grant = Enter(acquired_ns);
  int64_t counter = 0;
  const bool counted = plan_.counter_file && ReadCounter(&counter);
  StandStill(grant);
  Spend(plan_.hold);
  // Who has lost the lock may not touch what it guards.
  if (counted && !slot_.broken) WriteCounter(counter + 1);
  Leave();
  Release();
}

bool Worker::Acquire(int64_t* acquired_ns) {
  log_.Invoke(Op::kAcquire);
  Now(Stage::kAcquiring);
  const Outcome outcome = subject_->Acquire(std::chrono::nanoseconds(-1));
  *acquired_ns = NowNs();
  if (outcome.ok()) return true;
  log_.Return(Op::kAcquire, ResultOf(outcome), outcome.sys);
  Failed("acquire", outcome);
  return false;
}

uint64_t Worker::Enter(int64_t acquired_ns) {
  uint32_t owner = 0;
  entered_ = board_.owner.compare_exchange_strong(owner, actor_ + 1);
  if (!entered_ && IsForfeit(owner)) {
    // The dead do not clear up behind them.
    entered_ = board_.owner.compare_exchange_strong(owner, actor_ + 1);
  }
  if (!entered_) Clashed(owner);
  const uint64_t grant = board_.grants.fetch_add(1) + 1;
  log_.Append({.time_ns = acquired_ns,
               .token = grant,
               .op = Op::kAcquire,
               .phase = Phase::kReturn,
               .result = Result::kOk});
  Now(Stage::kHolding);
  return grant;
}

bool Worker::IsForfeit(uint32_t owner) const {
  const Slot& slot = slots_[owner - 1];
  return slot.doomed.load() || slot.broken.load();
}

void Worker::StandStill(uint64_t grant) {
  Trap& trap = board_.trap;
  uint64_t from = trap.from.load(std::memory_order_relaxed);
  if (from == 0 || grant < from) return;
  if (!trap.from.compare_exchange_strong(from, 0)) return;
  slot_.held_up = 1;
  trap.grant = grant;
  trap.who = actor_ + 1;
  while (slot_.held_up.load() != 0) {
    proc::FutexWait(slot_.held_up, 1, proc::In(std::chrono::seconds(1)));
  }
}

void Worker::Leave() {
  uint32_t owner = actor_ + 1;
  if (entered_ && !board_.owner.compare_exchange_strong(owner, 0) &&
      !slot_.broken) {
    Clashed(owner);
  }
}

void Worker::Clashed(uint32_t owner) {
  const auto index = static_cast<size_t>(board_.clashes.fetch_add(1));
  if (index < board_.first_clashes.size()) {
    board_.first_clashes[index] = {
        .intruder = actor_, .holder = owner - 1, .time_ns = NowNs()};
  }
}

void Worker::Release() {
  log_.Invoke(Op::kRelease);
  Now(Stage::kReleasing);
  const Outcome outcome = subject_->Release();
  log_.Return(Op::kRelease, ResultOf(outcome), outcome.sys);
  if (slot_.broken) {
    const bool told = outcome.code == lockfile::Errc::kLockLost;
    (told ? slot_.told : slot_.untold).fetch_add(1);
    slot_.broken = false;
    if (told) return;
  }
  if (!outcome.ok()) Failed("release", outcome);
}

void Worker::Failed(const char* call, const Outcome& outcome) {
  if (failures_++ > 0) return;
  std::snprintf(slot_.error.data(), slot_.error.size(), "%s: %s", call,
                outcome.message.c_str());
}

// Opened anew each time: that is when a network filesystem has to look whether
// another client has written.
bool Worker::ReadCounter(int64_t* value) {
  const int fd = open(places_.counter.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    CounterFailed(errno);
    return false;
  }
  const ssize_t got = pread(fd, value, sizeof *value, 0);
  const int error = got < 0 ? errno : EIO;
  close(fd);
  if (got != sizeof *value) {
    CounterFailed(error);
    return false;
  }
  // What one was writing when it died may be there or not, for good.
  if (*value == board_.counter_next) {
    board_.counter = *value;
  } else if (*value == board_.counter) {
    board_.counter_next = *value;
  } else {
    board_.stale_reads.fetch_add(1);
  }
  return true;
}

void Worker::WriteCounter(int64_t value) {
  slot_.updating = true;
  board_.counter_next = value;
  const int fd = open(places_.counter.c_str(), O_WRONLY | O_CLOEXEC);
  const bool written =
      fd >= 0 && pwrite(fd, &value, sizeof value, 0) == sizeof value;
  int error = written ? 0 : errno;
  // A network filesystem may report a failed write as late as here.
  if (fd >= 0 && close(fd) != 0 && error == 0) error = errno;
  if (error != 0) {
    CounterFailed(error);
  } else {
    board_.counter.store(value);
    slot_.updates.fetch_add(1);
  }
  slot_.updating = false;
}

void Worker::CounterFailed(int error) {
  int none = 0;
  board_.counter_errno.compare_exchange_strong(none, error == 0 ? EIO : error);
}

void Worker::Spend(const Delay& delay) {
  SpendNs(delay.Sample(random_).count());
}

}  // namespace locklab::run
