// That a search keeps to its bounds, and finds all that is within them.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "stress/explore/explore.h"
#include "stress/explore/machine.h"
#include "stress/explore/problem.h"
#include "stress/explore/searches.h"
#include "stress/explore/seeded.h"
#include "stress/explore/stage.h"
#include "stress/explore/states.h"
#include "stress/explore/tell.h"

namespace locklab::explore {
namespace {

// A search that could not be simpler: depth first, and Machine is asked anew
// each time. Counts what is reached with at most so many preemptions.
class Plain {
 public:
  Plain(const Scene& scene, int most) : machine_(scene), most_(most) {}

  size_t Count() {
    Visit(machine_.Start(), kNobody, 0);
    return seen_.size();
  }

 private:
  void Visit(const Moment& moment, uint32_t last, int used) {
    const auto [known, fresh] = seen_.try_emplace(
        std::tuple(worlds_.Id(moment.world), moment.at, last), used);
    if (!fresh && known->second <= used) return;
    known->second = used;
    std::vector<Choice> choices;
    bool parked = false;
    machine_.Choices(moment, &choices, &parked);
    for (const Choice choice : choices) {
      const bool steps = choice.event == Event::kStep;
      const bool interrupts = steps && last != kNobody && last != choice.slot;
      if (used + (interrupts ? 1 : 0) > most_) continue;
      Moment there = moment;
      ASSERT_EQ(machine_.Do(&there, choice, nullptr), Wrong::kNothing);
      uint32_t then = steps ? choice.slot : last;
      if (then == choice.slot && machine_.IsPatient(there, choice.slot)) {
        then = kNobody;
      }
      Visit(there, then, used + (interrupts ? 1 : 0));
    }
  }

  Machine machine_;
  const int most_;
  Worlds worlds_;
  std::map<std::tuple<uint32_t, std::array<Position, kSlots>, uint32_t>, int>
      seen_;
};

class Preemptions : public testing::TestWithParam<Problem> {};

TEST_P(Preemptions, BoundASearchThatFindsAllWithinThem) {
  Posed posed(GetParam());
  // What a memory looks like may depend on the way there.
  posed.scene().merge = false;
  for (uint32_t most = 0; most <= 3; ++most) {
    const Exploration found = Explore(posed.scene(), {.preemptions = most});
    ASSERT_FALSE(found.found.has_value());
    EXPECT_EQ(found.states,
              Plain(posed.scene(), static_cast<int>(most)).Count())
        << most;
    EXPECT_EQ(found.preemptions, most);
    EXPECT_EQ(found.complete, found.bound.empty());
    if (!found.complete) {
      EXPECT_EQ(found.bound, std::to_string(most) + " preemptions");
    }
  }
}

TEST_P(Preemptions, ComeToAnEndWhereTheSearchDoes) {
  const Posed posed(GetParam());
  const Exploration broad = Explore(posed.scene(), {});
  const Exploration found = Explore(posed.scene(), {.preemptions = 1000});
  EXPECT_TRUE(broad.complete && found.complete);
  EXPECT_EQ(broad.worlds, found.worlds);
  EXPECT_GE(found.states, broad.states);
}

INSTANTIATE_TEST_SUITE_P(
    Small, Preemptions,
    testing::Values(
        Problem{.backend = "link", .roles = "cc", .crashes = 1},
        Problem{.backend = "link", .roles = "tb", .crashes = 1},
        Problem{.backend = "mkdir", .roles = "cc", .crashes = 1},
        // They open files anew for writing: nothing is reduced then.
        Problem{
            .backend = "flock", .roles = "cc", .crashes = 1, .reduce = false},
        Problem{.backend = "ofd", .roles = kSizes.three, .reduce = false},
        Problem{.backend = "link", .roles = "cc", .model = "nolock"},
        Problem{.backend = "mkdir", .roles = "cc", .model = "nfs3"},
        Problem{.backend = "mkdir",
                .roles = "cc",
                .crashes = 1,
                .model = "nolock"}));

class Bugs : public testing::TestWithParam<SeededBug> {};

// Each bug has a least number of preemptions with which it shows: it is found
// with as many, and not with fewer. That is two at most, which is what locklab
// explore takes for enough where nobody says how many.
TEST_P(Bugs, ShowWithAsManyPreemptionsAsTheyNeed) {
  const SeededBug& bug = GetParam();
  if (!bug.schedule.empty() || bug.only) return;
  const auto subject = MakeSeeded(bug);
  const Scene scene = SceneOf(bug, *subject);
  const Exploration found = Explore(scene, {.preemptions = 1000});
  ASSERT_TRUE(found.found.has_value());
  const Told told = Tell(scene, found.found->schedule);
  EXPECT_EQ(told.impossible, 0u);
  EXPECT_EQ(WrongName(told.wrong), WrongName(found.found->wrong));
  const uint32_t needed =
      found.preemptions.has_value() ? *found.preemptions + 1 : 0;
  EXPECT_LE(needed, 2u);
  RecordProperty("preemptions", static_cast<int>(needed));
  const Exploration enough = Explore(scene, {.preemptions = needed});
  EXPECT_TRUE(enough.found.has_value());
  if (needed == 0) return;
  const Exploration fewer = Explore(scene, {.preemptions = needed - 1});
  EXPECT_FALSE(fewer.found.has_value() || fewer.complete);
  EXPECT_EQ(fewer.preemptions, needed - 1);
}

INSTANTIATE_TEST_SUITE_P(All, Bugs,
                         testing::ValuesIn(SeededBugs().begin(),
                                           SeededBugs().end()),
                         [](const auto& info) {
                           std::string name(info.param.name);
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

// --- memory -----------------------------------------------------------------

struct Used {
  long before_kib = 0;
  long after_kib = 0;
  bool bounded = false;
};

long PeakKib() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return used.ru_maxrss;
}

// In a process of its own, so that the peak is its own.
Used SearchWith(size_t memory, const Scene& scene) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    Used used{.before_kib = PeakKib()};
    const Exploration found = Explore(scene, {.memory = memory});
    used.after_kib = PeakKib();
    used.bounded = !found.complete && found.bound.starts_with("memory of ");
    _exit(write(ends[1], &used, sizeof used) == sizeof used ? 0 : 1);
  }
  close(ends[1]);
  Used used;
  EXPECT_EQ(read(ends[0], &used, sizeof used),
            static_cast<ssize_t>(sizeof used));
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return used;
}

TEST(Memory, IsNotTakenBeyondItsBound) {
  if (!Stage::IsToBeHad()) GTEST_SKIP() << "a sanitizer takes more";
  for (const Problem& problem :
       {Problem{.backend = "mkdir", .roles = "ccc", .crashes = 1},
        Problem{.backend = "excl", .roles = "ccc", .model = "nolock"}}) {
    const Posed posed(problem);
    constexpr size_t kBound = size_t{64} << 20;
    const Used used = SearchWith(kBound, posed.scene());
    EXPECT_TRUE(used.bounded);
    const size_t taken = static_cast<size_t>(used.after_kib - used.before_kib)
                         << 10;
    EXPECT_GT(taken, kBound / 3) << problem.backend;
    EXPECT_LT(taken, kBound + kBound / 8) << problem.backend;
  }
}

// --- several searches -------------------------------------------------------

using Explorations = std::vector<std::optional<Exploration>>;

// The same searches, one after the other and four at once.
std::pair<Explorations, Explorations> AloneAndTogether(bool merge) {
  std::vector<std::unique_ptr<Posed>> posed;
  std::vector<const Scene*> scenes;
  for (const std::string_view backend : {"link", "mkdir", "symlink", "flock"}) {
    for (const std::string_view roles :
         {kSizes.two, std::string_view("ct"), std::string_view("tt")}) {
      posed.push_back(std::make_unique<Posed>(
          Problem{.backend = backend, .roles = roles, .crashes = 1}));
      posed.back()->scene().merge = merge;
      scenes.push_back(&posed.back()->scene());
    }
  }
  Budget budget{.memory = size_t{1} << 30};
  const auto begins = [](const Scene&) {};
  Explorations alone = SearchAll(scenes, budget, begins, {});
  budget.jobs = 4;
  return {std::move(alone), SearchAll(scenes, budget, begins, {})};
}

void ExpectTheSameEnd(const Explorations& alone, const Explorations& together) {
  ASSERT_EQ(alone.size(), together.size());
  for (size_t i = 0; i < alone.size(); ++i) {
    ASSERT_TRUE(alone[i].has_value() && together[i].has_value());
    EXPECT_TRUE(alone[i]->complete && together[i]->complete);
    EXPECT_FALSE(alone[i]->found.has_value() || together[i]->found.has_value());
    EXPECT_EQ(alone[i]->worlds, together[i]->worlds);
  }
}

TEST(SearchAll, FindsTheSameWhetherSearchesGoTogetherOrNot) {
  const auto [alone, together] = AloneAndTogether(/*merge=*/false);
  ExpectTheSameEnd(alone, together);
  for (size_t i = 0; i < alone.size(); ++i) {
    EXPECT_EQ(alone[i]->states, together[i]->states);
    EXPECT_EQ(alone[i]->coverage, together[i]->coverage);
  }
}

// Of memories that are merged not all are the same that could be: what the
// allocator has left on a stack is another in another thread.
TEST(SearchAll, ReachesTheSameWorldsOnSeveralStagesAtOnce) {
  if (!Stage::IsToBeHad()) GTEST_SKIP() << "a sanitizer has no stage";
  const auto [alone, together] = AloneAndTogether(/*merge=*/true);
  ExpectTheSameEnd(alone, together);
  for (size_t i = 0; i < alone.size(); ++i) {
    EXPECT_TRUE(alone[i]->merged && together[i]->merged);
  }
}

TEST(SearchAll, FallsBackToABoundOnPreemptions) {
  const Posed posed({.backend = "excl", .roles = "ccc", .crashes = 1});
  const std::vector<const Scene*> scenes{&posed.scene()};
  Budget budget{.memory = kSizes.memory_to_fall_back_from};
  int begun = 0;
  const auto begins = [&begun](const Scene&) { ++begun; };
  const auto whole = SearchAll(scenes, budget, begins, {});
  EXPECT_FALSE(whole[0]->complete || whole[0]->preemptions.has_value());
  EXPECT_EQ(begun, 1);
  budget.fall_back = true;
  const auto bounded = SearchAll(scenes, budget, begins, {});
  EXPECT_FALSE(bounded[0]->complete);
  EXPECT_TRUE(bounded[0]->preemptions.has_value());
  EXPECT_EQ(begun, 3);
  const auto none = SearchAll(scenes, budget, begins, [] { return false; });
  EXPECT_FALSE(none[0].has_value());
}

}  // namespace
}  // namespace locklab::explore
