#include "tools/locklab/formats.h"

#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "conformance/proc/temp_dir.h"
#include "conformance/report/json.h"
#include "conformance/report/sample.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/locklab/flags.h"

namespace locklab::cli {
namespace {

using ::testing::HasSubstr;

class FormatsTest : public testing::Test {
 protected:
  // Parses flags in their order.
  void Parse(std::vector<std::string> args) {
    CLI::App app;
    files_.Declare(app);
    std::reverse(args.begin(), args.end());
    app.parse(args);
  }
  [[nodiscard]] std::string Complaint(const char* printed = "text") const {
    try {
      files_.Check(printed);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  }
  [[nodiscard]] std::string Read(const std::string& name) const {
    std::ifstream in(dir_ / name);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }

  proc::TempDir dir_;
  ReportFiles files_;
  std::ostringstream out_;
  std::ostringstream err_;
  Console out_console_{.stream = out_};
  Console err_console_{.stream = err_};
  Context context_{
      .out = out_console_, .err = err_console_, .command_line = {}, .rest = {}};
};

TEST_F(FormatsTest, EveryRowIsAFlagThatWritesItsFile) {
  const report::RunReport report = report::FullReport();
  std::vector<std::string> args;
  for (const ReportFormat& format : ReportFormats()) {
    const std::string name(format.name);
    args.push_back("--" + name + "=" + dir_ / name);
  }
  Parse(args);
  EXPECT_EQ(Complaint(), "");
  EXPECT_FALSE(files_.ToStdout());
  EXPECT_TRUE(files_.Write(report, context_)) << err_.str();
  for (const ReportFormat& format : ReportFormats()) {
    EXPECT_EQ(Read(std::string(format.name)), format.write(report));
  }
  EXPECT_EQ(out_.str(), "");
}

TEST_F(FormatsTest, ADashIsStandardOutput) {
  const report::RunReport report = report::FullReport();
  Parse({"--json=-"});
  EXPECT_EQ(Complaint(), "");
  EXPECT_TRUE(files_.ToStdout());
  EXPECT_TRUE(files_.Write(report, context_));
  EXPECT_EQ(out_.str(), report::ToJson(report));
}

TEST_F(FormatsTest, StandardOutputTakesOneReport) {
  Parse({"--junit=-"});
  EXPECT_EQ(Complaint(), "");
  EXPECT_THAT(Complaint("json"),
              HasSubstr("--junit=- and --format=json both go to standard"));
  Parse({"--json=-"});
  EXPECT_THAT(Complaint(), HasSubstr("another report"));
}

TEST_F(FormatsTest, AnUnwritablePlaceIsKnownBeforeTheRun) {
  Parse({"--junit=" + dir_ / "missing" + "/a.xml"});
  EXPECT_THAT(Complaint(), HasSubstr("--junit=" + dir_ / "missing/a.xml"));
  EXPECT_THAT(Complaint(), HasSubstr("ENOENT"));
}

TEST_F(FormatsTest, ADirectoryIsNoFile) {
  Parse({"--tap=" + dir_.path()});
  EXPECT_THAT(Complaint(), HasSubstr("it is a directory"));
}

TEST_F(FormatsTest, TwoReportsNeverShareAPlace) {
  Parse({"--tap=" + dir_ / "a", "--json=" + dir_.path() + "/./a"});
  EXPECT_THAT(Complaint(), HasSubstr("another report"));
}

TEST_F(FormatsTest, AFileThatIsNoReportNeedsAPlaceOfItsOwn) {
  const auto complaint = [this](const std::string& path) -> std::string {
    try {
      files_.CheckOther("--bundle", path);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  };
  Parse({"--tap=" + dir_ / "a"});
  EXPECT_EQ(complaint(dir_ / "b"), "");
  EXPECT_THAT(complaint("-"), HasSubstr("--bundle=-: it is not for standard"));
  EXPECT_THAT(complaint(dir_.path()), HasSubstr("it is a directory"));
  EXPECT_THAT(complaint(dir_ / "missing/b"), HasSubstr("ENOENT"));
  EXPECT_THAT(complaint(dir_.path() + "/./a"), HasSubstr("--tap is to go"));
}

TEST_F(FormatsTest, WhatCannotBeWrittenIsSaidAndTheOthersAreWritten) {
  Parse({"--json=/dev/full", "--tap=" + dir_ / "a.tap"});
  EXPECT_EQ(Complaint(), "");
  EXPECT_FALSE(files_.Write(report::FullReport(), context_));
  EXPECT_THAT(err_.str(), HasSubstr("--json=/dev/full"));
  EXPECT_THAT(err_.str(), HasSubstr("ENOSPC"));
  EXPECT_THAT(Read("a.tap"), HasSubstr("TAP version 13"));
}

}  // namespace
}  // namespace locklab::cli
