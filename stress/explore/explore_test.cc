// That the explorer finds what is wrong, calls right what is right, and
// searches what it says.
#include "stress/explore/explore.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "conformance/proc/temp_dir.h"
#include "stress/explore/problem.h"
#include "stress/explore/replay.h"
#include "stress/explore/seeded.h"
#include "stress/explore/tell.h"

namespace locklab::explore {
namespace {

std::string Say(const Scene& scene, const Exploration& found) {
  if (!found.found.has_value()) return found.bound;
  return std::string(WrongDoc(found.found->wrong)) + " " + found.found->reason +
         "\n" + FormatSchedule(found.found->schedule) + "\n" +
         Table(scene, Tell(scene, found.found->schedule));
}

class SoundLock : public testing::TestWithParam<Problem> {};

TEST_P(SoundLock, HasNoBadInterleaving) {
  Posed posed(GetParam());
  const Exploration found = Explore(posed.scene(), {});
  EXPECT_TRUE(found.complete && !found.found.has_value())
      << Say(posed.scene(), found);
  EXPECT_GT(found.states, 50u) << "nothing happened";
  // A change of this number means that the search has changed, or the
  // protocol: look at which before you mend it.
  if (GetParam().states != 0) {
    EXPECT_EQ(found.states, GetParam().states);
    posed.scene().reduce = false;
    EXPECT_EQ(Explore(posed.scene(), {}).states, GetParam().whole_states);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Short, SoundLock,
    testing::Values(
        Problem{.backend = "link", .roles = "cc", .crashes = 1},
        Problem{.backend = "link", .roles = "tb", .crashes = 1},
        Problem{.backend = "mkdir", .roles = "cc", .crashes = 1},
        Problem{.backend = "mkdir", .roles = "tb", .crashes = 1},
        Problem{.backend = "symlink", .roles = "cc", .crashes = 1},
        Problem{.backend = "pid", .roles = "cc", .crashes = 1},
        Problem{.backend = "excl", .roles = "tt", .crashes = 1},
        Problem{.backend = "flock", .roles = "cc", .crashes = 1},
        Problem{.backend = "fcntl", .roles = "cc", .crashes = 1},
        Problem{.backend = "ofd", .roles = "ccc"},
        Problem{.backend = "link", .roles = "cc", .model = "nfs4"},
        Problem{.backend = "mkdir",
                .roles = kSizes.two,
                .crashes = 1,
                .model = "nfs3",
                .lost_replies = 1},
        Problem{.backend = "link", .roles = "cc", .errors = 1},
        Problem{.backend = "mkdir", .roles = kSizes.two, .errors = 1},
        Problem{.backend = "mkdir", .roles = "cc", .model = "smb"}));

// Their calls are fixed: no waiting, no breaking.
INSTANTIATE_TEST_SUITE_P(Counted, SoundLock,
                         testing::Values(Problem{.backend = "ofd",
                                                 .roles = "tt",
                                                 .states = 2941,
                                                 .whole_states = 2941},
                                         Problem{.backend = "symlink",
                                                 .roles = "tt",
                                                 .states = 359,
                                                 .whole_states = 448}));

// What was wrong once, by the schedule that showed it.
struct Mended {
  std::string_view backend;
  std::string_view model;
  std::string_view schedule;
};

TEST(Mending, DoesNotDoAgainWhatWasMended) {
  constexpr Mended kMended[] = {
      // A name that is about to go was taken for a missing directory.
      {"excl", "smb", "a17,b5,a,c6"},
      {"pid", "smb", "a17,b13,a,c13"},
  };
  for (const Mended& each : kMended) {
    Posed posed({.backend = each.backend, .roles = "ccc", .model = each.model});
    const Told told = Tell(posed.scene(), *ParseSchedule(each.schedule));
    EXPECT_EQ(told.impossible, 0u) << each.backend;
    EXPECT_EQ(told.wrong, Wrong::kNothing) << Table(posed.scene(), told);
  }
}

class Seeded : public testing::TestWithParam<SeededBug> {};

TEST_P(Seeded, IsFoundWithASchedule) {
  const SeededBug& bug = GetParam();
  const auto subject = MakeSeeded(bug);
  const Scene scene = SceneOf(bug, *subject);
  if (!bug.schedule.empty()) {
    const Told told = Tell(scene, *ParseSchedule(bug.schedule));
    EXPECT_EQ(told.impossible, 0u);
    EXPECT_EQ(told.wrong, bug.wrong) << Table(scene, told);
    return;
  }
  const Exploration found = Explore(scene, {});
  ASSERT_TRUE(found.found.has_value()) << found.states << " states";
  EXPECT_EQ(WrongName(found.found->wrong), WrongName(bug.wrong))
      << Say(scene, found);
  // By its text, in a machine that has seen nothing yet.
  const auto schedule = ParseSchedule(FormatSchedule(found.found->schedule));
  ASSERT_TRUE(schedule.has_value());
  EXPECT_EQ(*schedule, found.found->schedule);
  const Told told = Tell(scene, *schedule);
  EXPECT_EQ(told.impossible, 0u);
  EXPECT_EQ(told.wrong, bug.wrong) << Table(scene, told);
}

// All of them, so that what the model makes of a call is held against what a
// real filesystem does.
TEST_P(Seeded, HappensToRealProcesses) {
  const SeededBug& bug = GetParam();
  if (bug.reboots > 0) return;  // of this host
  const auto subject = MakeSeeded(bug);
  const Scene scene = SceneOf(bug, *subject);
  const Schedule schedule = bug.schedule.empty()
                                ? Explore(scene, {}).found.value().schedule
                                : ParseSchedule(bug.schedule).value();
  const proc::TempDir dir(access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm"
                                                               : "");
  const Replayed replayed = ReplayOn(scene, schedule, dir.path());
  EXPECT_EQ(replayed.departed, "");
  EXPECT_EQ(replayed.two_held, bug.wrong == Wrong::kTwoHolders);
}

TEST_P(Seeded, IsFoundAsSoonWithoutMerging) {
  const SeededBug& bug = GetParam();
  if (!bug.schedule.empty() || bug.only) return;
  const auto subject = MakeSeeded(bug);
  Scene scene = SceneOf(bug, *subject);
  const Exploration merged = Explore(scene, {});
  scene.merge = false;
  const Exploration whole = Explore(scene, {});
  ASSERT_TRUE(merged.found.has_value() && whole.found.has_value());
  EXPECT_EQ(WrongName(merged.found->wrong), WrongName(whole.found->wrong));
  EXPECT_EQ(merged.depth, whole.depth);
}

INSTANTIATE_TEST_SUITE_P(All, Seeded,
                         testing::ValuesIn(SeededBugs().begin(),
                                           SeededBugs().end()),
                         [](const auto& info) {
                           std::string name(info.param.name);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

class Reduction : public testing::TestWithParam<Problem> {};

TEST_P(Reduction, ComesToTheSameEnd) {
  Posed posed(GetParam());
  const Exploration reduced = Explore(posed.scene(), {});
  posed.scene().reduce = false;
  const Exploration whole = Explore(posed.scene(), {});
  EXPECT_TRUE(reduced.complete && whole.complete);
  EXPECT_LE(reduced.states, whole.states);
  EXPECT_FALSE(reduced.found.has_value() || whole.found.has_value());
}

INSTANTIATE_TEST_SUITE_P(
    Small, Reduction,
    testing::Values(
        Problem{.backend = "link", .roles = "tt", .crashes = 1},
        Problem{.backend = "link", .roles = "cb", .crashes = 1},
        Problem{.backend = "mkdir", .roles = "cc", .crashes = 1},
        Problem{.backend = "flock", .roles = "cc", .crashes = 1},
        Problem{
            .backend = "mkdir", .roles = "cb", .crashes = 1, .model = "nolock"},
        Problem{
            .backend = "link", .roles = "cc", .crashes = 2, .model = "nfs3"},
        Problem{
            .backend = "mkdir", .roles = "cc", .crashes = 1, .model = "smb"}));

TEST_P(Seeded, IsFoundWithoutTheReductionToo) {
  const SeededBug& bug = GetParam();
  if (!bug.schedule.empty() || bug.only) return;
  const auto subject = MakeSeeded(bug);
  Scene scene = SceneOf(bug, *subject);
  scene.reduce = false;
  const Exploration found = Explore(scene, {});
  ASSERT_TRUE(found.found.has_value());
  EXPECT_EQ(WrongName(found.found->wrong), WrongName(bug.wrong));
}

// Where a death cannot be told from standing still, and also where one must
// come before what is wrong: the same bugs, one process dying at will.
TEST_P(Seeded, IsFoundBesideADeathElsewhere) {
  const SeededBug& bug = GetParam();
  const Model& model = *FindModel("nolock");
  if (!bug.schedule.empty() || bug.only || bug.wrong != Wrong::kTwoHolders ||
      bug.model != "posix") {
    return;
  }
  const auto subject = MakeSeeded(bug);
  Scene scene = SceneOf(bug, *subject);
  scene.model = &model;
  scene.allow(Spend::kCrash) = 1;
  scene.liveness = false;
  const Exploration reduced = Explore(scene, {});
  scene.reduce = false;
  const Exploration whole = Explore(scene, {});
  ASSERT_EQ(reduced.found.has_value(), whole.found.has_value());
  if (!whole.found.has_value()) return;
  EXPECT_EQ(WrongName(reduced.found->wrong), WrongName(whole.found->wrong));
}

std::set<std::pair<Op, int>> OutcomesIn(const Exploration& found) {
  std::set<std::pair<Op, int>> outcomes;
  for (const auto& [outcome, count] : found.coverage) outcomes.insert(outcome);
  return outcomes;
}

class Merging : public testing::TestWithParam<Problem> {};

TEST_P(Merging, ReachesTheSameWorlds) {
  Posed posed(GetParam());
  const Exploration merged = Explore(posed.scene(), {});
  posed.scene().merge = false;
  const Exploration whole = Explore(posed.scene(), {});
  EXPECT_FALSE(whole.merged);
  EXPECT_TRUE(merged.complete && whole.complete);
  EXPECT_FALSE(merged.found.has_value() || whole.found.has_value());
  EXPECT_EQ(merged.worlds, whole.worlds);
  EXPECT_EQ(OutcomesIn(merged), OutcomesIn(whole));
  if (merged.merged) {
    EXPECT_LT(merged.states, whole.states);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Small, Merging,
    testing::Values(Problem{.backend = "link", .roles = "cc", .crashes = 1},
                    Problem{.backend = "link", .roles = "cb", .crashes = 1},
                    Problem{.backend = "mkdir", .roles = "cc", .crashes = 1},
                    Problem{.backend = "symlink", .roles = "cc", .crashes = 1},
                    Problem{.backend = "pid", .roles = "cc"},
                    Problem{.backend = "excl", .roles = "tt", .crashes = 1},
                    Problem{.backend = "flock", .roles = "cc", .crashes = 1},
                    Problem{.backend = "fcntl", .roles = "cc", .crashes = 1},
                    Problem{
                        .backend = "mkdir", .roles = "cc", .model = "smb"}));

TEST(Search, IsInconclusiveWhereABoundIsReached) {
  Posed posed({.backend = "link", .roles = "ccc"});
  const Exploration deep = Explore(posed.scene(), {.depth = 5});
  EXPECT_FALSE(deep.complete);
  EXPECT_EQ(deep.bound, "depth 5");
  const Exploration small = Explore(posed.scene(), {.memory = size_t{1} << 20});
  EXPECT_FALSE(small.complete);
  EXPECT_EQ(small.bound, "memory of 1 MiB");
  const Exploration stopped = Explore(posed.scene(), {}, [] { return false; });
  EXPECT_EQ(stopped.bound, "a signal");
}

TEST(Search, TellsWhichCallsCameToWhat) {
  Posed posed({.backend = "link", .roles = "tt"});
  const Exploration found = Explore(posed.scene(), {});
  EXPECT_GT((found.coverage.at({Op::kLink, 0})), 0u);
  EXPECT_GT((found.coverage.at({Op::kLink, EEXIST})), 0u);
  EXPECT_FALSE(found.coverage.contains({Op::kLink, EIO}));
}

TEST(Search, SeesNoOutcomeThatTheTableOfThemLacks) {
  for (const std::string_view model : {"posix", "nfs3", "smb"}) {
    for (const std::string_view backend : {"mkdir", "excl", "flock"}) {
      Posed posed({.backend = backend, .roles = kSizes.two, .model = model});
      for (const auto& [op, error] : OutcomesIn(Explore(posed.scene(), {}))) {
        const auto& rows = Possible();
        const auto row = std::ranges::find(rows, op, &PossibleRow::op);
        ASSERT_NE(row, rows.end()) << OpName(op);
        EXPECT_NE(std::ranges::find(row->errors, error), row->errors.end())
            << OpName(op) << " " << error;
      }
    }
  }
}

TEST(Search, ExcusesLocksThatCannotBeExplored) {
  Posed sqlite({.backend = "sqlite", .roles = "cc"});
  EXPECT_NE(Excuse(sqlite.scene()).find("seam"), std::string::npos);
  Posed flock({.backend = "flock", .roles = "cc", .model = "nolock"});
  EXPECT_NE(Excuse(flock.scene()), "");
  Posed breaking({.backend = "ofd", .roles = "cb"});
  EXPECT_NE(Excuse(breaking.scene()), "");
  Posed linked({.backend = "link", .roles = "cc", .model = "smb"});
  EXPECT_NE(Excuse(linked.scene()).find("hard links"), std::string::npos)
      << Excuse(linked.scene());
  Posed fine({.backend = "link", .roles = "cc"});
  EXPECT_EQ(Excuse(fine.scene()), "");
}

TEST(Schedules, AreReadStrictly) {
  for (const std::string_view bad :
       {"x", "a0", "a:", "a:step", "a-1", "a5,,b", "a999999999", "A"}) {
    EXPECT_FALSE(ParseSchedule(bad).has_value()) << bad;
  }
  const auto schedule = ParseSchedule("a2,b,a:crash");
  ASSERT_TRUE(schedule.has_value());
  EXPECT_EQ(schedule->size(), 4u);
  EXPECT_EQ(FormatSchedule(*schedule), "a2,b,a:crash");
}

TEST(Telling, SaysWhichStepCannotHappen) {
  Posed posed({.backend = "link", .roles = "tt"});
  const Told told = Tell(posed.scene(), *ParseSchedule("a,b:crash"));
  EXPECT_EQ(told.impossible, 2u);
}

}  // namespace
}  // namespace locklab::explore
