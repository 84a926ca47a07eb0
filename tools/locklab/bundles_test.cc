// Reports and bundles as their users meet them: of a run that was really made,
// and of runs in a store.
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "conformance/bundle/bundle.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/report/json.h"
#include "conformance/report/junit.h"
#include "conformance/report/sample.h"
#include "conformance/store/run_writer.h"
#include "conformance/store/store.h"
#include "conformance/verdict/exit.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/locklab/program.h"

namespace locklab::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A sound lock and a broken one, examined by what histories decide on.
class RealRunTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(dir_ / "examined");
    const Ended ended = RunLocklab(
        {"check", "--dir=" + dir_ / "examined", "--format=json",
         "--backend=flock,canary:check-then-create", "--out=" + dir_ / "out",
         "--filter=^(exclusion.two_processes|load.progress)$"});
    ASSERT_EQ(ended.code, kExitFailed) << ended.out << ended.err;
    report_ = report::FromJson(ended.out);
    ASSERT_EQ(report_.backends.size(), 2u);
  }
  void Pack() const {
    bundle::WriteBundle(
        report_, store::RunDirectory(dir_ / "out", report_.context.run_id),
        bundle_);
  }
  [[nodiscard]] Ended Verify(const char* format = "text") const {
    return RunLocklab(
        {"report", "--verify=" + bundle_, std::string("--format=") + format});
  }

  proc::TempDir dir_;
  report::RunReport report_;
  const std::string bundle_ = dir_ / "b.tar.gz";
};

TEST_F(RealRunTest, FollowsFromItsBundle) {
  Pack();
  const Ended text = Verify();
  EXPECT_EQ(text.code, kExitOk) << text.out << text.err;
  EXPECT_THAT(text.out, HasSubstr("judged again: 3 histories"));
  EXPECT_THAT(text.out, HasSubstr("\nsha256 "));
  EXPECT_TRUE(text.out.ends_with("the verdicts follow\n")) << text.out;
  const Ended json = Verify("json");
  EXPECT_EQ(nlohmann::json::parse(json.out).at("follows"), true);
}

TEST_F(RealRunTest, WhoseBrokenLockIsCalledSafeDoesNotFollow) {
  report::BackendReport& broken = report_.backends[1];
  broken.contention->violations = 0;
  for (report::ClaimResult& claim : broken.claims) {
    claim.finding = Finding::Pass();
  }
  report::Judge(&report_);
  ASSERT_EQ(broken.worth, report::Worth::kSafe);
  Pack();
  const Ended text = Verify();
  EXPECT_EQ(text.code, kExitFailed);
  EXPECT_THAT(text.out,
              HasSubstr("does not follow: canary:check-then-create: violations "
                        "is 0 in the"));
  EXPECT_TRUE(text.out.ends_with("the verdicts do NOT follow\n")) << text.out;
  const auto json = nlohmann::json::parse(Verify("json").out);
  EXPECT_EQ(json.at("follows"), false);
  EXPECT_FALSE(json.at("discrepancies").empty());
}

class StoredRunTest : public testing::Test {
 protected:
  void SetUp() override {
    report_ = report::FullReport();
    store::RunWriter writer(results_);
    writer.Begin(report_.context);
    writer.End(report_);
    ASSERT_EQ(writer.error(), "");
  }
  [[nodiscard]] Ended Report(std::vector<std::string> args) const {
    args.insert(args.begin(), {"report", "--results=" + results_});
    return RunLocklab(args);
  }

  proc::TempDir dir_;
  const std::string results_ = dir_ / "results";
  report::RunReport report_;
};

TEST_F(StoredRunTest, IsWrittenInSeveralFormatsAtOnce) {
  const Ended ended =
      Report({"--json=" + dir_ / "a.json", "--junit=" + dir_ / "a.xml",
              "--bundle=" + dir_ / "a.tar.gz"});
  EXPECT_EQ(ended.code, kExitOk) << ended.err;
  EXPECT_EQ(ended.out, "");
  EXPECT_EQ(ReadWhole(dir_ / "a.json"), report::ToJson(report_));
  EXPECT_EQ(ReadWhole(dir_ / "a.xml"), report::ToJunit(report_));
  EXPECT_EQ(bundle::Verify(dir_ / "a.tar.gz").report.context.run_id,
            report_.context.run_id);
}

TEST_F(StoredRunTest, GoesToStandardOutputAlone) {
  const Ended ended = Report({"--json=-"});
  EXPECT_EQ(ended.code, kExitOk) << ended.err;
  EXPECT_EQ(ended.out, report::ToJson(report_));
}

TEST_F(StoredRunTest, SaysWhatCannotBeWritten) {
  const Ended bundle = Report({"--bundle=" + dir_ / "no/a.tar.gz"});
  EXPECT_EQ(bundle.code, kExitUsage);
  EXPECT_THAT(bundle.err, HasSubstr("--bundle=" + dir_ / "no/a.tar.gz"));
  const Ended full = Report({"--tap=/dev/full"});
  EXPECT_EQ(full.code, kExitFailed);
  EXPECT_THAT(full.err, HasSubstr("ENOSPC"));
}

TEST(ReportTest, PrintsItsSchema) {
  const Ended ended = RunLocklab({"report", "--schema"});
  EXPECT_EQ(ended.code, kExitOk) << ended.err;
  EXPECT_EQ(ended.out, report::JsonSchema());
}

TEST(ReportTest, RefusesBadInputInOneLine) {
  const proc::TempDir dir;
  std::ofstream(dir / "garbage") << "hello\n";
  const struct {
    std::vector<std::string> args;
    std::string message;
  } cases[] = {
      {{}, "--results is required"},
      {{"--junit=" + dir / "a"}, "--results is required"},
      {{"--list", "--results=" + dir.path(), "--json=-"}, "--list writes no"},
      {{"--schema", "--list"}, "--schema goes with no flag but --format"},
      {{"--verify=" + dir / "garbage", "--results=" + dir.path()},
       "--verify goes with no flag"},
      {{"--verify=" + dir / "missing"}, "ENOENT"},
      {{"--verify=" + dir / "garbage"}, "is no bundle"},
      {{"--verify=" + dir.path()}, "is no bundle"},
      {{"--verify="}, "has no value"},
  };
  for (const auto& bad : cases) {
    std::vector<std::string> args = bad.args;
    args.insert(args.begin(), "report");
    const Ended ended = RunLocklab(args);
    EXPECT_EQ(ended.code, kExitUsage) << bad.message << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(bad.message));
    EXPECT_EQ(ended.err.find('\n'), ended.err.size() - 1) << ended.err;
    EXPECT_EQ(ended.out, "");
  }
}

}  // namespace
}  // namespace locklab::cli
