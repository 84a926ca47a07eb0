#include "conformance/claims/actor.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>

#include "conformance/proc/barrier.h"
#include "conformance/proc/shared.h"
#include "conformance/proc/starved.h"

namespace locklab::claims {

// A mailbox for one command at a time. Plain members are written by one side
// before it moves on the counter that the other side waits for.
struct Actor::Board {
  std::atomic<uint32_t> ready;
  std::atomic<uint32_t> asked;
  std::atomic<uint32_t> begun;
  std::atomic<uint32_t> answered;
  Verb verb;
  nanoseconds timeout;
  Got got;
  int sys;
  lockfile::Errc code;
  bool flag;
  proc::TimePoint started;
  proc::TimePoint ended;
  nanoseconds starved;
  char message[512];  // of the outcome, or of the finding that ended it
  bool thrown;
  Verdict verdict;

  void Say(const std::string& text) {
    std::strncpy(message, text.c_str(), sizeof message - 1);
  }
};

namespace {

void Nothing(int) {}

// Without SA_RESTART, so that Poke interrupts whatever waits.
void InstallPoke() {
  struct sigaction action = {};
  action.sa_handler = Nothing;
  sigaction(SIGUSR1, &action, nullptr);
}

Outcome Obey(Verb verb, nanoseconds timeout, Subject& subject, bool* flag) {
  switch (verb) {
    case Verb::kAcquire:
      return subject.Acquire(timeout);
    case Verb::kRelease:
      return subject.Release();
    case Verb::kIsLocked:
      return Inspect(subject).IsLocked(flag);
    case Verb::kIAmLocking:
      return Inspect(subject).IAmLocking(flag);
    case Verb::kBreak:
      return Inspect(subject).Break(flag);
    case Verb::kIsDead: {
      const lockfile::Liveness life = Inspect(subject).HolderLife();
      *flag = life.life == lockfile::Life::kDead;
      return {.message = life.reason};
    }
  }
  return {};
}

}  // namespace

void Actor::Serve(Board* board, const MakeSubject& make) {
  InstallPoke();
  const std::unique_ptr<Subject> subject = make();
  subject->Warm();
  board->ready.store(1);
  proc::FutexWakeAll(board->ready);
  for (uint32_t turn = 0;; ++turn) {
    while (board->asked.load() == turn) {
      proc::FutexWait(board->asked, turn, proc::kForever);
    }
    const nanoseconds starved = proc::StarvedSoFar();
    board->begun.store(turn + 1);
    proc::FutexWakeAll(board->begun);
    board->started = proc::Clock::now();
    const Outcome outcome =
        Obey(board->verb, board->timeout, *subject, &board->flag);
    board->ended = proc::Clock::now();
    board->starved = std::max(0ns, proc::StarvedSoFar() - starved);
    board->got = outcome.got;
    board->sys = outcome.sys;
    board->code = outcome.code;
    board->Say(outcome.message);
    board->answered.store(turn + 1);
    proc::FutexWakeAll(board->answered);
  }
}

Actor::Actor(const ClaimContext& context)
    : Actor([&context] { return MakeJob(context); }) {}

Actor::Actor(const MakeSubject& make)
    : board_(std::make_unique<proc::Shared<Board>>()) {
  Board* board = &**board_;
  child_ = proc::Child::Spawn([board, &make] {
    try {
      Serve(board, make);
    } catch (const Finding& finding) {
      board->Say(finding.reason);
      board->verdict = finding.verdict;
      board->thrown = true;
    }
    return proc::kExitThrew;
  });
  // Some take long to start, on a busy machine; that is not the lock's time.
  // One that ended, or does not come at all, is noticed at its first command.
  const auto deadline = proc::In(3 * kSoon);
  while (board->ready == 0 && proc::Clock::now() < deadline && !child_.Poll()) {
    proc::FutexWait(board->ready, 0, proc::In(50ms));
  }
}

Actor::~Actor() = default;

void Actor::Start(Verb verb, nanoseconds timeout) {
  Board& board = **board_;
  board.verb = verb;
  board.timeout = timeout;
  board.asked.fetch_add(1);
  proc::FutexWakeAll(board.asked);
}

std::optional<Reply> Actor::Await(proc::TimePoint deadline) {
  Board& board = **board_;
  const uint32_t turn = board.asked.load();
  while (board.answered.load() != turn) {
    const auto now = proc::Clock::now();
    if (now >= deadline) return std::nullopt;
    // In slices: a process that died wakes nobody.
    proc::FutexWait(board.answered, turn - 1, std::min(deadline, now + 50ms));
    if (board.answered.load() == turn) break;
    if (const auto end = child_.Poll()) {
      if (board.thrown) throw Finding{board.verdict, board.message};
      Fail("a process that was using the lock " + end->Describe());
    }
  }
  return Reply{.outcome = {board.got, board.sys, board.message, board.code},
               .flag = board.flag,
               .started = board.started,
               .ended = board.ended,
               .starved = board.starved};
}

std::optional<Reply> Actor::AwaitUnlessStuck(nanoseconds patience) {
  // Looks enough that one which goes on is seen at work by some.
  const nanoseconds slice = std::max<nanoseconds>(1ms, patience / 16);
  // One that never sleeps is kept, too.
  const auto deadline = proc::In(50 * patience);
  nanoseconds slept = 0ns;
  while (slept < patience && proc::Clock::now() < deadline) {
    if (auto reply = Await(proc::In(slice))) return reply;
    // One slice at most, however late this process looks.
    if (child_.Asleep()) slept += slice;
  }
  return Await(proc::TimePoint::min());
}

void Actor::AwaitStart() {
  Board& board = **board_;
  const uint32_t turn = board.asked.load();
  const auto deadline = proc::In(kSoon);
  while (board.begun.load() != turn) {
    if (proc::Clock::now() >= deadline || child_.Poll()) {
      Inconclusive("a process of the harness did not begin its command");
    }
    proc::FutexWait(board.begun, turn - 1, proc::In(50ms));
  }
}

Reply Actor::Do(Verb verb, nanoseconds timeout) {
  Start(verb, timeout);
  const bool bounded = timeout >= 0ns && timeout < 1h;
  auto reply = Await(proc::In(bounded ? timeout + kSoon : kSoon));
  if (!reply) {
    Fail("another process is still at its " +
         std::string(verb == Verb::kAcquire ? "acquire" : "call") + " after " +
         Millis(kSoon));
  }
  return *reply;
}

bool Actor::IsLocked() {
  const Reply reply = Do(Verb::kIsLocked);
  ExpectOk(reply.outcome, "is_locked() in another process");
  return reply.flag;
}

bool Actor::IAmLocking() {
  const Reply reply = Do(Verb::kIAmLocking);
  ExpectOk(reply.outcome, "i_am_locking() in another process");
  return reply.flag;
}

void Actor::Pause() {
  child_.Kill(SIGSTOP);
  if (!child_.WaitStopped(proc::In(kSoon))) {
    Inconclusive("a process of the harness could not be stopped");
  }
}

void CrashHolding(const Actor::MakeSubject& make) {
  Actor victim(make);
  ExpectOk(victim.Acquire(kSoon), "the victim's acquire");
  victim.Kill();
}

}  // namespace locklab::claims
