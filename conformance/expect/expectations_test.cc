// Expected failures: what a file may say, what follows, and what it must not.
#include "conformance/expect/expectations.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "conformance/proc/temp_dir.h"

namespace locklab::expect {
namespace {

const Names& TestNames() {
  static const Names names{
      .claims = {"exclusion.herd", "exclusion.two_threads", "fs.name_max"},
      .backends = {"link", "flock"}};
  return names;
}

Expectations Of(std::string_view text) {
  Expectations expectations;
  expectations.Add(text, "test.expect", TestNames());
  return expectations;
}

report::ClaimResult Result(Verdict verdict, const char* id = "exclusion.herd") {
  return {.id = id,
          .level = Level::kMust,
          .finding = {verdict, "seen"},
          .replay = ""};
}

Verdict After(const char* text, Verdict verdict, const char* filesystem = "nfs",
              const char* backend = "link") {
  report::ClaimResult result = Result(verdict);
  Of(text).Apply(filesystem, backend, &result);
  return result.finding.verdict;
}

struct Case {
  const char* name;
  const char* text;
  Verdict found;
  Verdict becomes;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class Applied : public testing::TestWithParam<Case> {};

TEST_P(Applied, BecomesWhatTheFileSays) {
  const Case& c = GetParam();
  EXPECT_EQ(VerdictName(After(c.text, c.found)), VerdictName(c.becomes));
}

constexpr char kFails[] = "nfs link exclusion.herd fails why\n";
constexpr char kMayFail[] = "nfs link exclusion.herd may-fail why\n";

INSTANTIATE_TEST_SUITE_P(
    Lines, Applied,
    testing::Values(
        Case{"expected", kFails, Verdict::kFail, Verdict::kXfail},
        Case{"surprise", kFails, Verdict::kPass, Verdict::kXpass},
        Case{"unsupported", kFails, Verdict::kUnsupported,
             Verdict::kUnsupported},
        Case{"inconclusive", kFails, Verdict::kInconclusive,
             Verdict::kInconclusive},
        Case{"chance_fails", kMayFail, Verdict::kFail, Verdict::kXfail},
        Case{"chance_passes", kMayFail, Verdict::kPass, Verdict::kPass},
        Case{"nothing_said", "", Verdict::kFail, Verdict::kFail},
        Case{"other_filesystem", "ext4 link exclusion.herd fails why",
             Verdict::kFail, Verdict::kFail},
        Case{"other_backend", "nfs flock exclusion.herd fails why",
             Verdict::kFail, Verdict::kFail},
        Case{"other_claim", "nfs link fs.name_max fails why", Verdict::kFail,
             Verdict::kFail},
        Case{"patterns", "n* l?nk exclusion.* fails why", Verdict::kFail,
             Verdict::kXfail},
        Case{"last_one_counts",
             "* * * fails why\nnfs link exclusion.* holds not here\n",
             Verdict::kFail, Verdict::kFail},
        Case{"later_line_expects",
             "* * * holds why\nnfs link exclusion.* fails here\n",
             Verdict::kFail, Verdict::kXfail}),
    [](const auto& info) { return info.param.name; });

TEST(Expectations, KeepReasonLinkAndPlace) {
  const auto expectations =
      Of("# a comment\n\n"
         "nfs link exclusion.herd fails  it is\n"
         "\tknown  <https://example.org/1>\n");
  report::ClaimResult result = Result(Verdict::kFail);
  expectations.Apply("nfs", "link", &result);
  ASSERT_TRUE(result.expected.has_value());
  EXPECT_EQ(result.expected->reason, "it is known");
  EXPECT_EQ(result.expected->link, "https://example.org/1");
  EXPECT_EQ(result.expected->where, "test.expect:3");
  EXPECT_EQ(result.finding.reason, "seen");
}

TEST(Expectations, ADashIsForPrimitives) {
  report::ClaimResult result = Result(Verdict::kFail, "fs.name_max");
  Of("* - fs.name_max fails why").Apply("nfs", "-", &result);
  EXPECT_EQ(VerdictName(result.finding.verdict), "xfail");
}

struct Wrong {
  const char* name;
  const char* text;
  const char* message;
};

void PrintTo(const Wrong& w, std::ostream* out) { *out << w.name; }

class Refused : public testing::TestWithParam<Wrong> {};

TEST_P(Refused, WithTheLineAndWhatIsWrong) {
  const Wrong& wrong = GetParam();
  try {
    Of(wrong.text);
    FAIL() << "accepted";
  } catch (const ExpectError& error) {
    const std::string message = error.what();
    EXPECT_TRUE(message.starts_with("test.expect:2: ")) << message;
    EXPECT_NE(message.find(wrong.message), std::string::npos) << message;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Lines, Refused,
    testing::Values(
        Wrong{"claim", "\n* link exclusion.hurd fails why",
              "exclusion.hurd matches no claim"},
        Wrong{"claim_pattern", "\n* link nosuch.* fails why",
              "nosuch.* matches no claim"},
        Wrong{"backend", "\n* lnik exclusion.herd fails why",
              "lnik matches no backend"},
        Wrong{"word", "\n* link exclusion.herd flies why", "\"flies\" where"},
        Wrong{"no_reason", "\n* link exclusion.herd fails",
              "the reason is missing"},
        Wrong{"link_alone", "\n* link exclusion.herd fails <http://x>",
              "the reason is missing"},
        Wrong{"short", "\nnfs", "a line is FILESYSTEM BACKEND CLAIM"}),
    [](const auto& info) { return info.param.name; });

TEST(Expectations, AreAddedWholeOrNotAtAll) {
  Expectations expectations;
  EXPECT_THROW(expectations.Add("* link exclusion.herd fails why\nnonsense\n",
                                "x", TestNames()),
               ExpectError);
  EXPECT_TRUE(expectations.empty());
}

TEST(Expectations, SurviveAnyBytes) {
  uint64_t state = 88172645463325252u;  // xorshift64, fixed seed
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (int i = 0; i < 64; ++i) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      constexpr char kBytes[] = "*? \n\t#<>[]\\l-\0\xff fails link";
      text += kBytes[state % sizeof kBytes];
    }
    try {
      (void)Of(text);
    } catch (const ExpectError&) {
    }
  }
}

TEST(AddFile, SaysWhatIsWrongWithTheFile) {
  const proc::TempDir dir;
  std::ofstream(dir / "long") << std::string(2 << 20, '#');
  Expectations expectations;
  for (const auto& [file, message] :
       std::vector<std::pair<std::string, std::string>>{
           {dir / "missing", "No such file"},
           {dir.path(), "Is a directory"},
           {dir / "long", "longer than 1 MiB"},
           {"@nosuch", "no expectation pack @nosuch"}}) {
    try {
      AddFile(file, TestNames(), &expectations);
      ADD_FAILURE() << file << " was accepted";
    } catch (const ExpectError& error) {
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos)
          << error.what();
    }
  }
  std::ofstream(dir / "good") << "* link exclusion.herd fails why\n";
  AddFile(dir / "good", TestNames(), &expectations);
  EXPECT_FALSE(expectations.empty());
}

std::string ReadAll(const std::string& path) {
  std::ifstream in(path);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

TEST(KeepSources, WritesThoseOfOneNameBesideEachOther) {
  const proc::TempDir dir;
  const std::vector<Source> sources = {{"known.expect", "one"},
                                       {"@ext4", "pack"},
                                       {"known.expect", "two"},
                                       {"..\n my list", "three"},
                                       {std::string(300, 'x'), "four"}};
  ASSERT_EQ(KeepSources(sources, dir / "a/b"), "");
  EXPECT_EQ(ReadAll(dir / "a/b/1-known.expect"), "one");
  EXPECT_EQ(ReadAll(dir / "a/b/2-ext4.expect"), "pack");
  EXPECT_EQ(ReadAll(dir / "a/b/3-known.expect"), "two");
  EXPECT_EQ(ReadAll(dir / "a/b/4-..__my_list"), "three");
  EXPECT_EQ(ReadAll(dir / "a/b/5-" + std::string(100, 'x')), "four");
  std::ofstream(dir / "file") << "x";
  EXPECT_NE(KeepSources(sources, dir / "file/x").find("ENOTDIR"),
            std::string::npos);
}

TEST(AddFile, ReturnsWhatItAdded) {
  const proc::TempDir dir;
  const std::string text = "* link exclusion.herd fails why\n";
  std::ofstream(dir / "good") << text;
  Expectations expectations;
  const auto file = AddFile(dir / "good", TestNames(), &expectations);
  ASSERT_EQ(file.size(), 1u);
  EXPECT_EQ(file[0].name, "good");
  EXPECT_EQ(file[0].text, text);
}

}  // namespace
}  // namespace locklab::expect
