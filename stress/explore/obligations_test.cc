// What the lock protocols owe: that no order of their calls and no death in
// between does harm. Prints a table of what was searched, and how far.
//
// Runs for long and wants some memory, hence by hand:
//   bazel test //stress/explore:obligations_test --test_output=all
// OBLIGATION_SECONDS: of the processor, for one search (30 where not given);
// OBLIGATION_MEMORY: MiB, for one search (3072). A test is one cell of the
// table, and is asked for by its name: with
//   --test_filter='*/excl_ctb_1:*/excl_cctb_*'
// excl is searched with ctb and one death, and with cctb and each number.
// Two processes are searched breadth first, and what does not end in that time,
// again by preemptions; more processes by preemptions at once.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "stress/explore/explore.h"
#include "stress/explore/seeded.h"
#include "stress/explore/tell.h"

namespace locklab::explore {
namespace {

constexpr std::string_view kBackends[] = {"link", "mkdir", "symlink", "pid",
                                          "excl", "flock", "fcntl",   "ofd"};
// contend, try, break; the last is all of them at once.
constexpr std::string_view kRoles[] = {"cc",  "ct",  "cb",  "tb",  "ccc",
                                       "cct", "ccb", "ctb", "cctb"};

long Number(const char* name, long otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtol(text, nullptr, 10);
}

// Where somebody may die, one pid may be used again.
struct Owed {
  std::string_view backend;
  std::string_view roles;
  uint8_t crashes;
  [[nodiscard]] uint8_t reuses() const { return crashes > 0 ? 1 : 0; }
};

void PrintTo(const Owed& owed, std::ostream* out) {
  *out << owed.backend << " " << owed.roles << ", " << int{owed.crashes}
       << " deaths";
}

std::vector<Owed> All() {
  std::vector<Owed> all;
  for (const std::string_view backend : kBackends) {
    for (const std::string_view roles : kRoles) {
      for (uint8_t crashes = 0; crashes <= 2; ++crashes) {
        all.push_back({backend, roles, crashes});
      }
    }
  }
  return all;
}

Exploration AsFarAsMayBe(const Scene& scene) {
  const auto mib = static_cast<size_t>(Number("OBLIGATION_MEMORY", 3072));
  Limits limits{.memory = mib << 20,
                .time = std::chrono::seconds(Number("OBLIGATION_SECONDS", 30))};
  if (scene.processes() == 2) {
    Exploration found = Explore(scene, limits);
    if (found.complete || found.found.has_value()) return found;
  }
  limits.preemptions = 1000;
  return Explore(scene, limits);
}

// Beside the verdict: up to how many preemptions every schedule was searched.
void Print(const Owed& owed, const Exploration& found) {
  std::string reach = "all";
  if (!found.complete) {
    reach = found.preemptions.has_value()
                ? "<=" + std::to_string(*found.preemptions)
                : "-";
  }
  const char* const verdict = found.found.has_value()         ? "fail"
                              : found.complete                ? "pass"
                              : found.preemptions.has_value() ? "bounded"
                                                              : "inconclusive";
  std::printf("%-8s %-5s %d %d  %-12s %-5s %9llu %4u  %6.1f %s\n",
              std::string(owed.backend).c_str(),
              std::string(owed.roles).c_str(), owed.crashes, owed.reuses(),
              verdict, reach.c_str(),
              static_cast<unsigned long long>(found.states), found.depth,
              found.cpu_seconds, found.bound.c_str());
  std::fflush(stdout);
}

class Obligation : public testing::TestWithParam<Owed> {
 protected:
  static void SetUpTestSuite() {
    std::printf(
        "backend  roles deaths pid-reuses  verdict "
        "preemptions states depth cpu-s\n");
  }
};

// Nothing wrong is found. Two processes that nobody kills are searched to the
// end; the rest as far as the bounds reach, which the table says.
TEST_P(Obligation, IsMet) {
  const Owed& owed = GetParam();
  const auto subject = BackendSubject(owed.backend);
  Scene scene;
  scene.subject = subject.get();
  scene.model = FindModel("posix");
  scene.roles = ParseRoles(owed.roles);
  scene.allow(Spend::kCrash) = owed.crashes;
  scene.allow(Spend::kReuse) = owed.reuses();
  if (const std::string excuse = Excuse(scene); !excuse.empty()) {
    GTEST_SKIP() << excuse;
  }
  const Exploration found = AsFarAsMayBe(scene);
  Print(owed, found);
  EXPECT_FALSE(found.found.has_value())
      << WrongDoc(found.found->wrong) << " " << found.found->reason << "\n"
      << Table(scene, Tell(scene, found.found->schedule));
  EXPECT_GT(found.states, 20u) << "nothing happened";
  EXPECT_TRUE(found.complete || owed.roles.size() > 2 || owed.crashes > 0);
}

INSTANTIATE_TEST_SUITE_P(All, Obligation, testing::ValuesIn(All()),
                         [](const auto& info) {
                           return std::string(info.param.backend) + "_" +
                                  std::string(info.param.roles) + "_" +
                                  std::to_string(info.param.crashes);
                         });

}  // namespace
}  // namespace locklab::explore
