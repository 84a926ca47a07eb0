// What embed_text gives to a program is what lies in the tree.
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tools/bazel/embedded_samples.h"

namespace locklab {
namespace {

std::string InTree(const std::string& name) {
  std::ifstream in("tools/bazel/testdata/" + name, std::ios::binary);
  EXPECT_TRUE(in.is_open()) << name;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(EmbedText, HasEveryFileInTheOrderOfTheirNames) {
  std::vector<std::string> names;
  for (const EmbeddedText& file : EmbeddedSamples())
    names.emplace_back(file.name);
  EXPECT_EQ(names, (std::vector<std::string>{"a.txt", "binary.txt", "empty.txt",
                                             "hostile.txt"}));
}

TEST(EmbedText, IsTheSameByteForByte) {
  for (const EmbeddedText& file : EmbeddedSamples()) {
    EXPECT_EQ(file.text, InTree(std::string(file.name))) << file.name;
  }
  EXPECT_NE(FindText(EmbeddedSamples(), "binary.txt")->find('\0'),
            std::string_view::npos);
}

TEST(EmbedText, IsFoundByItsName) {
  EXPECT_EQ(FindText(EmbeddedSamples(), "a.txt"), "plain\n");
  EXPECT_EQ(FindText(EmbeddedSamples(), "empty.txt"), "");
  EXPECT_EQ(FindText(EmbeddedSamples(), "testdata/a.txt"), std::nullopt);
  EXPECT_EQ(FindText(EmbeddedSamples(), ""), std::nullopt);
}

}  // namespace
}  // namespace locklab
