#include "conformance/report/plain.h"

#include <gtest/gtest.h>

namespace locklab::report {
namespace {

TEST(PlainTest, KeepsTextAndReplacesTheRest) {
  EXPECT_EQ(Plain("a\tb\nc € 𝄞"), "a\tb\nc € 𝄞");
  for (const char* bad : {"\x1b", "\x7f", "\x01", "\r", "\xff", "\xc2",
                          "\xc2\x85", "\xef\xbf\xbe", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(Plain(bad), "\xef\xbf\xbd") << bad;
  }
  // Overlong, a surrogate, beyond the last character, cut off: byte by byte.
  for (const char* bad : {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                          "\xe2\x82", "\xf0\x80\x80\xaf"}) {
    EXPECT_EQ(Plain(bad).size(), 3 * std::string_view(bad).size()) << bad;
  }
  EXPECT_EQ(Plain(std::string(1, '\0')), "\xef\xbf\xbd");
}

TEST(PlainTest, PutsWhatHasManyLinesInOne) {
  EXPECT_EQ(OneLine(" a\r\n\tb  c\n"), "a b c");
  EXPECT_EQ(OneLine("\n"), "");
}

TEST(PlainTest, SplitsLines) {
  EXPECT_EQ(PlainLines("a\r\n\n\tb"),
            (std::vector<std::string>{"a", "", " b"}));
  EXPECT_TRUE(PlainLines("").empty());
  EXPECT_EQ(PlainLines("a\n").size(), 1u);
}

TEST(PlainTest, CutsBetweenCharacters) {
  EXPECT_EQ(Shorten("abcdef", 6), "abcdef");
  EXPECT_EQ(Shorten("abcdefg", 6), "abc...");
  EXPECT_EQ(Shorten("a€€€", 7), "a€...");
  EXPECT_EQ(Shorten("a€€€", 6), "a...");
}

}  // namespace
}  // namespace locklab::report
