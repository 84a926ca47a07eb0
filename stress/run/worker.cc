#include "stress/run/worker.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>

#include "conformance/proc/barrier.h"
#include "conformance/proc/child.h"
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
  const int64_t each = plan.history_bytes / plan.contenders() /
                       static_cast<int64_t>(sizeof(history::Event));
  return static_cast<uint32_t>(std::clamp<int64_t>(each, 1000, 1u << 31));
}

// Of this thread; and of its process's children that came to their end.
Usage UsedSoFar(bool with_children) {
  Usage usage;
  const auto add = [&usage](int who) {
    rusage used{};
    if (getrusage(who, &used) != 0) return;
    for (const timeval& time : {used.ru_utime, used.ru_stime}) {
      usage.cpu_ns +=
          int64_t{time.tv_sec} * 1'000'000'000 + int64_t{time.tv_usec} * 1'000;
    }
    usage.slept += used.ru_nvcsw;
    usage.preempted += used.ru_nivcsw;
  };
  add(RUSAGE_THREAD);
  if (with_children) add(RUSAGE_CHILDREN);
  return usage;
}

// Below that a sleep would take longer than what is to be spent.
constexpr int64_t kWorthASleep = 20'000;

// Sleeps, or spins where a sleep would take longer than what is to be spent.
void SpendNs(int64_t ns) {
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

Worker::Worker(const SubjectFactory& factory, const ContentionPlan& plan,
               const Post& post, const history::LogInfo& info)
    : factory_(factory),
      plan_(plan),
      post_(post),
      actor_(info.actor),
      slot_(post.slots[info.actor]),
      log_(history::LogPath(post.places.history, info.actor), info,
           EventLimit(plan)),
      subject_(factory.Make(post.places.lock)),
      random_(SeedFor(plan.seed, info.actor)) {
  if (plan.rate > 0) {
    arrivals_.emplace(plan, static_cast<int>(actor_), random_());
  }
}

int Worker::Run() {
  // Sleeps as short as a hold are to be that short.
  prctl(PR_SET_TIMERSLACK, 1);
  subject_->Warm();
  if (!WaitForStart()) return 1;
  const Usage before = UsedSoFar(actor_ % plan_.threads == 0);
  Contend();
  const Usage after = UsedSoFar(actor_ % plan_.threads == 0);
  slot_.cpu_ns = after.cpu_ns - before.cpu_ns;
  slot_.slept = after.slept - before.slept;
  slot_.preempted = after.preempted - before.preempted;
  Finish();
  return 0;
}

bool Worker::WaitForStart() {
  Gate& gate = post_.gate;
  gate.ready.fetch_add(1);
  proc::FutexWakeAll(gate.ready);
  return proc::WaitWhile(gate.go, 0, proc::In(plan_.deadline));
}

void Worker::Contend() {
  while (MayGoOn()) {
    if (plan_.step != nullptr) {
      plan_.step(*this);
      Now(Stage::kThinking);
      continue;
    }
    if (Take()) {
      Hold(Sample(plan_.hold));
      Give();
    }
    Now(Stage::kThinking);
    Rest(Sample(plan_.think));
  }
}

bool Worker::MayGoOn() {
  if (Stopping() || failures_ >= kMaxFailures) return false;
  if (plan_.acquisitions > 0 &&
      post_.gate.tickets.fetch_add(1) >= plan_.acquisitions) {
    return false;
  }
  // A turn is recorded whole or not at all: nobody may hold the lock unseen.
  if (log_.Reserve(4)) return true;
  slot_.out_of_room = true;
  post_.gate.Stop();
  return false;
}

void Worker::Finish() {
  // Nobody is to wait for one who does not come any more.
  if (met_) post_.gate.Stop();
  Gate& gate = post_.gate;
  if (arrivals_) {
    const int64_t end_ns = gate.stop_ns != 0 ? gate.stop_ns.load() : NowNs();
    slot_.backlog = arrivals_->CountUntil(Ns(end_ns - gate.start_ns));
  }
  Now(Stage::kDone);
  slot_.finished = true;
  gate.finished.fetch_add(1);
  proc::FutexWakeAll(gate.finished);
}

void Gate::Stop() {
  int64_t none = 0;
  stop_ns.compare_exchange_strong(none, NowNs());
  if (stop.exchange(1) == 0) proc::FutexWakeAll(stop);
}

int Worker::index() const { return static_cast<int>(actor_) / plan_.locks; }

int Worker::contenders() const {
  const int mine = static_cast<int>(actor_) % plan_.locks;
  return (plan_.contenders() - mine + plan_.locks - 1) / plan_.locks;
}

bool Worker::Take(Ns timeout) {
  log_.Invoke(Op::kAcquire);
  Now(Stage::kAcquiring);
  const Outcome outcome = subject_->Acquire(timeout);
  acquired_ns_ = NowNs();
  if (outcome.ok()) {
    grant_ = Enter();
    return true;
  }
  log_.Return(Op::kAcquire, ResultOf(outcome), outcome.sys);
  if (outcome.got != Got::kTimeout || timeout < Ns(0)) {
    Failed("acquire", outcome.message);
  }
  return false;
}

void Worker::Hold(Ns length) {
  int64_t counter = 0;
  const bool counted = plan_.counter_file && ReadCounter(&counter);
  StandStill();
  SpendNs(length.count());
  // Who has lost the lock may not touch what it guards.
  if (counted && !slot_.broken) WriteCounter(counter + 1);
}

void Worker::Give() {
  Leave();
  Release();
}

void Worker::Rest(Ns length) {
  if (length > Ns(0)) RestUntil(NowNs() + length.count());
}

void Worker::RestUntil(int64_t time_ns) {
  if (time_ns - NowNs() >= kWorthASleep) {
    const proc::TimePoint until{Ns(time_ns)};
    while (!Stopping() && proc::Clock::now() < until) {
      proc::FutexWait(post_.gate.stop, 0, until);
    }
  }
  while (!Stopping() && NowNs() < time_ns) {
  }
}

bool Worker::AwaitChange(std::atomic<uint32_t>& word, uint32_t seen) {
  // Who stops the run does not know what everybody waits for.
  constexpr auto kLook = std::chrono::milliseconds(20);
  while (word.load() == seen) {
    if (Stopping()) return false;
    proc::FutexWait(word, seen, proc::In(kLook));
  }
  return true;
}

bool Worker::Meet() {
  met_ = true;
  Gate& gate = post_.gate;
  const uint32_t meeting = gate.meetings.load();
  if (gate.arrived.fetch_add(1) + 1 <
      static_cast<uint32_t>(plan_.contenders())) {
    return AwaitChange(gate.meetings, meeting);
  }
  gate.arrived.store(0);
  gate.meetings.fetch_add(1);
  proc::FutexWakeAll(gate.meetings);
  return true;
}

bool Worker::AwaitArrival() {
  arrived_ns_ = post_.gate.start_ns + arrivals_->next().count();
  RestUntil(arrived_ns_);
  if (Stopping()) return false;
  arrivals_->Advance();
  return true;
}

void Worker::Served() { post_.response->Record(acquired_ns_ - arrived_ns_); }

bool Worker::InNewProcess(const std::function<void()>& part) {
  random_.discard(1);  // or all of its children would draw the same
  const int failures = failures_;
  proc::Child child = proc::Child::Spawn([this, &part, failures] {
    subject_ = factory_.Make(post_.places.lock);
    part();
    const bool failed = failures_ != failures;
    subject_.reset();
    return failed ? 1 : 0;
  });
  const auto end = child.Wait(proc::kForever);
  log_.CatchUp();
  if (end->ok()) return true;
  Failed("new process", end->Describe());
  return false;
}

uint64_t Worker::Enter() {
  uint32_t owner = 0;
  entered_ = post_.board.owner.compare_exchange_strong(owner, actor_ + 1);
  if (!entered_ && IsForfeit(owner)) {
    // The dead do not clear up behind them.
    entered_ = post_.board.owner.compare_exchange_strong(owner, actor_ + 1);
  }
  if (!entered_) Clashed(owner);
  const uint64_t grant = post_.board.grants.fetch_add(1) + 1;
  log_.Append({.time_ns = acquired_ns_,
               .token = grant,
               .op = Op::kAcquire,
               .phase = Phase::kReturn,
               .result = Result::kOk});
  Now(Stage::kHolding);
  return grant;
}

bool Worker::IsForfeit(uint32_t owner) const {
  const Slot& slot = post_.slots[owner - 1];
  return slot.doomed.load() || slot.broken.load();
}

void Worker::StandStill() {
  Trap& trap = post_.board.trap;
  uint64_t from = trap.from.load(std::memory_order_relaxed);
  if (from == 0 || grant_ < from) return;
  if (!trap.from.compare_exchange_strong(from, 0)) return;
  slot_.held_up = 1;
  trap.grant = grant_;
  trap.who = actor_ + 1;
  while (slot_.held_up.load() != 0) {
    proc::FutexWait(slot_.held_up, 1, proc::In(std::chrono::seconds(1)));
  }
}

void Worker::Leave() {
  uint32_t owner = actor_ + 1;
  if (entered_ && !post_.board.owner.compare_exchange_strong(owner, 0) &&
      !slot_.broken) {
    Clashed(owner);
  }
}

void Worker::Clashed(uint32_t owner) {
  const auto index = static_cast<size_t>(post_.board.clashes.fetch_add(1));
  if (index < post_.board.first_clashes.size()) {
    post_.board.first_clashes[index] = {
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
  if (!outcome.ok()) Failed("release", outcome.message);
}

void Worker::Failed(const char* call, const std::string& message) {
  if (failures_++ > 0 || slot_.error[0] != '\0') return;
  std::snprintf(slot_.error.data(), slot_.error.size(), "%s: %s", call,
                message.c_str());
}

// Opened anew each time: that is when a network filesystem has to look whether
// another client has written.
bool Worker::ReadCounter(int64_t* value) {
  const int fd = open(post_.places.counter.c_str(), O_RDONLY | O_CLOEXEC);
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
  if (*value == post_.board.counter_next) {
    post_.board.counter = *value;
  } else if (*value == post_.board.counter) {
    post_.board.counter_next = *value;
  } else {
    post_.board.stale_reads.fetch_add(1);
  }
  return true;
}

void Worker::WriteCounter(int64_t value) {
  slot_.updating = true;
  post_.board.counter_next = value;
  const int fd = open(post_.places.counter.c_str(), O_WRONLY | O_CLOEXEC);
  const bool written =
      fd >= 0 && pwrite(fd, &value, sizeof value, 0) == sizeof value;
  int error = written ? 0 : errno;
  // A network filesystem may report a failed write as late as here.
  if (fd >= 0 && close(fd) != 0 && error == 0) error = errno;
  if (error != 0) {
    CounterFailed(error);
  } else {
    post_.board.counter.store(value);
    slot_.updates.fetch_add(1);
  }
  slot_.updating = false;
}

void Worker::CounterFailed(int error) {
  int none = 0;
  post_.board.counter_errno.compare_exchange_strong(none,
                                                    error == 0 ? EIO : error);
}

}  // namespace locklab::run
