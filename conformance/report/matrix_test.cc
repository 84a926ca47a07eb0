#include "conformance/report/matrix.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "conformance/report/sample.h"

namespace locklab::report {
namespace {

using nlohmann::json;

BackendReport Backend(const std::string& name, Worth worth) {
  BackendReport backend;
  backend.name = name;
  backend.worth = worth;
  backend.reason = worth == Worth::kSafe ? "" : "it was seen | to fail";
  if (worth == Worth::kSafe) {
    backend.latency_ns = Percentiles{.p50 = 24300, .p99 = 47400};
  }
  return backend;
}

RunReport On(const std::string& variant, std::vector<BackendReport> backends) {
  RunReport report;
  report.context.variant = variant;
  report.context.dir = "/tmp/somewhere";
  report.context.kernel = "Linux 6.1";
  report.backends = std::move(backends);
  report.recommendation = Recommendation{.backend = "link", .reason = ""};
  return report;
}

std::vector<RunReport> Two() {
  RunReport known = On("smb3", {Backend("symlink", Worth::kUnsupported),
                                Backend("flock", Worth::kUnsafe)});
  known.backends[1].claims.push_back(
      {.id = "acquire.waits_while_held",
       .finding = Finding{Verdict::kXfail, "", ""},
       .replay = ""});
  return {On("ext4",
             {Backend("link", Worth::kSafe), Backend("flock", Worth::kUnsafe)}),
          known};
}

TEST(MatrixTest, HasARowForEachFilesystemAndAColumnForEachLock) {
  const std::vector<RunReport> reports = Two();
  const std::string text = MatrixText(reports, {});
  EXPECT_EQ(text.substr(0, text.find("\n\n") + 1),
            "filesystem      link     flock   symlink  use\n"
            "ext4         24.3 us    unsafe            link\n"
            "             47.4 us\n"
            "smb3                    unsafe         -  link\n"
            "                       (known)\n");
  EXPECT_NE(text.find("\next4 flock: unsafe: it was seen | to fail\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\nsmb3 symlink: unsupported: "), std::string::npos);
}

TEST(MatrixTest, AFailureThatNobodyExpectedIsNotKnown) {
  std::vector<RunReport> reports = Two();
  reports[1].backends[1].claims[0].finding.verdict = Verdict::kFail;
  EXPECT_EQ(MatrixText(reports, {}).find("\n                       (known)"),
            std::string::npos);
}

TEST(MatrixTest, MarkdownKeepsItsCells) {
  const std::string page = MatrixMarkdown(Two());
  EXPECT_NE(page.find("| filesystem | link | flock | symlink | use |\n"
                      "|---|--:|--:|--:|---|\n"
                      "| ext4 | 24.3 us<br>47.4 us | unsafe |  | link |\n"),
            std::string::npos)
      << page;
  EXPECT_NE(page.find("it was seen \\| to fail"), std::string::npos) << page;
  const std::string hostile = MatrixMarkdown(std::vector{HostileReport()});
  EXPECT_EQ(hostile.find("<script"), std::string::npos);
}

TEST(MatrixTest, JsonSaysAllOfIt) {
  const json document = json::parse(MatrixJson(Two()));
  ASSERT_EQ(document["filesystems"].size(), 2u);
  const json& ext4 = document["filesystems"][0];
  EXPECT_EQ(ext4["name"], "ext4");
  EXPECT_EQ(ext4["backends"][0]["latency_ns"]["p99"], 47400);
  EXPECT_EQ(ext4["backends"][1]["verdict"], "unsafe");
  EXPECT_EQ(ext4["backends"][1]["expected"], false);
  EXPECT_EQ(document["filesystems"][1]["backends"][1]["expected"], true);
  EXPECT_FALSE(json::parse(MatrixJson(std::vector{HostileReport()})).empty());
}

TEST(MatrixTest, TheLastRunInAPlaceCounts) {
  std::vector<RunReport> reports = {On("ext4", {}), On("xfs", {}),
                                    On("ext4", {})};
  reports[0].context.started = "2026-01-01T00:00:00Z";
  reports[2].context.started = "2026-01-02T00:00:00Z";
  reports[2].context.run_id = "later";
  const std::vector<RunReport> latest = LatestOfEach(reports);
  ASSERT_EQ(latest.size(), 2u);
  EXPECT_EQ(latest[0].context.variant, "xfs");
  EXPECT_EQ(latest[1].context.run_id, "later");
  EXPECT_EQ(MatrixText({}, {}), "");
}

TEST(MatrixTest, AWholeRunCountsMoreThanALaterPartOfOne) {
  std::vector<RunReport> reports = {On("ext4", {}), On("ext4", {}),
                                    On("ext4", {})};
  reports[0].context.run_id = "whole";
  reports[0].context.started = "2026-01-01T00:00:00Z";
  reports[1].context.started = "2026-01-02T00:00:00Z";
  reports[1].cut_short = "interrupted by SIGINT";
  reports[2].context.started = "2026-01-03T00:00:00Z";
  reports[2].context.claims_total = 2;
  reports[2].context.claims_chosen = 1;
  const std::vector<RunReport> counted = LatestOfEach(reports);
  ASSERT_EQ(counted.size(), 1u);
  EXPECT_EQ(counted[0].context.run_id, "whole");
}

}  // namespace
}  // namespace locklab::report
