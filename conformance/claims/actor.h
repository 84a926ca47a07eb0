// Another process that takes and gives back a lock as it is told.
//
//   Actor bob(context);
//   ExpectOk(bob.Acquire(0ns), "bob's acquire");
//   bob.Start(Verb::kAcquire, 1s);          // and now it waits
//   auto reply = bob.Await(In(5s));         // nullopt: it still does
//
// It dies with its parent, and its own end releases nothing: Actors end by
// being killed. Used by one thread.
#ifndef LOCKLAB_CONFORMANCE_CLAIMS_ACTOR_H_
#define LOCKLAB_CONFORMANCE_CLAIMS_ACTOR_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "conformance/claims/kit.h"
#include "conformance/proc/child.h"
#include "conformance/proc/shared.h"

namespace locklab::claims {

enum class Verb {
  kAcquire,
  kRelease,
  kIsLocked,    // Reply::flag
  kIAmLocking,  // Reply::flag
  kBreak,       // Reply::flag
  kIsDead,      // Reply::flag: whether the holder is; the message says why
};

struct Reply {
  Outcome outcome;
  bool flag = false;
  // When the call began and ended. The clock is the same in all processes.
  proc::TimePoint started;
  proc::TimePoint ended;
  // For how much of that it was ready to run, and others had the processors.
  nanoseconds starved{};

  [[nodiscard]] nanoseconds took() const { return ended - started; }
};

class Actor {
 public:
  // Runs in the new process, before the first command.
  using MakeSubject = std::function<std::unique_ptr<Subject>()>;

  // With a lock of its own on the claim's path.
  explicit Actor(const ClaimContext& context);
  explicit Actor(const MakeSubject& make);
  ~Actor();
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  // Begins a command; the one before must have been awaited.
  void Start(Verb verb, nanoseconds timeout = 0ns);
  // Waits for its end. nullopt: it is at it. Ends the body if the process
  // died of itself.
  std::optional<Reply> Await(proc::TimePoint deadline);
  // Waits for its end, or until it was seen asleep for as long as that. What
  // it waits for a busy machine does not count. nullopt: something keeps it.
  std::optional<Reply> AwaitUnlessStuck(nanoseconds patience);
  // Until the actor has begun what it was told last: its next system calls
  // are the lock's.
  void AwaitStart();

  // Start and Await; ends the body if it takes longer than kSoon beyond the
  // timeout.
  Reply Do(Verb verb, nanoseconds timeout = 0ns);
  Outcome Acquire(nanoseconds timeout) {
    return Do(Verb::kAcquire, timeout).outcome;
  }
  Outcome Release() { return Do(Verb::kRelease).outcome; }
  // Answer or end the body.
  bool IsLocked();
  bool IAmLocking();

  // SIGKILL, and its end was seen.
  void Kill() { child_.Stop(); }
  // SIGSTOP, and it stands still. Ends the body if that does not come.
  void Pause();
  void Resume() { child_.Kill(SIGCONT); }
  // A signal whose handler does nothing, so that system calls are
  // interrupted.
  void Poke() { child_.Kill(SIGUSR1); }
  [[nodiscard]] pid_t pid() const { return child_.pid(); }

 private:
  struct Board;
  [[noreturn]] static void Serve(Board* board, const MakeSubject& make);

  std::unique_ptr<proc::Shared<Board>> board_;
  proc::Child child_;
};

// Dies while it holds the lock: what it left is what a crash leaves. Ends the
// body if it does not get it.
void CrashHolding(const Actor::MakeSubject& make);

}  // namespace locklab::claims

#endif  // LOCKLAB_CONFORMANCE_CLAIMS_ACTOR_H_
