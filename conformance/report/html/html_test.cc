#include "conformance/report/html/html.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "conformance/report/sample.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace locklab::report {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kOpen =
    "<script type=\"application/json\" id=\"data\">";

// A page as its two parts.
struct Parts {
  std::string frame;
  std::string data;
};

Parts PartsOf(const std::string& page) {
  const size_t open = page.find(kOpen) + kOpen.size();
  const size_t close = page.find("</script>", open);
  return {page.substr(0, open) + page.substr(close),
          page.substr(open, close - open)};
}

Parts PageOf(RunReport run) {
  HtmlPage page;
  page.Add(std::move(run));
  return PartsOf(page.Write());
}

std::string TestData(const std::string& name) {
  const std::string path = "conformance/report/html/testdata/" + name + ".json";
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.is_open()) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(HtmlTest, NothingInTheDataReachesTheFrame) {
  const std::string frame = PageOf(RunReport()).frame;
  EXPECT_THAT(frame, HasSubstr("default-src 'none'"));
  EXPECT_THAT(frame, Not(HasSubstr("{{")));
  for (Sample& sample : Samples()) {
    const Parts parts = PageOf(std::move(sample.report));
    EXPECT_EQ(parts.frame, frame) << sample.name;
    EXPECT_THAT(parts.data, Not(HasSubstr("<"))) << sample.name;
    EXPECT_FALSE(json::parse(parts.data, nullptr, false).is_discarded())
        << sample.name;
  }
}

TEST(HtmlTest, ReferencesNothingOutside) {
  const std::string frame = PageOf(RunReport()).frame;
  for (const char* word : {" src=", "<link", "@import", "url(", "<iframe"}) {
    // Chart.js draws to a canvas; it loads nothing.
    EXPECT_THAT(frame, Not(HasSubstr(word))) << word;
  }
}

TEST(HtmlTest, SameContentsGiveTheSameBytes) {
  HtmlPage a;
  HtmlPage b;
  for (HtmlPage* page : {&a, &b}) {
    page->Add(FullReport());
    page->AddDocument("stress", TestData("stress"));
  }
  EXPECT_EQ(a.Write(), b.Write());
}

TEST(HtmlTest, StaysSmallAndSaysSo) {
  RunReport run = HugeReport(100);
  for (BackendReport& backend : run.backends) {
    for (int i = 0; i < 50; ++i) {
      ClaimResult claim = backend.claims.back();
      claim.id = fmt::format("a.claim{}", i);
      claim.finding.evidence =
          fmt::format("{} {} ", backend.name, i) + std::string(5000, 'x');
      backend.claims.push_back(claim);
    }
  }
  HtmlPage page;
  page.Add(run);
  const std::string text = page.Write();
  EXPECT_LE(text.size(), kHtmlBytes);
  EXPECT_TRUE(json::parse(PartsOf(text).data).at("shortened").get<bool>());
  EXPECT_FALSE(
      json::parse(PageOf(FullReport()).data).at("shortened").get<bool>());
}

// The ids of the runs whose verdicts the page shows, and of those in the trend.
std::pair<json, json> RunsOf(const std::vector<RunReport>& runs) {
  HtmlPage page;
  for (const RunReport& run : runs) page.Add(run);
  const json data = json::parse(PartsOf(page.Write()).data);
  std::pair<json, json> ids = {json::array(), json::array()};
  for (const json& run : data.at("runs")) ids.first.push_back(run.at("id"));
  for (const json& run : data.at("trend")) ids.second.push_back(run.at("id"));
  return ids;
}

RunReport RunOf(const char* id, const char* started, const char* host = "a") {
  RunReport run = FullReport();
  run.cut_short.clear();
  run.context.run_id = id;
  run.context.started = started;
  run.context.host = host;
  return run;
}

TEST(HtmlTest, ShowsTheLastWholeRunOfEachLock) {
  const RunReport old = RunOf("old", "2026-01-01T00:00:00Z");
  RunReport newer = RunOf("newer", "2026-01-02T00:00:00Z");
  RunReport partial = RunOf("partial", "2026-01-03T00:00:00Z");
  partial.context.claims_chosen = 1;
  EXPECT_EQ(RunsOf({old, newer, partial}),
            std::pair(json{"newer"}, json({"newer", "old", "partial"})));
  newer.backends.resize(1);
  EXPECT_EQ(RunsOf({old, newer}).first, json({"newer", "old"}));
}

TEST(HtmlTest, KeepsOfManyRunsTheLast) {
  HtmlPage page;
  for (int i = 0; i < 1000; ++i) {
    page.Add(RunOf(
        fmt::format("check{}", i).c_str(),
        fmt::format("2026-01-01T00:{:02}:{:02}Z", i / 60, i % 60).c_str()));
    store::BenchRun bench = {.context = FullReport().context,
                             .series = {{.backend = "link",
                                         .measure = "uncontended",
                                         .samples = {1.0 + i, 2.0 + i},
                                         .buckets = {{i, 7}}}},
                             .locks = {}};
    bench.context.run_id = fmt::format("{}", i);
    page.Add(bench);
  }
  const std::string text = page.Write();
  EXPECT_LE(text.size(), kHtmlBytes);
  const json data = json::parse(PartsOf(text).data);
  const json& trend = data.at("trend");
  const json& documents = data.at("documents");
  EXPECT_EQ(data.at("left_out"), 2000 - trend.size() - documents.size());
  EXPECT_GE(trend.size(), 40u);
  EXPECT_EQ(trend[0].at("id"), "check999");
  EXPECT_EQ(documents.back().at("name"), "run 999");
  EXPECT_FALSE(documents.back().at("json").contains("brief"));
  EXPECT_EQ(documents[0].at("json").at("brief"), true);
}

TEST(HtmlTest, TellsHostsApart) {
  EXPECT_EQ(RunsOf({RunOf("x", "2026-01-01T00:00:00Z", "a"),
                    RunOf("y", "2026-01-02T00:00:00Z", "b")})
                .first,
            json({"x", "y"}));
}

// --- documents --------------------------------------------------------------

TEST(DocumentTest, IsKnownByItsKeys) {
  for (const char* kind : {"bench", "crash", "explore", "sins", "stress"}) {
    const Documents read = ReadDocument(kind, TestData(kind));
    ASSERT_EQ(read.others.size(), 1u) << kind;
    EXPECT_EQ(read.others[0].kind, kind);
  }
  EXPECT_EQ(ReadDocument("check", ToJson(FullReport())).runs.size(), 1u);
}

TEST(DocumentTest, OfLabHoldsThoseOfItsVariants) {
  const json lab = {
      {"schema_version", 1},
      {"variants",
       {{{"name", "tmpfs"}, {"report", json::parse(ToJson(FullReport()))}},
        {{"name", "ext4"}, {"report", nullptr}},
        {{"name", "xfs"}, {"report", json::parse(TestData("stress"))}}}}};
  const Documents read = ReadDocument("lab", lab.dump());
  EXPECT_EQ(read.runs.size(), 1u);
  ASSERT_EQ(read.others.size(), 1u);
  EXPECT_EQ(read.others[0].name, "xfs");
}

TEST(DocumentTest, KeepsLargeSeedsExactly) {
  EXPECT_THAT(ReadDocument("s", TestData("stress")).others[0].json,
              HasSubstr("\"18446744073709551615\""));
}

TEST(DocumentTest, NamesNoFileThatIsMadeForOneRun) {
  EXPECT_EQ(WithoutTokens("Open job.lock.4523b8d16ecff7e8.144c"),
            "Open job.lock.*");
  EXPECT_EQ(WithoutTokens("Link job.lock"), "Link job.lock");
  EXPECT_EQ(WithoutTokens("ListDir e14"), "ListDir e14");
  EXPECT_EQ(WithoutTokens(""), "");
}

struct Bad {
  const char* text;
  const char* said;
};
class BadDocumentTest : public testing::TestWithParam<Bad> {};

TEST_P(BadDocumentTest, IsRefused) {
  try {
    (void)ReadDocument("file.json", GetParam().text);
    ADD_FAILURE() << "was taken: " << GetParam().text;
  } catch (const JsonError& error) {
    EXPECT_THAT(error.what(), testing::StartsWith("file.json: "));
    EXPECT_THAT(error.what(), HasSubstr(GetParam().said));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, BadDocumentTest,
    testing::Values(
        Bad{"", "not what locklab leaves"}, Bad{"[1]", "no object"},
        Bad{"{}", "name such a file"},
        Bad{R"({"schema_version": 99, "courses": []})", "use a newer one"},
        Bad{R"({"schema_version": 99, "context": {}})", "use a newer one"},
        Bad{R"({"schema_version": 99, "variants": []})", "use a newer one"},
        Bad{R"({"schema_version": 0, "rows": [], "seed": 1})", "its schema"},
        Bad{R"({"schema_version": 1, "rows": 7, "seed": 1})", "no list"},
        Bad{R"({"schema_version": 1, "courses": []})", "key 'dir' not found"},
        Bad{R"({"schema_version": 1, "environment": {}, "locks": [], "series":
            [{"backend": "a", "measure": "b", "samples": [null]}]})",
            "no measured value"},
        Bad{R"({"schema_version": 1, "environment": {}, "locks": [], "series":
            [{"backend": "a", "measure": "b", "samples": [NaN]}]})",
            "not what locklab leaves"}));

}  // namespace
}  // namespace locklab::report
