// What the canaries promise beside being broken: that they are locks enough to
// be run at all. That they are caught is tested where the engine is.
#include "conformance/canary/canary.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <set>
#include <string>

#include "conformance/proc/temp_dir.h"

namespace locklab::canary {
namespace {

using std::chrono_literals::operator""ms;

TEST(Canaries, HaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (const Canary& canary : Canaries()) {
    EXPECT_TRUE(names.insert(canary.name).second) << canary.name;
    EXPECT_NE(canary.doc, "") << canary.name;
    EXPECT_EQ(canary.make(1)->name(), canary.name);
    EXPECT_EQ(canary.claims().front(), canary.claim);
    EXPECT_EQ(FindCanary(canary.name), &canary);
  }
  EXPECT_EQ(FindCanary("sound"), nullptr);
  EXPECT_GE(names.size(), 12u);
  EXPECT_EQ(StandardCanary().name, "check-then-create");
  EXPECT_EQ(StandardCanary().claim, "exclusion.two_processes");
}

// Rows whose fault is what a test asks for.
bool IsOneOf(const Canary& canary, std::set<std::string_view> names) {
  return names.contains(canary.name);
}

TEST(Canaries, AreTakenAndGivenBackByOne) {
  for (const Canary& canary : Canaries()) {
    if (IsOneOf(canary, {"hangs-in-release", "follows-links"})) continue;
    const proc::TempDir dir;
    const auto factory = canary.make(1);
    const auto lock = factory->Make(dir / "job");
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(lock->Acquire(0ms).ok()) << canary.name;
      EXPECT_TRUE(lock->Release().ok()) << canary.name;
    }
  }
}

TEST(Canaries, RefuseASecondOneThatComesMuchLater) {
  for (const Canary& canary : Canaries()) {
    if (IsOneOf(canary, {"no-lock", "breaks-unasked", "everybody-is-dead",
                         "hangs-in-release", "follows-links"})) {
      continue;
    }
    const proc::TempDir dir;
    const auto factory = canary.make(1);
    const auto first = factory->Make(dir / "job");
    const auto second = factory->Make(dir / "job");
    EXPECT_TRUE(first->Acquire(0ms).ok()) << canary.name;
    EXPECT_EQ(second->Acquire(0ms).got, Got::kTimeout) << canary.name;
    EXPECT_EQ(second->Acquire(5ms).got, Got::kTimeout) << canary.name;
    EXPECT_TRUE(first->Release().ok()) << canary.name;
    EXPECT_TRUE(second->Acquire(-1ms).ok()) << canary.name;
  }
}

TEST(Canaries, ReportErrorsThatAreNotContention) {
  for (const Canary& canary : Canaries()) {
    if (IsOneOf(canary, {"no-lock", "error-is-contention", "left-guard"})) {
      continue;
    }
    const auto lock = canary.make(1)->Make("/nonexistent/job");
    const Outcome outcome = lock->Acquire(-1ms);
    EXPECT_EQ(outcome.got, Got::kError) << canary.name;
    EXPECT_EQ(outcome.sys, ENOENT) << canary.name;
    EXPECT_NE(outcome.message.find("/nonexistent/job"), std::string::npos);
  }
}

}  // namespace
}  // namespace locklab::canary
