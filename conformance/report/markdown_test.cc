#include "conformance/report/markdown.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "conformance/report/plain.h"
#include "conformance/report/sample.h"

namespace locklab::report {
namespace {

size_t CountOf(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + 1)) {
    ++count;
  }
  return count;
}

TEST(MarkdownTest, SaysWhatWasFound) {
  const std::string text = ToMarkdown(FullReport());
  for (const char* needle :
       {"## Locks on nfs4.2/2 (nfs4): ", "cut short", "**Use ofd:** it held",
        "| link | ❌ unsafe |", "| symlink | ⚪ unsupported |",
        "<details><summary>❌ fail <b>link family.fail&#95;0</b>",
        "actor 3 acquired it at +0.2 s\n  while actor 5",
        "replay: <code>locklab check --dir=/d</code>",
        "| fs.family.fail&#95;0 | MUST | fail |", "Failed, as was expected",
        "| seed | 18446744073709551615 |", "6.13 us"}) {
    EXPECT_NE(text.find(needle), std::string::npos) << needle << "\n" << text;
  }
}

TEST(MarkdownTest, FitsIntoAStepsSummaryAndSaysWhatDoesNot) {
  const std::string huge = ToMarkdown(HugeReport(1500));
  EXPECT_LE(huge.size(), kMarkdownLimit);
  EXPECT_GT(huge.size(), kMarkdownLimit / 2);
  EXPECT_NE(huge.find("more parts of this summary ("), std::string::npos);
  EXPECT_EQ(CountOf(huge, "<details>"), CountOf(huge, "</details>"));
  EXPECT_EQ(CountOf(huge, "<pre>"), CountOf(huge, "</pre>"));
  EXPECT_LE(ToMarkdown(HugeReport(100), 10'000).size(), 10'000u);
  EXPECT_LE(ToMarkdown(HostileReport(), 10'000).size(), 10'000u);
  EXPECT_EQ(ToMarkdown(FullReport()).find("left out"), std::string::npos);
}

// Within <pre> no markup is read but that of HTML.
std::string WithoutPre(std::string text) {
  for (size_t from = text.find("<pre>"); from != std::string::npos;
       from = text.find("<pre>")) {
    text.erase(from, text.find("</pre>", from) + 6 - from);
  }
  return text;
}

TEST(MarkdownTest, TakesNothingInTheReportForMarkup) {
  const std::string text = ToMarkdown(HostileReport());
  EXPECT_EQ(text, Plain(text));
  for (const char* markup : {"<b>'", "</failure>", "]]>"}) {
    EXPECT_EQ(text.find(markup), std::string::npos) << markup;
  }
  const std::string outside = WithoutPre(text);
  for (const char* markup : {"```", "@here", "~~", "`|", "${", "# TODO"}) {
    EXPECT_EQ(outside.find(markup), std::string::npos) << markup;
  }
  EXPECT_EQ(CountOf(text, "<pre>"), CountOf(text, "</pre>"));
  EXPECT_EQ(CountOf(text, "<details>"), CountOf(text, "</details>"));
  // Rows of the first table: nothing in a cell begins another.
  const size_t row = text.find("\n| ", text.find("|---")) + 1;
  EXPECT_EQ(CountOf(text.substr(row, text.find('\n', row) - row), "|"), 10u);
}

TEST(MarkdownTest, AnEmptyRunSaysSo) {
  EXPECT_NE(ToMarkdown(RunReport{}).find("nothing was examined"),
            std::string::npos);
}

}  // namespace
}  // namespace locklab::report
