// The benchmark program as its users call it: what it prints and how it ends.
// Never how long anything takes.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "conformance/proc/child.h"
#include "conformance/proc/poll_until.h"
#include "conformance/proc/temp_dir.h"
#include "gtest/gtest.h"
#include "lib/backends.h"

namespace locklab::bench {
namespace {

using namespace std::chrono_literals;  // NOLINT

struct Ran {
  int code = -1;
  std::string out;
  std::string err;
};

std::string Slurp(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// Google Benchmark adds to a name how it was run.
std::string WithoutSuffixes(std::string name) {
  for (const char* suffix : {"/iterations", "/manual_time"}) {
    name = name.substr(0, name.find(suffix));
  }
  return name;
}

class BenchProgram : public testing::Test {
 protected:
  Ran Run(std::vector<std::string> arguments) {
    const std::string out = dir_ / "out";
    const std::string err = dir_ / "err";
    proc::Child child = proc::Child::Spawn([&] {
      dup2(open(out.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600), 1);
      dup2(open(err.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600), 2);
      arguments.insert(arguments.begin(), "bench/bench");
      std::vector<char*> argv;
      for (std::string& argument : arguments) argv.push_back(argument.data());
      argv.push_back(nullptr);
      execv(argv[0], argv.data());
      return 127;
    });
    const auto end = child.Wait(proc::In(120s));
    Ran ran{.out = Slurp(out), .err = Slurp(err)};
    if (end && end->signal == 0) ran.code = end->code;
    return ran;
  }
  [[nodiscard]] std::string DirFlag() const { return "--dir=" + dir_.path(); }

  proc::TempDir dir_;
};

TEST_F(BenchProgram, MeasuresEveryBackendBesideItsFloor) {
  const Ran ran =
      Run({DirFlag(), "--handoffs=10", "--events=8000",
           "--benchmark_min_time=0.001", "--benchmark_format=json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto document = nlohmann::json::parse(ran.out);
  EXPECT_EQ(document["context"]["dir"], dir_.path());
  std::set<std::string> names;
  for (const auto& run : document["benchmarks"]) {
    const std::string name = run["name"];
    names.insert(WithoutSuffixes(name));
    EXPECT_FALSE(run.contains("error_occurred")) << run;
    EXPECT_GT(run["real_time"], 0) << name;
    if (name.starts_with("handoff/") || name.starts_with("record/fcntl/") ||
        name.find("/ratio") != name.npos) {
      EXPECT_GT(run["ratio"], 0) << name;
    }
    if (name.starts_with("handoff/")) {
      EXPECT_GT(run["p50_ns"], 0) << name;
      EXPECT_GE(run["p99_ns"], run["p50_ns"]) << name;
      EXPECT_GT(run["floor_p50_ns"], 0) << name;
      EXPECT_GT(run["pipe_p50_ns"], 0) << name;
    }
  }
  std::set<std::string> expected = {"record/event", "record/fcntl/2",
                                    "record/fcntl/8"};
  for (const char* actors : {"8", "1000"}) {
    for (const char* what : {"/files", "/sweep", "/memory"}) {
      expected.insert(std::string("judge/") + actors + what);
    }
  }
  for (const lockfile::BackendRow& row : lockfile::Backends()) {
    const std::string backend(row.name);
    expected.insert("handoff/" + backend);
    expected.insert("uncontended/" + backend + "/lock");
    expected.insert("uncontended/" + backend + "/floor");
    expected.insert("uncontended/" + backend + "/ratio");
  }
  EXPECT_EQ(names, expected);
}

TEST_F(BenchProgram, PrintsATableOfRatios) {
  const Ran ran = Run({DirFlag(), "--table", "--benchmark_repetitions=3",
                       "--benchmark_min_time=0.001",
                       "--benchmark_filter=uncontended/(link|flock)/ratio"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("| link "), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("| flock "), std::string::npos) << ran.out;
  EXPECT_EQ(ran.out.find("| mkdir "), std::string::npos) << ran.out;
}

TEST_F(BenchProgram, IsRedWhenNothingMatches) {
  const Ran ran = Run({DirFlag(), "--benchmark_filter=nothing_of_that_name"});
  EXPECT_EQ(ran.code, 3);
  EXPECT_NE(ran.err.find("nothing_of_that_name"), std::string::npos) << ran.err;
}

TEST_F(BenchProgram, LeavesNothingBehind) {
  const Ran ran = Run({DirFlag(), "--handoffs=10", "--benchmark_min_time=0.001",
                       "--benchmark_filter=(uncontended|handoff)/mkdir"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
    const std::string name = entry.path().filename();
    EXPECT_TRUE(name == "out" || name == "err") << name;
  }
}

TEST_F(BenchProgram, RefusesBadUsageWithOneLine) {
  struct Row {
    std::vector<std::string> arguments;
    std::string says;
  };
  for (const Row& row : {
           Row{{}, "--dir=DIR is required"},
           Row{{"--dir=/no/such/directory"}, "No such file or directory"},
           Row{{"--dir=/proc/self/comm"}, "Not a directory"},
           Row{{"--dir=/tmp", "--colour"}, "--colour"},
           Row{{"--dir=/tmp", "--handoffs=0"}, "--handoffs"},
           Row{{"--dir=/tmp", "--events=1"}, "--events"},
       }) {
    const Ran ran = Run(row.arguments);
    EXPECT_EQ(ran.code, 2) << row.says;
    EXPECT_NE(ran.err.find(row.says), std::string::npos) << ran.err;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
    EXPECT_EQ(ran.out, "");
  }
}

}  // namespace
}  // namespace locklab::bench
