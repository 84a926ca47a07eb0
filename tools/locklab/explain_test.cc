// locklab explain, as its users meet it.
#include "conformance/claims/explain/explain.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "conformance/claims/claim.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/locklab/command.h"
#include "tools/locklab/program.h"
#include "tools/locklab/terminal.h"

namespace locklab::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Explain, TellsEverythingOfOneClaim) {
  const Ended ended = RunLocklab({"explain", "exclusion.two_threads"});
  EXPECT_EQ(ended.code, kExitOk) << ended.err;
  const Claim& claim = *FindClaim("exclusion.two_threads");
  size_t at = 0;
  for (const std::string& text :
       {std::string("exclusion.two_threads (MUST)\n"),
        std::string(claim.statement), "source: " + std::string(claim.source),
        std::string("applies to: all backends"),
        std::string("\nWhy it matters\n"),
        std::string("\nWhat breaks without it\n"),
        std::string("\nUsual causes\n"), std::string("\nBy hand\n"),
        std::string("\ncd /path/to/dir\n"),
        std::string("locklab check --dir=DIR "
                    "--filter='^exclusion.two_threads$'\n")}) {
    const size_t found = ended.out.find(text, at);
    EXPECT_NE(found, std::string::npos) << text << "\nin\n" << ended.out;
    at = std::min(found, ended.out.size());
  }
}

TEST(Explain, SaysWhyAClaimIsNotForSomeBackends) {
  const Ended soft = RunLocklab({"explain", "stale.rebooted"});
  EXPECT_THAT(soft.out, HasSubstr("applies to: link, mkdir, symlink, pid, "
                                  "excl, sqlite; not to flock, fcntl, ofd:"));
}

// All of them: they are the longest texts that the program prints.
TEST(Explain, IsPlainAndFitsEightyColumnsInAPipe) {
  for (const Claim& claim : Claims()) {
    const Ended ended = RunLocklab({"explain", std::string(claim.id)});
    EXPECT_THAT(ended.out, Not(HasSubstr("\x1b"))) << claim.id;
    EXPECT_THAT(ended.out, Not(HasSubstr("```"))) << claim.id;
    EXPECT_TRUE(ended.out.ends_with("\n")) << claim.id;
    std::istringstream lines(ended.out);
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(line.size(), 80u) << line;
    }
  }
}

TEST(Explain, HeadingsAreBoldWhereColorsAreWelcome) {
  for (const bool color : {false, true}) {
    std::ostringstream text;
    Console out{.stream = text, .terminal = true, .color = color};
    Console err{.stream = text, .terminal = true, .color = color};
    EXPECT_EQ(Main(Commands(), {"explain", "exclusion.herd"}, out, err),
              kExitOk);
    EXPECT_THAT(text.str(),
                HasSubstr(color ? "\x1b[1mBy hand\x1b[0m\n" : "\nBy hand\n"));
  }
}

TEST(Explain, EveryClaimAsJson) {
  for (const Claim& claim : Claims()) {
    const std::string id(claim.id);
    const auto explained = claims::Explain(id);
    const Ended ended = RunLocklab({"explain", id, "--format=json"});
    ASSERT_EQ(ended.code, kExitOk) << ended.err;
    const auto json = nlohmann::json::parse(ended.out);
    EXPECT_EQ(json.at("schema_version"), 1);
    ASSERT_EQ(json.at("claims").size(), 1u);
    const auto& item = json.at("claims").at(0);
    EXPECT_EQ(item.at("id"), claim.id);
    EXPECT_EQ(item.at("statement"), claim.statement);
    EXPECT_EQ(item.at("source"), claim.source);
    EXPECT_EQ(item.at("primitive"), claim.primitive);
    EXPECT_EQ(item.at("applies_to").size() + item.at("excused").size(),
              claim.primitive ? 0u : 9u)
        << id;
    if (!explained) continue;  // The census in explain_test says it.
    EXPECT_EQ(item.at("why_it_matters"), explained->parts[0]);
    EXPECT_EQ(item.at("what_breaks_without_it"), explained->parts[1]);
    EXPECT_EQ(item.at("usual_causes"), explained->parts[2]);
    EXPECT_EQ(item.at("by_hand"), explained->parts[3]);
  }
}

TEST(Explain, AFamilyListsItsClaims) {
  const Ended text = RunLocklab({"explain", "exclusion"});
  EXPECT_EQ(text.code, kExitOk);
  const Ended json = RunLocklab({"explain", "exclusion", "--format=json"});
  const auto items = nlohmann::json::parse(json.out).at("claims");
  size_t count = 0;
  for (const Claim& claim : Claims()) {
    const bool its = claim.id.starts_with("exclusion.");
    count += its ? 1 : 0;
    EXPECT_EQ(text.out.find(std::string(claim.id) + " (") != std::string::npos,
              its)
        << claim.id;
  }
  EXPECT_EQ(items.size(), count);
  EXPECT_THAT(text.out, Not(HasSubstr("Why it matters")));
}

struct BadCase {
  std::vector<std::string> args;
  std::string says;
};

TEST(Explain, WhatIsNoClaimIsAUsageErrorThatHelps) {
  const BadCase cases[] = {
      {{"explain"}, "CLAIM is required"},
      {{"explain", "exclusion.heard"}, "did you mean exclusion.herd?"},
      {{"explain", "exclusoin"}, "did you mean exclusion?"},
      {{"explain", "xyzzy"}, "locklab list claims"},
      {{"explain", ""}, "locklab list claims"},
      {{"explain", "exclusion.herd", "path"}, "unexpected argument path"},
      {{"explain", "exclusion.herd", "--format=xml"}, "one of text, json"},
  };
  for (const BadCase& row : cases) {
    const Ended ended = RunLocklab(row.args);
    EXPECT_EQ(ended.code, kExitUsage) << row.says;
    EXPECT_EQ(ended.out, "") << row.says;
    EXPECT_THAT(ended.err, HasSubstr(row.says));
    EXPECT_EQ(ended.err.find('\n'), ended.err.size() - 1) << ended.err;
  }
}

struct MarkdownCase {
  const char* name;
  const char* markdown;
  const char* text;
};

TEST(MarkdownToText, WrapsAllButCode) {
  const MarkdownCase cases[] = {
      {"a paragraph", "one two\nthree four five\n",
       "  one two three four\n  five\n"},
      {"two paragraphs", "one\n\n\ntwo", "  one\n\n  two\n"},
      {"a list", "Of:\n- one two three four five\n- six\n  seven\n",
       "  Of:\n  - one two three\n    four five\n  - six seven\n"},
      {"code",
       "See:\n\n```sh\na very long line that stays | whole\n\n  b\n```\n",
       "  See:\n\na very long line that stays | whole\n\n  b\n"},
      {"code that looks like a list", "```\n- x\n- y\n```", "- x\n- y\n"},
      {"nothing", "", ""},
  };
  for (const MarkdownCase& row : cases) {
    EXPECT_EQ(MarkdownToText(row.markdown, 20, 2), row.text) << row.name;
  }
}

}  // namespace
}  // namespace locklab::cli
