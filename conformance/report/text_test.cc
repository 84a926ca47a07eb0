#include "conformance/report/text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "conformance/report/plain.h"
#include "conformance/report/sample.h"

namespace locklab::report {
namespace {

RunReport Typical() {
  BackendReport link;
  link.name = "link";
  link.complete = true;
  link.claims = {{.id = "release.frees",
                  .level = Level::kMust,
                  .finding = Finding::Pass(),
                  .replay = ""}};
  link.latency_ns = Percentiles{6130, 7000, 9900, 20000, 31000};
  link.floor_ns = 5900;
  link.contention = Contention{.processes = 8,
                               .acquisitions = 4000,
                               .violations = 0,
                               .wait_ns = {1, 2, 31000000, 4, 5},
                               .jain = 0.998};
  BackendReport excl = link;
  excl.name = "excl";
  excl.claims.push_back(
      {.id = "exclusion.herd",
       .level = Level::kMust,
       .finding = Finding::Fail("two of 64 processes had it at once, in round "
                                "3 of 5, which no lock may allow"),
       .replay = "locklab check --dir=/d --backend=excl --seed=42"});
  BackendReport symlink;
  symlink.name = "symlink";
  symlink.supported = false;
  symlink.reason = "the filesystem has no symbolic links";
  RunReport report;
  report.context.dir = "/d";
  report.context.seed = 42;
  report.context.filesystem.type = "tmpfs";
  report.backends = {link, excl, symlink};
  report.canary =
      Canary{.name = "naive",
             .caught = true,
             .reason =
                 "1337 times two held the lock at once: actor 0 acquired "
                 "it while actor 5 had held it for a while"};
  Judge(&report);
  return report;
}

TEST(TextTest, SaysWhatWasFoundOfEachBackend) {
  const std::string text = ToText(Typical(), {});
  for (const char* needle :
       {"link     safe             1/1   6.13 us   9.90 us   5.90 us   31.0 ms",
        "0.998", "excl     unsafe", "symlink  unsupported",
        "symlink: unsupported: the filesystem has no symbolic links",
        "fail excl exclusion.herd (MUST): two of 64",
        "replay: locklab check --dir=/d --backend=excl --seed=42",
        "canary naive: caught", "1 safe, 1 unsafe, 1 unsupported on /d (tmpfs)",
        "seed 42"}) {
    EXPECT_NE(text.find(needle), std::string::npos) << needle << "\n" << text;
  }
}

TEST(TextTest, FitsEightyColumns) {
  const std::string text = ToText(Typical(), {});
  size_t from = 0;
  while (from < text.size()) {
    const size_t to = text.find('\n', from);
    ASSERT_NE(to, std::string::npos) << "the last line does not end";
    EXPECT_LE(to - from, 80u) << text.substr(from, to - from);
    from = to + 1;
  }
}

TEST(TextTest, IsPlainUnlessColorWasAskedFor) {
  EXPECT_EQ(ToText(Typical(), {}).find('\x1b'), std::string::npos);
  EXPECT_NE(
      ToText(Typical(), {.width = 80, .color = true}).find("\x1b[32msafe"),
      std::string::npos);
}

TEST(TextTest, AnEmptyRunSaysSo) {
  EXPECT_NE(ToText(RunReport{}, {}).find("nothing was examined"),
            std::string::npos);
}

std::vector<std::string> Lines(const std::string& text) {
  EXPECT_TRUE(text.ends_with('\n')) << "the last line does not end";
  return PlainLines(text);
}

TEST(TextTest, HasATableThatFitsAnyTerminal) {
  RunReport report = FullReport();
  report.backends[0].name = "canary:release-of-what-is-another's";
  for (int width = 40; width <= 200; ++width) {
    size_t cells = 0;
    for (const std::string& line :
         Lines(ToText(report, {.width = width, .color = false}))) {
      if (line.empty()) break;  // the end of the table
      EXPECT_LE(line.size(), static_cast<size_t>(width)) << line;
      cells = std::max(cells, line.size());
    }
    // As much of it as there is room for.
    EXPECT_GT(cells, static_cast<size_t>(std::min(width - 12, 75))) << width;
  }
}

TEST(TextTest, LeavesOutWhatMattersLeast) {
  const auto head = [](int width) {
    const auto lines = Lines(ToText(Typical(), {.width = width}));
    return OneLine(lines[0]) + " / " + OneLine(lines[1]);
  };
  EXPECT_EQ(head(76),
            "acquire + release 8 processes / backend verdict claims p50 p99 "
            "floor wait p99 jain");
  EXPECT_EQ(head(75),
            "acquire + release crowd / backend verdict claims p50 p99 floor "
            "wait p99");
  EXPECT_EQ(head(60),
            "acquire + release crowd / backend verdict claims p50 p99 wait "
            "p99");
  EXPECT_EQ(head(50), "alone crowd / backend verdict claims p50 wait p99");
  EXPECT_EQ(head(40), "alone / backend verdict claims p50");
}

int Characters(const std::string& line) {
  return static_cast<int>(
      std::count_if(line.begin(), line.end(), [](unsigned char c) {
        return (c & 0xc0) != 0x80;  // not a continuation of one
      }));
}

TEST(TextTest, OnlyUnbrokenWordsAndReplaysAreWiderThanTheTerminal) {
  for (const Sample& sample : Samples()) {
    for (const int width : {40, 80, 132}) {
      for (const std::string& line :
           Lines(ToText(sample.report, {.width = width}))) {
        const bool unbroken =
            line.find(' ', line.find_first_not_of(' ')) == std::string::npos;
        if (unbroken || line.starts_with("  replay: ")) continue;
        if (line.find(" on ") != std::string::npos) continue;  // the summary
        EXPECT_LE(Characters(line), width + 8) << sample.name << ": " << line;
      }
    }
  }
}

TEST(TextTest, ShowsTheEvidenceOfAFailureUpToAPoint) {
  RunReport report = Typical();
  std::string& evidence = report.backends[1].claims[1].finding.evidence;
  evidence = "history: two\n  +0.1 s actor 3\n";
  EXPECT_NE(ToText(report, {})
                .find("\n    history: two\n      +0.1 s actor 3\n"
                      "  replay: "),
            std::string::npos)
      << ToText(report, {});
  for (int i = 0; i < 40; ++i) evidence += "more\n";
  const std::string text = ToText(report, {});
  EXPECT_NE(text.find("    more\n    30 more lines: see --format=json\n"),
            std::string::npos)
      << text;
}

TEST(TextTest, SaysWhatFollows) {
  RunReport report = Typical();
  EXPECT_NE(ToText(report, {}).find("\nuse link: every claim that applies"),
            std::string::npos)
      << ToText(report, {});
  report.backends.erase(report.backends.begin());
  Judge(&report);
  EXPECT_NE(ToText(report, {}).find("\nuse none of these locks: "),
            std::string::npos);
}

TEST(TextTest, SaysOfAPartialRunThatItIsOne) {
  RunReport report = Typical();
  report.context.claims_total = 60;
  report.context.claims_chosen = 2;
  Judge(&report);
  const std::string text = ToText(report, {});
  for (const char* needle : {"link     safe, partly     1/1",
                             "a partial run: 2 of 60 claims were chosen"}) {
    EXPECT_NE(text.find(needle), std::string::npos) << needle << "\n" << text;
  }
  EXPECT_EQ(text.find("link: safe:"), std::string::npos) << text;
}

TEST(TextTest, TellsOfExpectationsAndPrimitives) {
  const std::string text = ToText(FullReport(), {});
  for (const char* needle :
       {"primitives of the directory: 3 hold, 3 fail, 3 xfail, 3 xpass, 3 "
        "unsupported, 3\n  inconclusive\n",
        "  fs.family.pass_2: what was seen\n",
        "fail primitive fs.family.fail_0 (MUST): what was seen",
        "xfail link family.xfail_0 (MUST): what was seen\n  expected: the "
        "server does not do this, https://example.org/bug/1?a=b&c=d",
        "(nfs.expect:12)", "xpass link family.xpass_0 (MUST)",
        "required, and not to be had: other-mount"}) {
    EXPECT_NE(text.find(needle), std::string::npos) << needle << "\n" << text;
  }
}

TEST(TextTest, SendsNoControlsToTheTerminal) {
  const std::string text = ToText(HostileReport(), {});
  EXPECT_EQ(text, Plain(text));
  EXPECT_EQ(text.find('\t'), std::string::npos);
}

struct TimeCase {
  int64_t ns;
  const char* text;
};

class ShortTimeTest : public testing::TestWithParam<TimeCase> {};

TEST_P(ShortTimeTest, HasThreeDigits) {
  EXPECT_EQ(ShortTime(GetParam().ns), GetParam().text);
}

INSTANTIATE_TEST_SUITE_P(Times, ShortTimeTest,
                         testing::Values(TimeCase{0, "0 ns"},
                                         TimeCase{999, "999 ns"},
                                         TimeCase{1000, "1.00 us"},
                                         TimeCase{999'499, "999 us"},
                                         TimeCase{999'500, "1.00 ms"},
                                         TimeCase{12'340'000, "12.3 ms"},
                                         TimeCase{99'960'000, "100 ms"},
                                         TimeCase{75'000'000'000, "75.0 s"}));

TEST(WrapTest, BreaksAtBlanksAndIndents) {
  EXPECT_EQ(Wrap("one two three", 8, 2), "one two\n  three");
  EXPECT_EQ(Wrap("averylongword x", 4, 2), "averylongword\n  x");
  EXPECT_EQ(Wrap("", 4, 2), "");
}

}  // namespace
}  // namespace locklab::report
