#include "conformance/report/text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace locklab::report {
namespace {

RunReport Sample() {
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
  const std::string text = ToText(Sample(), {});
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
  const std::string text = ToText(Sample(), {});
  size_t from = 0;
  while (from < text.size()) {
    const size_t to = text.find('\n', from);
    ASSERT_NE(to, std::string::npos) << "the last line does not end";
    EXPECT_LE(to - from, 80u) << text.substr(from, to - from);
    from = to + 1;
  }
}

TEST(TextTest, IsPlainUnlessColorWasAskedFor) {
  EXPECT_EQ(ToText(Sample(), {}).find('\x1b'), std::string::npos);
  EXPECT_NE(ToText(Sample(), {.width = 80, .color = true}).find("\x1b[32msafe"),
            std::string::npos);
}

TEST(TextTest, AnEmptyRunSaysSo) {
  EXPECT_NE(ToText(RunReport{}, {}).find("nothing was examined"),
            std::string::npos);
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
