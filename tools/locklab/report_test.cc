// Reports of runs that were kept, as their readers meet them.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "conformance/proc/temp_dir.h"
#include "conformance/report/json.h"
#include "conformance/report/sample.h"
#include "conformance/store/run_writer.h"
#include "conformance/verdict/exit.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/locklab/program.h"

namespace locklab::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class ReportTest : public testing::Test {
 protected:
  void Save(const std::string& run_id) {
    report_.context.run_id = run_id;
    store::RunWriter writer(dir_.path());
    writer.Begin(report_.context);
    writer.End(report_);
    EXPECT_EQ(writer.error(), "");
  }
  [[nodiscard]] Ended Report(std::vector<std::string> args) const {
    args.insert(args.begin(), {"report", "--results=" + dir_.path()});
    return RunLocklab(args);
  }

  proc::TempDir dir_;
  report::RunReport report_ = report::FullReport();
};

TEST_F(ReportTest, ListsWhatIsThere) {
  Save("0123456789aa");
  Save("0123456789bb");
  const Ended text = Report({"--list"});
  EXPECT_EQ(text.code, kExitOk) << text.err;
  EXPECT_THAT(text.out, HasSubstr("\n0123456789a  "));
  EXPECT_THAT(text.out, HasSubstr("\n0123456789b  "));
  EXPECT_THAT(text.out, HasSubstr("finished"));
  const Ended listed = Report({"--list", "--format=json"});
  const json runs = json::parse(listed.out).at("runs");
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[1]["run_id"], "0123456789bb");
  EXPECT_EQ(runs[1]["state"], "finished");
  EXPECT_EQ(runs[1]["seed"], report_.context.seed);
  EXPECT_EQ(runs[1]["exit_code"], report::ExitCodeOf(report_));
}

TEST_F(ReportTest, PrintsARunAsItWas) {
  Save("aaaa");
  const std::string first = report::ToJson(report_);
  Save("bbbb");
  EXPECT_EQ(Report({"--format=json"}).out, report::ToJson(report_));
  EXPECT_EQ(Report({"--format=json", "--run=aa"}).out, first);
  EXPECT_THAT(Report({}).out, HasSubstr(report_.backends[0].name));
}

TEST_F(ReportTest, SaysWhatIsWrongInOneLine) {
  EXPECT_THAT(Report({}).err, HasSubstr("there is no results store"));
  store::Store::Open(dir_.path(), store::Mode::kWrite);
  EXPECT_EQ(Report({"--list"}).code, kExitNothingRan);
  const Ended none = Report({});
  EXPECT_EQ(none.code, kExitUsage);
  EXPECT_THAT(none.err, HasSubstr("there is no run"));
  Save("aaaa");
  EXPECT_THAT(Report({"--run=b"}).err, HasSubstr("there is no run \"b\""));
  std::ofstream(dir_ / "results.db", std::ios::trunc) << std::string(99, 'x');
  const Ended bad = Report({});
  EXPECT_EQ(bad.code, kExitUsage);
  EXPECT_THAT(bad.err, HasSubstr("no SQLite database"));
  EXPECT_EQ(bad.err.find('\n'), bad.err.size() - 1) << bad.err;
}

// --html writes a page of stores and files; how it looks is tested in
// conformance/report/html.
TEST_F(ReportTest, WritesAPageOfManyRuns) {
  Save("0123456789aa");
  report_.context.variant = "elsewhere";
  Save("0123456789bb");
  const std::string page = dir_ / "page.html";
  std::ofstream(dir_ / "check.json") << report::ToJson(report_);
  const Ended ended = Report({"--html=" + page, dir_ / "check.json"});
  EXPECT_EQ(ended.code, kExitOk) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr(page));
  const std::string text = ReadAll(page);
  EXPECT_THAT(text, HasSubstr("0123456789aa"));
  EXPECT_THAT(text, HasSubstr("0123456789bb"));
  EXPECT_EQ(Report({"--html=" + page, "--run=0123456789a"}).code, kExitOk);
}

TEST_F(ReportTest, ShowsBenchmarksOnThePage) {
  const std::string page = dir_ / "page.html";
  {
    store::RunWriter writer(dir_.path());
    report_.context.run_id = "bench0123";
    writer.BeginBench(report_.context);
    writer.EndBench({.context = report_.context,
                     .series = {{.backend = "link",
                                 .measure = "uncontended",
                                 .samples = {21347.0}}},
                     .locks = {}},
                    "", kExitOk);
    EXPECT_EQ(writer.error(), "");
  }
  for (const std::vector<std::string>& args :
       {std::vector<std::string>{"--html=" + page},
        {"--html=" + page, "--run=bench"}}) {
    std::filesystem::remove(page);
    const Ended ended = Report(args);
    EXPECT_EQ(ended.code, kExitOk) << ended.err;
    EXPECT_THAT(ReadAll(page), HasSubstr("21347"));
  }
}

struct BadPage {
  std::vector<std::string> args;
  int code;
  const char* said;
};

TEST_F(ReportTest, WritesNoPageOfNothingOrNonsense) {
  store::Store::Open(dir_.path(), store::Mode::kWrite);
  const std::string page = "--html=" + (dir_ / "page.html");
  std::ofstream(dir_ / "newer.json")
      << R"({"schema_version": 99, "courses": []})";
  for (const BadPage& bad : std::vector<BadPage>{
           {{page}, kExitNothingRan, "nothing to show"},
           {{page, dir_ / "none.json"}, kExitUsage, "cannot be read"},
           {{page, dir_ / "newer.json"}, kExitUsage, "use a newer one"},
           {{page, dir_ / "results.db"}, kExitUsage, "not what locklab leaves"},
           {{page, "--run=x"}, kExitUsage, "there is no run"},
           {{page, "--results=" + (dir_ / "no")}, kExitUsage, "/no: "},
           {{page, "--list"}, kExitUsage, "nothing else"},
           {{"--html=a/b.html"}, kExitUsage, "a"},
           {{"--html", "data.json"}, kExitUsage, "before the files"},
           {{"data.json"}, kExitUsage, "name the page"},
           {{"--results=x"}, kExitUsage, "several --results"}}) {
    const Ended ended = Report(bad.args);
    EXPECT_EQ(ended.code, bad.code) << bad.args.back() << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(bad.said));
    EXPECT_FALSE(std::filesystem::exists(dir_ / "page.html"));
  }
}

}  // namespace
}  // namespace locklab::cli
