#include "conformance/judge/sweep.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "conformance/judge/judgement.h"

namespace locklab::judge {
namespace {

using history::Actor;
using history::Event;
using history::Op;
using history::Phase;
using history::Result;

// Writes histories down briefly: one call an event, at the time given.
class Script {
 public:
  Script& Invoke(int64_t at, Actor actor, Op op, uint64_t token = 0) {
    return Put({.time_ns = at, .token = token, .actor = actor, .op = op});
  }
  Script& Return(int64_t at, Actor actor, Op op, Result result = Result::kOk,
                 uint64_t token = 0) {
    return Put({.time_ns = at,
                .token = token,
                .actor = actor,
                .op = op,
                .phase = Phase::kReturn,
                .result = result});
  }
  Script& Acquire(int64_t from, int64_t to, Actor actor, uint64_t token = 0) {
    return Invoke(from, actor, Op::kAcquire)
        .Return(to, actor, Op::kAcquire, Result::kOk, token);
  }
  Script& Release(int64_t from, int64_t to, Actor actor,
                  Result result = Result::kOk) {
    return Invoke(from, actor, Op::kRelease)
        .Return(to, actor, Op::kRelease, result);
  }
  Script& Kill(int64_t from, int64_t to, Actor actor) {
    return Invoke(from, actor, Op::kCrash).FoundDead(to, actor);
  }
  Script& FoundDead(int64_t at, Actor actor) {
    return Return(at, actor, Op::kCrash);
  }

  [[nodiscard]] std::vector<Event> Events() const {
    std::vector<Event> sorted = events_;
    std::stable_sort(sorted.begin(), sorted.end(), history::Before);
    return sorted;
  }
  [[nodiscard]] Judgement Judge() const {
    Sweep sweep;
    for (const Event& event : Events()) sweep.Add(event);
    return sweep.Finish();
  }

 private:
  Script& Put(Event event) {
    event.sequence = ++sequence_;
    events_.push_back(event);
    return *this;
  }

  std::vector<Event> events_;
  uint32_t sequence_ = 0;
};

struct Case {
  const char* name;
  Script script;
  int64_t violations;
};

class PlantedViolations : public testing::TestWithParam<Case> {};

TEST_P(PlantedViolations, AreCounted) {
  const Judgement judgement = GetParam().script.Judge();
  EXPECT_EQ(judgement.violations, GetParam().violations);
  EXPECT_EQ(judgement.malformed, 0) << judgement.first_malformed;
  EXPECT_EQ(judgement.evidence.empty(), GetParam().violations == 0);
}

INSTANTIATE_TEST_SUITE_P(
    Sweep, PlantedViolations,
    testing::Values(
        Case{"OneAfterTheOther",
             Script().Acquire(1, 2, 0).Release(5, 6, 0).Acquire(1, 7, 1), 0},
        Case{"TakenWhileReleaseIsUnderWay",
             Script().Acquire(1, 2, 0).Release(5, 9, 0).Acquire(1, 7, 1), 0},
        Case{"TouchingAtOneInstant",
             Script().Acquire(1, 2, 0).Release(5, 9, 0).Acquire(1, 5, 1), 0},
        Case{"TouchingWhateverTheActorsNumbers",
             Script().Acquire(1, 2, 1).Release(5, 9, 1).Acquire(1, 5, 0), 0},
        Case{"TwoHolders",
             Script().Acquire(1, 2, 0).Release(8, 9, 0).Acquire(3, 7, 1), 1},
        Case{
            "OneWithinTheOther",
            Script().Acquire(1, 2, 0).Release(8, 9, 0).Acquire(3, 4, 1).Release(
                5, 6, 1),
            1},
        Case{
            "TwoAtTheSameInstant",
            Script().Acquire(1, 2, 0).Release(8, 9, 0).Acquire(1, 2, 1).Release(
                8, 9, 1),
            1},
        Case{"ThreeHolders",
             Script().Acquire(1, 2, 0).Acquire(1, 3, 1).Acquire(1, 4, 2), 3},
        Case{"AgainAndAgain",
             Script()
                 .Acquire(1, 2, 0)
                 .Acquire(1, 3, 1)
                 .Release(4, 5, 1)
                 .Acquire(5, 6, 1)
                 .Release(7, 8, 0),
             2},
        Case{"HolderThatNeverReleases",
             Script().Acquire(1, 2, 0).Acquire(1, 9, 1), 1},
        Case{"HolderKilledBefore",
             Script().Acquire(1, 2, 0).Kill(3, 4, 0).Acquire(1, 9, 1), 0},
        Case{"FreedByTheKernelBeforeDeathIsSeen",
             Script().Acquire(1, 2, 0).Kill(3, 8, 0).Acquire(1, 5, 1), 0},
        Case{"HolderKilledAfter",
             Script().Acquire(1, 2, 0).Kill(7, 8, 0).Acquire(1, 5, 1), 1},
        Case{"HolderFoundDead",
             Script().Acquire(1, 2, 0).FoundDead(8, 0).Acquire(1, 5, 1), 0},
        Case{"HolderSeenAliveAndThenFoundDead",
             Script()
                 .Acquire(1, 2, 0)
                 .Invoke(6, 0, Op::kRefresh)
                 .FoundDead(8, 0)
                 .Acquire(1, 5, 1),
             1},
        Case{"KilledInAcquireMayHaveHadIt",
             Script().Invoke(1, 0, Op::kAcquire).Kill(7, 8, 0).Acquire(1, 5, 1),
             0},
        Case{"BrokenFromOutside",
             Script()
                 .Acquire(1, 2, 0)
                 .Invoke(3, 2, Op::kBreak)
                 .Return(4, 2, Op::kBreak)
                 .Acquire(1, 5, 1)
                 .Release(8, 9, 0, Result::kLost),
             0},
        Case{"IntruderBeforeTheBreak",
             Script()
                 .Acquire(1, 2, 0)
                 .Acquire(1, 3, 1)
                 .Invoke(4, 2, Op::kBreak)
                 .Return(5, 2, Op::kBreak)
                 .Release(8, 9, 0, Result::kLost),
             1},
        Case{"BreakOfAnotherGrant",
             Script()
                 .Acquire(1, 2, 0, 5)
                 .Invoke(3, 2, Op::kBreak, 4)
                 .Return(4, 2, Op::kBreak, Result::kTimeout)
                 .Acquire(1, 5, 1, 6),
             1},
        Case{"TakenWhileABreakIsUnderWay",
             Script()
                 .Invoke(1, 2, Op::kBreak)
                 .Acquire(1, 2, 0)
                 .Return(4, 2, Op::kBreak)
                 .Acquire(1, 5, 1),
             0},
        Case{"BreakerThatDied",
             Script()
                 .Invoke(1, 2, Op::kBreak)
                 .Kill(2, 3, 2)
                 .Acquire(1, 4, 0)
                 .Acquire(1, 5, 1),
             1},
        Case{
            "AcquiredAgainByItsHolder",
            Script().Acquire(1, 2, 0).Acquire(3, 4, 0).Release(5, 6, 0).Acquire(
                1, 7, 1),
            0},
        Case{"RefusedIsNotHeld",
             Script()
                 .Acquire(1, 2, 0)
                 .Invoke(1, 1, Op::kAcquire)
                 .Return(3, 1, Op::kAcquire, Result::kTimeout),
             0}),
    [](const auto& info) { return info.param.name; });

TEST(Sweep, NamesBothActorsAndShowsTheEventsAround) {
  const Judgement judgement = Script()
                                  .Acquire(100, 200, 3)
                                  .Acquire(110, 300, 5)
                                  .Release(400, 500, 3)
                                  .Judge();
  ASSERT_EQ(judgement.evidence.size(), 1u);
  const Violation& violation = judgement.evidence.front();
  EXPECT_EQ(violation.holder, 3u);
  EXPECT_EQ(violation.intruder, 5u);
  EXPECT_EQ(violation.Describe(judgement.start_ns),
            "actor 5 acquired the lock at +0.000000200 s while actor 3 had "
            "held it since +0.000000100 s");
  ASSERT_EQ(violation.around.size(), 5u);
  EXPECT_EQ(violation.around.back().op, Op::kRelease);
  const Finding finding = judgement.Exclusion();
  EXPECT_EQ(finding.verdict, Verdict::kFail);
  EXPECT_NE(finding.reason.find("actor 3"), std::string::npos);
  EXPECT_NE(finding.reason.find("actor 5"), std::string::npos);
}

TEST(Sweep, KeepsBoundedEvidenceOfManyViolations) {
  Script script;
  script.Acquire(1, 2, 0);
  for (int64_t i = 0; i < 100; ++i) {
    script.Acquire(10 * i + 10, 10 * i + 11, 1)
        .Release(10 * i + 12, 10 * i + 13, 1);
  }
  const Judgement judgement = script.Release(5000, 5001, 0).Judge();
  EXPECT_EQ(judgement.violations, 100);
  EXPECT_EQ(judgement.evidence.size(), kMaxEvidence);
}

TEST(Sweep, MeasuresWaitHoldHandOffAndShares) {
  const Judgement judgement = Script()
                                  .Acquire(1000, 1100, 0)
                                  .Acquire(1050, 1350, 1)
                                  .Release(1300, 1320, 0)
                                  .Release(1400, 1410, 1)
                                  .Acquire(1500, 1600, 0)
                                  .Release(1900, 2000, 0)
                                  .Judge();
  EXPECT_EQ(judgement.violations, 0);
  EXPECT_EQ(judgement.acquisitions, 3);
  EXPECT_EQ(judgement.wait.max(), 300);
  EXPECT_EQ(judgement.wait.min(), 100);
  EXPECT_EQ(judgement.hold.min(), 50);
  EXPECT_EQ(judgement.hold.max(), 300);
  // The second release came before anybody waited for it.
  EXPECT_EQ(judgement.hand_off.count(), 1);
  EXPECT_EQ(judgement.hand_off.max(), 50);
  EXPECT_DOUBLE_EQ(judgement.hold_share, (200 + 50 + 300) / 1000.0);
  EXPECT_DOUBLE_EQ(judgement.active_share, 360 / 1000.0);
  EXPECT_DOUBLE_EQ(judgement.jain, 9.0 / (2 * 5));
  ASSERT_EQ(judgement.actors.size(), 2u);
  EXPECT_EQ(judgement.actors[0].acquisitions, 2);
  EXPECT_EQ(judgement.actors[1].wait_max_ns, 300);
  EXPECT_EQ(judgement.actors[1].overtaken_max, 1);
  EXPECT_EQ(judgement.longest_streak, 1);
  EXPECT_EQ(judgement.Exclusion().verdict, Verdict::kPass);
  EXPECT_EQ(judgement.Progress().verdict, Verdict::kPass);
}

TEST(Sweep, CountsWhatOverlapsOnceInTheHoldShare) {
  const Judgement judgement = Script()
                                  .Acquire(0, 100, 0)
                                  .Acquire(0, 200, 1)
                                  .Release(300, 400, 0)
                                  .Release(500, 1000, 1)
                                  .Judge();
  EXPECT_DOUBLE_EQ(judgement.hold_share, 0.4);
}

TEST(Sweep, RecoveryIsFromTheKillOfAHolderToTheNextGrant) {
  const Judgement judgement = Script()
                                  .Acquire(0, 10, 0)
                                  .Invoke(20, 1, Op::kAcquire)
                                  .Kill(100, 120, 0)
                                  .Return(115, 1, Op::kAcquire)
                                  .Release(130, 140, 1)
                                  .Kill(150, 160, 1)
                                  .Acquire(170, 200, 2)
                                  .Judge();
  EXPECT_EQ(judgement.recovery.count(), 1) << "the second one held nothing";
  EXPECT_EQ(judgement.recovery.max(), 15);
}

TEST(Sweep, WhoOnlyBreaksIsNoContender) {
  const Judgement judgement = Script()
                                  .Acquire(0, 10, 0, 1)
                                  .Invoke(20, 9, Op::kBreak, 1)
                                  .Return(30, 9, Op::kBreak)
                                  .Release(40, 50, 0, Result::kLost)
                                  .Judge();
  ASSERT_EQ(judgement.actors.size(), 1u);
  EXPECT_EQ(judgement.actors[0].actor, 0u);
  EXPECT_EQ(judgement.jain, 1);
  EXPECT_EQ(judgement.lost_unexplained, 0);
}

TEST(Sweep, ALockThatWasLostWithoutABreakIsAFailure) {
  const Judgement judgement =
      Script().Acquire(1, 2, 0).Release(3, 4, 0, Result::kLost).Judge();
  EXPECT_EQ(judgement.lost_unexplained, 1);
  EXPECT_EQ(judgement.Exclusion().verdict, Verdict::kFail);
  const Judgement broken = Script()
                               .Acquire(1, 2, 0)
                               .Invoke(3, 1, Op::kBreak)
                               .Return(4, 1, Op::kBreak)
                               .Release(5, 6, 0, Result::kLost)
                               .Judge();
  EXPECT_EQ(broken.lost, 1);
  EXPECT_EQ(broken.lost_unexplained, 0);
  EXPECT_EQ(broken.Exclusion().verdict, Verdict::kPass);
}

TEST(Sweep, GrantNumbersThatDoNotRiseAreInconclusive) {
  const Judgement judgement = Script()
                                  .Acquire(1, 2, 0, 2)
                                  .Release(3, 4, 0)
                                  .Acquire(5, 6, 1, 1)
                                  .Release(7, 8, 1)
                                  .Judge();
  EXPECT_EQ(judgement.grants_out_of_order, 1);
  EXPECT_EQ(judgement.Exclusion().verdict, Verdict::kInconclusive);
}

TEST(Sweep, AHistoryThatContradictsItselfIsInconclusive) {
  const struct {
    const char* name;
    Script script;
  } cases[] = {
      {"return without invoke", Script().Return(1, 0, Op::kAcquire)},
      {"invoke within invoke",
       Script().Invoke(1, 0, Op::kAcquire).Invoke(2, 0, Op::kRelease)},
      {"return of another",
       Script().Invoke(1, 0, Op::kAcquire).Return(2, 0, Op::kRelease)},
      {"supervisor that holds",
       Script().Acquire(1, 2, 0).Invoke(3, history::kSupervisor, Op::kAcquire)},
  };
  for (const auto& test : cases) {
    const Judgement judgement = test.script.Judge();
    EXPECT_EQ(judgement.malformed, 1) << test.name;
    EXPECT_EQ(judgement.Exclusion().verdict, Verdict::kInconclusive)
        << test.name;
  }
}

TEST(Sweep, AnEmptyHistoryIsInconclusive) {
  const Judgement judgement = Script().Judge();
  EXPECT_EQ(judgement.Exclusion().verdict, Verdict::kInconclusive);
  EXPECT_EQ(judgement.Progress().verdict, Verdict::kInconclusive);
}

TEST(Sweep, FailedCallsAreNoProgress) {
  const Judgement judgement = Script()
                                  .Acquire(1, 2, 0)
                                  .Release(3, 4, 0, Result::kError)
                                  .Invoke(5, 0, Op::kAcquire)
                                  .Return(6, 0, Op::kAcquire, Result::kError)
                                  .Judge();
  EXPECT_EQ(judgement.acquire_errors, 1);
  EXPECT_EQ(judgement.release_errors, 1);
  EXPECT_EQ(judgement.Progress().verdict, Verdict::kFail);
}

TEST(Sweep, AStarvedActorIsNamed) {
  Script script;
  script.Invoke(1, 2, Op::kAcquire);
  for (int64_t i = 1; i <= 400; ++i) {
    const auto actor = static_cast<Actor>(i % 2);
    script.Acquire(10 * i, 10 * i + 1, actor)
        .Release(10 * i + 2, 10 * i + 3, actor);
  }
  const Judgement judgement = script.Judge();
  EXPECT_EQ(judgement.actors[2].overtaken_max, 400);
  EXPECT_TRUE(judgement.actors[2].waits);
  EXPECT_EQ(judgement.Progress().verdict, Verdict::kFail);
  EXPECT_NE(judgement.Progress().reason.find("actor 2"), std::string::npos);
}

TEST(Sweep, FindsTheLongestStreak) {
  Script script;
  int64_t now = 1;
  for (const Actor actor : {0, 0, 1, 1, 1, 0, 1}) {
    script.Acquire(now, now + 1, actor).Release(now + 2, now + 3, actor);
    now += 4;
  }
  EXPECT_EQ(script.Judge().longest_streak, 3);
}

// --- the oracle: the definition of sweep.h, by comparing all with all -------

struct Hold {
  Actor actor = 0;
  size_t begin = 0;  // positions in the history
  size_t certain_end = std::numeric_limits<size_t>::max();
  size_t end = std::numeric_limits<size_t>::max();
};

class Oracle {
 public:
  explicit Oracle(std::vector<Event> events) : events_(std::move(events)) {
    std::map<Actor, std::optional<Hold>> open;
    std::map<Actor, bool> breaking;
    for (size_t at = 0; at < events_.size(); ++at) Step(at, open, breaking);
    for (const auto& [actor, hold] : open) {
      if (hold) holds_.push_back(*hold);
    }
  }

  [[nodiscard]] int64_t Violations() const {
    int64_t count = 0;
    for (const Hold& a : holds_) {
      for (const Hold& b : holds_) {
        if (a.actor != b.actor && a.begin < b.begin &&
            b.begin < a.certain_end && IsProven(a, b.begin)) {
          ++count;
        }
      }
    }
    return count;
  }

 private:
  using Open = std::map<Actor, std::optional<Hold>>;

  // Whether A was seen alive, with its hold, after the instant of `intruder`.
  [[nodiscard]] bool IsProven(const Hold& a, size_t intruder) const {
    if (a.end == std::numeric_limits<size_t>::max()) return true;
    for (size_t at = intruder + 1; at <= a.end; ++at) {
      const Event& event = events_[at];
      const bool dead = event.op == Op::kCrash && event.phase == Phase::kReturn;
      if (event.actor == a.actor && !dead &&
          event.time_ns > events_[intruder].time_ns) {
        return true;
      }
    }
    return false;
  }

  static void EndCertainty(std::optional<Hold>& hold, size_t at) {
    if (hold) hold->certain_end = std::min(hold->certain_end, at);
  }

  void Close(std::optional<Hold>& hold, size_t at) {
    if (!hold) return;
    EndCertainty(hold, at);
    hold->end = at;
    holds_.push_back(*hold);
    hold.reset();
  }

  void Step(size_t at, Open& open, std::map<Actor, bool>& breaking) {
    const Event& event = events_[at];
    std::optional<Hold>& mine = open[event.actor];
    const bool invoke = event.phase == Phase::kInvoke;
    if (event.op == Op::kCrash && invoke) EndCertainty(mine, at);
    if (event.op == Op::kCrash && !invoke) {
      Close(mine, at);
      breaking[event.actor] = false;
    }
    if (event.op == Op::kRelease && invoke) Close(mine, at);
    if (event.op == Op::kBreak) {
      breaking[event.actor] = invoke && event.token == 0;
      for (auto& [actor, hold] : open) {
        const bool hit = hold && (event.token == 0 ||
                                  event.token == events_[hold->begin].token);
        if (invoke && hit) EndCertainty(hold, at);
      }
    }
    if (event.op == Op::kAcquire && event.result == Result::kOk) {
      if (mine && mine->certain_end == std::numeric_limits<size_t>::max()) {
        return;
      }
      Close(mine, at);
      mine = Hold{.actor = event.actor, .begin = at};
      for (const auto& [actor, yes] : breaking) {
        if (yes) mine->certain_end = at;
      }
    }
  }

  std::vector<Event> events_;
  std::vector<Hold> holds_;
};

// Histories in which anything may happen that a run can record; most of them
// are full of violations, since nothing coordinates the actors.
class Chaos {
 public:
  explicit Chaos(uint64_t seed) : random_(seed) {}

  std::vector<Event> Make() {
    const auto actors = static_cast<Actor>(2 + Draw(3));
    for (Actor actor = 0; actor < actors; ++actor) {
      now_ = 1 + static_cast<int64_t>(Draw(5));
      const uint64_t steps = 1 + Draw(6);
      for (uint64_t i = 0; i < steps; ++i) Operate(actor);
      if (Draw(3) == 0) Die(actor);
    }
    return script_.Events();
  }

 private:
  uint64_t Draw(uint64_t below) { return random_() % below; }
  int64_t Tick() { return now_ += static_cast<int64_t>(Draw(4)); }

  void Operate(Actor actor) {
    static constexpr Op kOps[] = {Op::kAcquire, Op::kAcquire, Op::kAcquire,
                                  Op::kRelease, Op::kRelease, Op::kBreak,
                                  Op::kRefresh};
    static constexpr Result kResults[] = {Result::kOk, Result::kOk, Result::kOk,
                                          Result::kTimeout};
    const Op op = kOps[Draw(std::size(kOps))];
    script_.Invoke(Tick(), actor, op, op == Op::kBreak ? Draw(4) : 0);
    script_.Return(Tick(), actor, op, kResults[Draw(4)],
                   op == Op::kAcquire ? 1 + Draw(3) : 0);
  }

  void Die(Actor actor) {
    if (Draw(2) == 0) script_.Invoke(Tick(), actor, Op::kCrash);
    // A signal takes its time: the victim may get something done before it.
    if (Draw(2) == 0) Operate(actor);
    if (Draw(2) == 0) script_.Invoke(Tick(), actor, Op::kAcquire);
    script_.FoundDead(Tick() + 1, actor);
  }

  std::mt19937_64 random_;
  Script script_;
  int64_t now_ = 0;
};

TEST(Sweep, AgreesWithTheOracleOnRandomHistories) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  int64_t violations = 0;
  for (uint64_t round = 0; round < 5'000; ++round) {
    const std::vector<Event> events = Chaos(seed + round).Make();
    Sweep sweep;
    for (const Event& event : events) sweep.Add(event);
    const Judgement judgement = sweep.Finish();
    const int64_t expected = Oracle(events).Violations();
    std::string text;
    if (judgement.violations != expected) {
      for (const Event& event : events) text += Describe(event, 0) + "\n";
    }
    ASSERT_EQ(judgement.violations, expected) << "seed " << seed + round << "\n"
                                              << text;
    ASSERT_EQ(judgement.evidence.empty(), expected == 0);
    violations += expected;
  }
  EXPECT_GT(violations, 1000) << "the histories prove nothing";
}

}  // namespace
}  // namespace locklab::judge
