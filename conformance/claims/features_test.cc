#include "conformance/claims/features.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <string>

#include "conformance/claims/claim.h"
#include "conformance/proc/temp_dir.h"

namespace locklab {
namespace {

using namespace std::chrono_literals;

TEST(FeaturesTest, EveryRowIsWholeAndFound) {
  std::set<std::string_view> names;
  for (const Feature& feature : Features()) {
    EXPECT_TRUE(names.insert(feature.name).second) << feature.name;
    EXPECT_EQ(feature.name.find_first_of(" ,_"), std::string_view::npos);
    EXPECT_FALSE(feature.doc.empty()) << feature.name;
    EXPECT_FALSE(feature.remedy.empty()) << feature.name;
    EXPECT_EQ(FindFeature(feature.name), &feature);
  }
  EXPECT_EQ(FindFeature("second mount"), nullptr);
}

TEST(FeaturesTest, EveryNeedOfAClaimIsAFeature) {
  for (const Claim& claim : Claims()) {
    for (const std::string_view need : NamesIn(claim.needs)) {
      EXPECT_NE(FindFeature(need), nullptr) << claim.id << " needs " << need;
    }
  }
}

TEST(FeaturesTest, NamesAreSeparatedByBlanks) {
  using Names = std::vector<std::string_view>;
  EXPECT_EQ(NamesIn(""), Names{});
  EXPECT_EQ(NamesIn("root"), Names{"root"});
  EXPECT_EQ(NamesIn("root  symlinks "), (Names{"root", "symlinks"}));
}

TEST(FeaturesTest, ProbesLeaveNothingBehind) {
  const proc::TempDir dir;
  const auto before = std::filesystem::current_path();
  for (const Feature& feature : Features()) {
    const std::string why =
        WhyMissing(feature, {.dir = dir.path(), .other_dir = ""});
    EXPECT_TRUE(why.empty() ||
                why.starts_with("needs " + std::string(feature.name) + ": "))
        << why;
    EXPECT_TRUE(std::filesystem::is_empty(dir.path())) << feature.name;
  }
  EXPECT_EQ(std::filesystem::current_path(), before);
}

TEST(FeaturesTest, PlainDirectoryHasLinksAndSecondName) {
  const proc::TempDir dir;
  const Place place{.dir = dir.path(), .other_dir = dir.path() + "/."};
  for (const char* name : {"hard-links", "symlinks", "second-mount"}) {
    EXPECT_EQ(WhyMissing(*FindFeature(name), place), "") << name;
    EXPECT_EQ(WhyMissing(*FindFeature(name), place, 30s), "") << name;
  }
}

TEST(FeaturesTest, WhatIsMissingSaysWhyAndWhatToDo) {
  const proc::TempDir dir;
  const Feature& feature = *FindFeature("second-mount");
  const std::string why =
      WhyMissing(feature, {.dir = dir.path(), .other_dir = ""});
  EXPECT_EQ(why, "needs second-mount: no second mount was named; " +
                     std::string(feature.remedy));
  const Place gone{.dir = dir / "gone", .other_dir = ""};
  EXPECT_NE(WhyMissing(*FindFeature("hard-links"), gone), "");
  EXPECT_NE(WhyMissing(*FindFeature("hard-links"), gone, 30s), "");
}

TEST(FeaturesTest, DirectoryOfAnotherPlaceIsNoSecondMount) {
  const proc::TempDir dir;
  const proc::TempDir other;
  const std::string why =
      WhyMissing(*FindFeature("second-mount"),
                 {.dir = dir.path(), .other_dir = other.path()});
  EXPECT_NE(why.find("does not show"), std::string::npos) << why;
}

std::string Hang(const Place&) {
  for (;;) pause();
}

std::string Die(const Place&) { abort(); }

TEST(FeaturesTest, ProbeThatHangsOrDiesCountsAsMissing) {
  const Feature hangs{.name = "x", .doc = "", .remedy = "mend", .probe = Hang};
  const std::string hung = WhyMissing(hangs, {}, 50ms);
  EXPECT_EQ(hung, "needs x: looking for it hung for 50 ms; mend");
  const Feature dies{.name = "x", .doc = "", .remedy = "mend", .probe = Die};
  EXPECT_EQ(WhyMissing(dies, {}, 30s),
            "needs x: looking for it: the process was killed by SIGABRT; mend");
}

// --- claims that need them --------------------------------------------------

class NoArena : public Arena {
 public:
  ContestResult Contend(const SubjectFactory&, const std::string&,
                        const Contest&) override {
    return {};
  }
};

Finding Examine(const Claim& claim, const std::string& other_dir) {
  const proc::TempDir dir;
  NoArena arena;
  const auto subject = BackendSubject("link");
  return RunClaim(claim,
                  {.subject = *subject,
                   .arena = arena,
                   .dir = dir.path(),
                   .other_dir = other_dir.empty() ? "" : dir / other_dir},
                  60s);
}

Finding TellPlaces(const ClaimContext& context) {
  return Finding::Pass(context.other_dir);
}

TEST(NeedsTest, ClaimWithoutWhatItNeedsIsUnsupportedAndSaysWhatToDo) {
  const Claim claim{.id = "test.needs",
                    .level = Level::kMust,
                    .statement = "",
                    .source = "",
                    .excuse = nullptr,
                    .body = TellPlaces,
                    .needs = "hard-links second-mount"};
  const Finding finding = Examine(claim, "");
  EXPECT_EQ(VerdictName(finding.verdict), "unsupported");
  EXPECT_TRUE(finding.reason.starts_with("needs second-mount: no second mount"))
      << finding.reason;
  EXPECT_NE(finding.reason.find("--other-mount=DIR"), std::string::npos);
}

TEST(NeedsTest, ClaimGetsItsOwnDirectoryThroughTheOtherMount) {
  const Claim claim{.id = "test.needs",
                    .level = Level::kMust,
                    .statement = "",
                    .source = "",
                    .excuse = nullptr,
                    .body = TellPlaces,
                    .needs = "second-mount"};
  const Finding finding = Examine(claim, ".");
  EXPECT_EQ(VerdictName(finding.verdict), "pass") << finding.reason;
  EXPECT_NE(finding.reason.find("/./locklab-"), std::string::npos)
      << finding.reason;
}

TEST(NeedsTest, FeatureThatIsNoneIsNotTakenForOneThatIsThere) {
  const Claim claim{.id = "test.needs",
                    .level = Level::kMust,
                    .statement = "",
                    .source = "",
                    .excuse = nullptr,
                    .body = TellPlaces,
                    .needs = "second-munt"};
  EXPECT_EQ(VerdictName(Examine(claim, ".").verdict), "unsupported");
}

}  // namespace
}  // namespace locklab
