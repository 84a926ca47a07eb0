// Reports of runs that were kept, as their readers meet them.
#include <fstream>
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

}  // namespace
}  // namespace locklab::cli
