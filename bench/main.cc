// The benchmarks' program. Everything that --help of Google Benchmark lists
// works here too; the exit code tells whether something was measured.

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "bench/table.h"
#include "lib/os/os.h"

namespace locklab::bench {
namespace {

enum ExitCode { kOk = 0, kFailed = 1, kUsage = 2, kNothingRan = 3 };

// Medians need repetitions, spread over the run; what the user gave comes later
// and wins.
constexpr const char* kTableFlags[] = {
    "--benchmark_repetitions=9",
    "--benchmark_enable_random_interleaving=true",
    "--benchmark_min_time=0.05",
    "--benchmark_filter=/ratio|^handoff/",
};

constexpr char kAbout[] =
    "Measures locks beside the floor that the system calls themselves set, "
    "and\n"
    "what watching and judging them costs.\n"
    "Exit codes: 0 ok, 1 a benchmark failed, 2 usage, 3 nothing ran.";

// What makes `dir` useless for a benchmark; empty: nothing.
std::string Objection(const std::string& dir) {
  struct stat info {};
  if (stat(dir.c_str(), &info) != 0) return strerror(errno);
  if (!S_ISDIR(info.st_mode)) return strerror(ENOTDIR);
  if (access(dir.c_str(), W_OK | X_OK) != 0) return strerror(errno);
  return "";
}

void AddContext(const std::string& dir) {
  const auto type = lockfile::os::Os::Real().FilesystemType(dir.c_str());
  benchmark::AddCustomContext("dir", dir);
  benchmark::AddCustomContext("filesystem_type",
                              fmt::format("{:#x}", type.value));
  utsname system{};
  if (uname(&system) == 0) {
    benchmark::AddCustomContext("kernel", system.release);
  }
}

size_t Run(bool table) {
  if (!table) return benchmark::RunSpecifiedBenchmarks();
  TableReporter reporter;
  const size_t ran = benchmark::RunSpecifiedBenchmarks(&reporter);
  fmt::print("{}", reporter.Table());
  return ran;
}

void PrintHelp() {
  fmt::print(
      "{}\n\n  --dir=DIR     where to lock (required)\n"
      "  --handoffs=N  hand-offs in a repetition (default 500)\n"
      "  --events=N    events in a history that is judged (default 4000000)\n"
      "  --table       medians and ratios to the floor, not a list\n\n",
      kAbout);
  benchmark::PrintDefaultHelp();
}

// With what --table stands for.
std::vector<char*> Arguments(int argc, char** argv) {
  std::vector<char*> all(argv, argv + argc);
  const auto is_table = [](const char* arg) { return !strcmp(arg, "--table"); };
  if (std::find_if(all.begin(), all.end(), is_table) != all.end()) {
    for (const char* flag : kTableFlags) {
      all.insert(all.begin() + 1, const_cast<char*>(flag));
    }
  }
  all.push_back(nullptr);
  return all;
}

int Main(int argc, char** argv) {
  std::string dir;
  int handoffs = 500;
  int64_t events = 4'000'000;
  bool table = false;
  CLI::App app(kAbout);
  app.add_option("--dir", dir);
  app.add_option("--handoffs", handoffs)->check(CLI::Range(1, 1'000'000));
  app.add_option("--events", events)->check(CLI::Range(8000, 1'000'000'000));
  app.add_flag("--table", table);
  std::vector<char*> all = Arguments(argc, argv);
  int count = static_cast<int>(all.size()) - 1;
  // Google Benchmark removes what it knows, --help included; the rest is ours.
  benchmark::Initialize(&count, all.data(), PrintHelp);
  try {
    app.parse(count, all.data());
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "bench: {}; see --help\n", error.what());
    return kUsage;
  }
  if (dir.empty()) {
    fmt::print(stderr, "bench: --dir=DIR is required; see --help\n");
    return kUsage;
  }
  if (const std::string why = Objection(dir); !why.empty()) {
    fmt::print(stderr,
               "bench: cannot use --dir={}: {}; name a directory "
               "that you may write to\n",
               dir, why);
    return kUsage;
  }
  AddContext(dir);
  RegisterUncontended(dir);
  RegisterHandoff(dir, handoffs);
  RegisterJudging(dir, events);
  RegisterRecording(dir);
  const size_t ran = Run(table);
  if (AnyFailed()) return kFailed;
  if (ran == 0) {
    fmt::print(stderr,
               "bench: no benchmark matches --benchmark_filter={}; "
               "--benchmark_list_tests names them\n",
               benchmark::GetBenchmarkFilter());
    return kNothingRan;
  }
  return kOk;
}

}  // namespace
}  // namespace locklab::bench

int main(int argc, char** argv) {
  try {
    return locklab::bench::Main(argc, argv);
  } catch (const std::exception& error) {
    fputs(("bench: " + std::string(error.what()) + "\n").c_str(), stderr);
    return 1;
  }
}
