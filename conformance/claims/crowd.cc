#include "conformance/claims/crowd.h"

#include <algorithm>
#include <thread>

#include "conformance/proc/child.h"
#include "conformance/proc/shared.h"

namespace locklab::claims {
namespace {

constexpr int kMembers = 4;
constexpr nanoseconds kPatience = 100ms;  // of one acquire

struct Square {
  std::atomic<bool> hard;
  std::atomic<bool> stop;
  std::atomic<int> owner;  // 0: nobody
  std::atomic<int> errors;
  std::atomic<int> stage;  // counts the changes of `hard`
  // What each member is to have done at the end of the present stage.
  std::atomic<int> tries;
  std::atomic<int> gets;
  struct Place {
    std::atomic<int> tries;  // since the last change, as that member saw it
    std::atomic<int> gets;
    std::atomic<int> stage;
  } members[kMembers];
  std::atomic<int> acquisitions;
  std::atomic<bool> wrong;
  char reason[512];

  void Wrong(const std::string& what) {
    if (wrong.exchange(true)) return;
    what.copy(reason, sizeof reason - 1);
  }
};

class Member {
 public:
  Member(const Hardship& hardship, Square* square, int number)
      : hardship_(hardship),
        square_(*square),
        place_(square->members[number]),
        number_(number + 1),
        subject_(hardship.make(square->hard)) {}

  void Run() {
    while (!square_.stop && !square_.wrong) {
      Follow();
      if (IsDone()) {
        std::this_thread::sleep_for(1ms);
        continue;
      }
      Turn();
      ++place_.tries;
    }
    if (hard_ && hardship_.change) hardship_.change(false);
  }

 private:
  // Does to this process what the times ask for.
  void Follow() {
    const int stage = square_.stage;
    if (stage == place_.stage) return;
    hard_ = square_.hard;
    if (hardship_.change) hardship_.change(hard_);
    place_.tries = 0;
    place_.gets = 0;
    place_.stage = stage;
  }

  // In good times it then leaves the lock to the others: how fair that is, is
  // another claim's question.
  [[nodiscard]] bool IsDone() const {
    return !hard_ && place_.tries >= square_.tries &&
           place_.gets >= square_.gets;
  }

  // Whether it may have been hard for a call that began at `stage`.
  [[nodiscard]] bool WasHard() const { return hard_ || square_.hard; }

  [[nodiscard]] bool IsExcused(const Outcome& outcome) const {
    const auto& errors = hardship_.errors;
    const bool known =
        outcome.sys == 0 ||
        std::find(errors.begin(), errors.end(), outcome.sys) != errors.end();
    return outcome.got == Got::kError && known;
  }

  void Turn() {
    const bool hard_before = WasHard();
    const auto start = proc::Clock::now();
    const Outcome got = subject_->Acquire(kPatience);
    const nanoseconds took = proc::Clock::now() - start;
    const bool hard = hard_before || WasHard();
    if (got.ok()) return Hold(hard);
    if (got.got == Got::kTimeout) return;
    if (!hard || !IsExcused(got)) {
      square_.Wrong(
          "acquire " +
          std::string(hard ? "while " + hardship_.what : "in good times") +
          " " + Describe(got));
    } else if (took > proc::Patient(5s)) {
      square_.Wrong("acquire waited " + Millis(took) + " for the error");
    }
    ++square_.errors;
  }

  void Hold(bool hard) {
    int nobody = 0;
    if (!square_.owner.compare_exchange_strong(nobody, number_)) {
      return square_.Wrong(
          "two processes hold the lock at once, one of them "
          "got it " +
          std::string(hard ? "while " + hardship_.what : "in good times"));
    }
    ++place_.gets;
    ++square_.acquisitions;
    // Locks that let everybody in for want of something are found at it.
    std::this_thread::yield();
    if (hard) std::this_thread::sleep_for(300us);
    square_.owner = 0;
    GiveBack();
    std::this_thread::sleep_for(300us);
  }

  // It may take the good times to come back.
  void GiveBack() {
    const auto deadline = proc::In(kSoon);
    for (;;) {
      const bool hard_before = WasHard();
      const Outcome given = subject_->Release();
      if (given.ok()) return;
      if (!(hard_before || WasHard()) || !IsExcused(given) ||
          proc::Clock::now() > deadline) {
        return square_.Wrong("release " + Describe(given) + ", " +
                             hardship_.what);
      }
      std::this_thread::sleep_for(1ms);
      if (square_.stage != place_.stage) Follow();
    }
  }

  const Hardship& hardship_;
  Square& square_;
  Square::Place& place_;
  const int number_;
  std::unique_ptr<Subject> subject_;
  bool hard_ = false;
};

int Live(const Hardship& hardship, Square* square, int number) {
  try {
    Member(hardship, square, number).Run();
  } catch (const Finding& finding) {
    square->Wrong(finding.reason);
  }
  return 0;
}

// Begins a stage, and waits until every member has been through some turns of
// it, and got the lock `gets` times. False: not in a long time.
bool Stage(const ClaimContext& context, Square* square, bool hard, int gets,
           const std::string& what) {
  const int tries = Times(context, 5, 50);
  Step(what);
  square->tries = tries;
  square->gets = gets;
  square->hard = hard;
  const int stage = ++square->stage;
  const bool done = proc::Eventually(
      [&] {
        if (square->wrong) return true;
        return std::all_of(std::begin(square->members),
                           std::end(square->members),
                           [&](const Square::Place& place) {
                             return place.stage == stage &&
                                    place.tries >= tries && place.gets >= gets;
                           });
      },
      proc::In(context.quick ? kSoon : 3 * kSoon / 2), 200us);
  if (square->wrong) Fail(square->reason);
  return done;
}

}  // namespace

Endured Endure(const ClaimContext& context, const Hardship& hardship) {
  const proc::Shared<Square> square;
  std::vector<proc::Child> members;
  for (int number = 0; number < kMembers; ++number) {
    members.push_back(proc::Child::Spawn(
        [&, number] { return Live(hardship, &*square, number); }));
  }
  const int gets = Times(context, 2, 10);
  // Before anything was taken away, slowness is nobody's fault.
  if (!Stage(context, &*square, false, gets, "processes contend")) {
    Inconclusive("not every process gets the lock in good times: too slow");
  }
  Expect(Stage(context, &*square, true, 0, hardship.what),
         "a call does not end while " + hardship.what);
  Expect(Stage(context, &*square, false, gets, "good times have come back"),
         "not every process gets the lock after the time in which " +
             hardship.what);
  square->stop = true;
  for (proc::Child& member : members) {
    const auto end = member.Wait(proc::In(kSoon));
    Expect(end.has_value(), "a process hangs after " + hardship.what);
    Expect(end->ok(), "a process that used the lock " + end->Describe());
  }
  if (square->wrong) Fail(square->reason);
  members.clear();
  ExpectNoLitter(context, "after the time in which " + hardship.what);
  return {.acquisitions = square->acquisitions, .errors = square->errors};
}

}  // namespace locklab::claims
