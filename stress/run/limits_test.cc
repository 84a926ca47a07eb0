#include "stress/run/limits.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace locklab::run {
namespace {

using Groups = std::vector<std::string>;

TEST(Limits, AreThoseOfAllControlGroupsAbove) {
  EXPECT_EQ(PidsGroups("0::/a/b\n", "/c"), (Groups{"/c/a/b", "/c/a", "/c"}));
  EXPECT_EQ(PidsGroups("7:cpu:/x\n5:pids:/x\n", "/c"),
            (Groups{"/c/pids/x", "/c/pids"}));
  EXPECT_EQ(PidsGroups("0::/\n", "/c"), Groups{"/c"});
  EXPECT_EQ(PidsGroups("nonsense", "/c"), Groups{});
}

TEST(Limits, TheTightestIsNamedWithWhatItLeaves) {
  const std::vector<Limit> limits = {
      {"wide", 10'000, 10, "widen it"},
      {"tight", 500, 88, "loosen it"},
      {"tighter in all", 450, 0, "loosen that"},
  };
  EXPECT_EQ(WhyNotSoMany(412, 1, limits), "");
  const std::string text = WhyNotSoMany(103, 5, limits);
  EXPECT_NE(text.find("allows 412 more: tight is enough for 500, and 88 are in "
                      "use; loosen it"),
            std::string::npos)
      << text;
}

TEST(Limits, OfThisSystemAllowOneMoreProcess) {
  EXPECT_EQ(WhyNotSoMany(1, 1, TaskLimits()), "");
  EXPECT_NE(WhyNotSoMany(1'000'000, 100, TaskLimits()), "");
}

}  // namespace
}  // namespace locklab::run
