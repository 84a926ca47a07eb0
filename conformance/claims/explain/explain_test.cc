#include "conformance/claims/explain/explain.h"

#include <set>
#include <string>

#include "conformance/claims/claim.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace locklab::claims {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string FileOf(std::string_view id) {
  return "conformance/claims/explain/" + std::string(FamilyOf(id)) + ".md";
}

// What to add, as it has to stand in the file.
std::string Skeleton(std::string_view id) {
  std::string text = "\n\n## " + std::string(id) + "\n";
  for (const std::string_view heading : kExplainHeadings) {
    text += "\n### " + std::string(heading) + "\n\n...\n";
  }
  return text;
}

TEST(ExplainCensus, EveryClaimIsExplainedInAllParts) {
  for (const Claim& claim : Claims()) {
    const auto found = Explain(claim.id);
    if (!found) {
      ADD_FAILURE() << claim.id << " is not explained: add to "
                    << FileOf(claim.id) << " the section" << Skeleton(claim.id);
      continue;
    }
    for (size_t i = 0; i < kExplainHeadings.size(); ++i) {
      EXPECT_NE(found->parts[i], "")
          << claim.id << " lacks a part: add to its section in "
          << FileOf(claim.id) << " the heading\n\n### " << kExplainHeadings[i]
          << "\n\nwith a text below it";
    }
  }
}

TEST(ExplainCensus, EveryExplanationIsOfAClaimInItsFamilysFileAndOnce) {
  std::set<std::string_view> seen;
  for (const ExplainFile& file : ExplainFiles()) {
    EXPECT_FALSE(file.sections.empty()) << file.name << " explains no claim";
    for (const ExplainSection& section : file.sections) {
      const std::string_view id = section.explanation.id;
      EXPECT_NE(FindClaim(id), nullptr)
          << "there is no claim " << id << ": remove or rename its section in "
          << file.name;
      EXPECT_EQ(std::string(FamilyOf(id)) + ".md", file.name)
          << "the section of " << id << " belongs into " << FileOf(id);
      EXPECT_TRUE(seen.insert(id).second) << id << " is explained twice";
      EXPECT_THAT(section.strange, IsEmpty())
          << "headings of " << id << " that are none of the four, or twice";
    }
  }
}

// Whoever pastes them wants no prompt in front, and a place to begin.
TEST(ExplainCensus, EveryByHandHasCommandsInADirectory) {
  for (const Claim& claim : Claims()) {
    const auto found = Explain(claim.id);
    if (!found) continue;
    const std::string_view text = found->parts[3];
    EXPECT_NE(text.find("```sh\n"), std::string_view::npos)
        << claim.id << ": By hand has no ```sh block";
    EXPECT_NE(text.find("/path/to/dir"), std::string_view::npos)
        << claim.id << ": By hand does not say where: /path/to/dir";
    EXPECT_EQ(text.find("\n$ "), std::string_view::npos)
        << claim.id << ": By hand has a prompt";
  }
}

constexpr std::string_view kSample = R"(# Title

Preface.

## a.one

### Why it matters

Because.

### By hand

```sh
## a comment
### another
```

### By hand

Again.

## a.two
### Odd
text
### Usual causes

Many.)";

TEST(ParseExplanations, ReadsSectionsAndTheirParts) {
  const auto sections = ParseExplanations(kSample);
  ASSERT_EQ(sections.size(), 2u);
  const Explanation& one = sections[0].explanation;
  EXPECT_EQ(one.id, "a.one");
  EXPECT_THAT(one.parts, ElementsAre("Because.", "", "",
                                     "```sh\n## a comment\n### another\n```"));
  EXPECT_THAT(sections[0].strange, ElementsAre("By hand"));
  const Explanation& two = sections[1].explanation;
  EXPECT_EQ(two.id, "a.two");
  EXPECT_THAT(two.parts, ElementsAre("", "", "Many.", ""));
  EXPECT_THAT(sections[1].strange, ElementsAre("Odd"));
}

TEST(ParseExplanations, SurvivesTextsWithoutSections) {
  for (const std::string_view text :
       {"", "\n", "text", "### By hand\nx\n", "## "}) {
    for (const auto& section : ParseExplanations(text)) {
      EXPECT_EQ(section.explanation.id, "");
    }
  }
}

TEST(Explain, KnowsNothingOfWhatIsNoClaim) {
  for (const std::string_view id :
       {"", ".", "exclusion", "exclusion.", "x.y"}) {
    EXPECT_FALSE(Explain(id).has_value()) << id;
  }
}

TEST(FamilyOf, IsWhatStandsBeforeTheFirstDot) {
  EXPECT_EQ(FamilyOf("exclusion.herd"), "exclusion");
  EXPECT_EQ(FamilyOf("exclusion"), "exclusion");
  EXPECT_EQ(FamilyOf(""), "");
}

}  // namespace
}  // namespace locklab::claims
