// Bundles that were made and read by those who mean well, and what becomes of
// them when a bit falls over.
#include "conformance/bundle/bundle.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "conformance/bundle/manifest.h"
#include "conformance/bundle/scenario.h"
#include "conformance/report/json.h"
#include "conformance/report/sample.h"

namespace locklab::bundle {
namespace {

namespace fs = std::filesystem;

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

std::string Joined(const Verification& verification) {
  std::string out;
  for (const std::string& line : verification.discrepancies) out += line + "\n";
  return out;
}

TEST(BundleTest, FollowsFromWhatItHolds) {
  Scenario scenario;
  const Verification verified = scenario.Bundled(scenario.report);
  EXPECT_EQ(Joined(verified), "");
  EXPECT_EQ(verified.histories, 3);
  EXPECT_EQ(verified.events, 3 * 4 * 50 * 4);
  EXPECT_EQ(verified.digest.size(), 64u);
  EXPECT_EQ(report::ToJson(verified.report), report::ToJson(scenario.report));
  EXPECT_EQ(verified.report.backends[0].worth, report::Worth::kSafe);
  EXPECT_EQ(verified.report.backends[1].worth, report::Worth::kUnsafe);
}

TEST(BundleTest, KnowsTheHistoryOfALockWhoseNameIsNoFileName) {
  Scenario scenario;
  scenario.AddLock("adapter:./mine", false);
  report::Judge(&scenario.report);
  const Verification verified = scenario.Bundled(scenario.report);
  EXPECT_EQ(Joined(verified), "");
  EXPECT_EQ(verified.histories, 4);
}

TEST(BundleTest, IsTheSameBytesForTheSameRun) {
  Scenario scenario;
  WriteBundle(scenario.report, scenario.run_dir(), scenario.path("one"));
  // Neither the time of its making nor that of the files is in it.
  const auto old = fs::file_time_type::clock::now() - std::chrono::hours(1000);
  for (const auto& entry :
       fs::recursive_directory_iterator(scenario.run_dir())) {
    fs::last_write_time(entry.path(), old);
  }
  WriteBundle(scenario.report, scenario.run_dir(), scenario.path("two"));
  const std::string bytes = ReadAll(scenario.path("one"));
  EXPECT_EQ(bytes, ReadAll(scenario.path("two")));
  EXPECT_EQ(bytes.substr(4, 4), std::string(4, '\0')) << "gzip's time";
}

TEST(BundleTest, HoldsTheManifestFirst) {
  Scenario scenario;
  (void)scenario.Bundled(scenario.report);
  std::vector<Member> members = MembersOf(scenario.path("b.tar.gz"));
  EXPECT_EQ(members.front().name, "manifest.json");
  EXPECT_EQ(Find(members, "expectations/ext4.expect").text, "# none\n");
  EXPECT_EQ(Find(members, "report.json").text, report::ToJson(scenario.report));
  EXPECT_EQ(members.size(), 3 + 3 * 4u);
  for (const char* needle : {"\"seed\": 42", "\"suite_version\": \"0.1.0\"",
                             "\"exclusion.two_processes\"", "\"kernel\""}) {
    EXPECT_NE(members.front().text.find(needle), std::string::npos) << needle;
  }
}

TEST(BundleTest, OfEverySampleWithoutItsFilesSaysOnlyThatTheyAreMissing) {
  const proc::TempDir dir;
  for (const report::Sample& sample : report::Samples()) {
    // Two samples are not what Judge would make of them, on purpose.
    if (sample.name == "full" || sample.name == "hostile") continue;
    WriteBundle(sample.report, "", dir / "b");
    for (const std::string& line : Verify(dir / "b").discrepancies) {
      EXPECT_TRUE(line.find("there is no history") != std::string::npos ||
                  line.find("there is no copy of them") != std::string::npos)
          << sample.name << ": " << line;
    }
  }
}

TEST(BundleTest, LeavesAnOlderOneIfItCannotBeWritten) {
  Scenario scenario;
  const std::string path = scenario.path("b.tar.gz");
  WriteBundle(scenario.report, scenario.run_dir(), path);
  const std::string before = ReadAll(path);
  const std::string odd = scenario.run_dir() + "/history/link/a b.hist";
  std::ofstream(odd) << "x";
  EXPECT_THROW(WriteBundle(scenario.report, scenario.run_dir(), path),
               BundleError);
  EXPECT_EQ(ReadAll(path), before);
  EXPECT_THROW(WriteBundle(scenario.report, "", scenario.path("no/b")),
               BundleError);
  for (const auto& entry : fs::directory_iterator(scenario.path(""))) {
    EXPECT_EQ(entry.path().string().find(".tmp-"), std::string::npos) << entry;
  }
}

TEST(BundleTest, AMemberThatWasTamperedWithIsNamed) {
  Scenario scenario;
  const std::string path = scenario.path("b.tar.gz");
  (void)scenario.Bundled(scenario.report);
  const std::vector<Member> good = MembersOf(path);
  for (size_t i = 1; i < good.size(); ++i) {
    std::vector<Member> members = good;
    std::string& text = members[i].text;
    text[text.size() / 2] = static_cast<char>(text[text.size() / 2] ^ 1);
    Rewrite(path, members, /*sealed=*/false);
    EXPECT_NE(Joined(Verify(path)).find(members[i].name + ": its SHA-256 is "),
              std::string::npos)
        << members[i].name;
    members = good;
    members.erase(members.begin() + static_cast<std::ptrdiff_t>(i));
    Rewrite(path, members, /*sealed=*/false);
    EXPECT_NE(
        Joined(Verify(path)).find(good[i].name + ": is not in the bundle"),
        std::string::npos);
  }
  std::vector<Member> members = good;
  members.push_back(
      {.name = "history/link/more.hist", .path = "", .text = "x"});
  Rewrite(path, members, /*sealed=*/false);
  EXPECT_NE(Joined(Verify(path)).find("more.hist: is in the bundle, and"),
            std::string::npos);
}

struct BadManifest {
  const char* from;
  const char* to;
  const char* message;
};

TEST(BundleTest, AManifestThatIsNoneIsAnError) {
  Scenario scenario;
  const std::string path = scenario.path("b.tar.gz");
  (void)scenario.Bundled(scenario.report);
  const std::vector<Member> good = MembersOf(path);
  for (const BadManifest& bad : std::vector<BadManifest>{
           {"\"format_version\": 1", "\"format_version\": 2", "newer locklab"},
           {"\"format_version\": 1", "\"format_version\": \"1\"", "is none"},
           {"\"format_version\"", "\"version\"", "no format_version"},
           {"\"members\"", "\"contents\"", "cannot be read"},
           {"\"bytes\": ", "\"bytes\": -", "is no number"},
           {"\"sha256\": \"", "\"sha256\": \"x", "not described as it must"},
           {"\"report.json\"", "\"/etc/passwd\"", "not described as it must"},
           {"{", "", "cannot be read"}}) {
    std::vector<Member> members = good;
    Replace(&members.front().text, bad.from, bad.to);
    Rewrite(path, members, /*sealed=*/false);
    try {
      (void)Verify(path);
      ADD_FAILURE() << bad.to;
    } catch (const BundleError& error) {
      EXPECT_NE(std::string(error.what()).find(bad.message), std::string::npos)
          << error.what();
      EXPECT_NE(std::string(error.what()).find(path), std::string::npos);
    }
  }
}

// Whatever bytes: an answer or a BundleError, and quickly.
TEST(BundleTest, SurvivesAnyBytes) {
  Scenario scenario;
  const std::string path = scenario.path("b.tar.gz");
  WriteBundle(scenario.report, scenario.run_dir(), path);
  const std::string good = ReadAll(path);
  std::mt19937_64 random(20260103);
  const auto attempt = [&path](const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
    try {
      return Verify(path).discrepancies.empty();
    } catch (const BundleError& error) {
      EXPECT_NE(std::string(error.what()).find(path), std::string::npos);
      return false;
    }
  };
  for (int i = 0; i < 60; ++i) {
    std::string bytes = good;
    // Beyond the header of gzip, of which not every bit means something.
    const size_t at = 10 + random() % (bytes.size() - 10);
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
    attempt(bytes);
    EXPECT_FALSE(attempt(good.substr(0, at))) << "cut at " << at;
  }
  EXPECT_FALSE(attempt(""));
  EXPECT_FALSE(attempt("not a bundle at all\n"));
  EXPECT_FALSE(attempt(good.substr(1)));
  EXPECT_TRUE(attempt(good));
}

// The same within members, past gzip's own checksum.
TEST(BundleTest, SurvivesAnyMembers) {
  Scenario scenario;
  const std::string path = scenario.path("b.tar.gz");
  WriteBundle(scenario.report, scenario.run_dir(), path);
  const std::vector<Member> good = MembersOf(path);
  std::mt19937_64 random(20260104);
  int found = 0;
  constexpr int kTries = 100;
  for (int i = 0; i < kTries; ++i) {
    std::vector<Member> members = good;
    std::string& text = members[random() % members.size()].text;
    text[random() % text.size()] = static_cast<char>(random());
    try {
      Rewrite(path, members, /*sealed=*/random() % 2 == 0);
      found += Verify(path).discrepancies.empty() ? 0 : 1;
    } catch (const BundleError&) {
      ++found;
    }
  }
  EXPECT_GT(found, kTries / 2);
}

}  // namespace
}  // namespace locklab::bundle
