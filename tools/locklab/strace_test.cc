// A second opinion on deaths and errors by a program that knows nothing of
// locklab: strace kills `locklab exec` before, or fails, every system call that
// it makes on the lock's files. The calls are found by a first run, and have to
// be those that the seam shows.
//
// LOCKLAB_STRACE_BACKENDS: names and commas; LOCKLAB_STRACE_POINTS: calls of
// each, chosen by chance, 0: all, with every errno.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "conformance/proc/temp_dir.h"
#include "conformance/verdict/exit.h"
#include "lib/backends.h"
#include "stress/crash/point.h"
#include "tools/locklab/program.h"

namespace locklab::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kKilled = 1000 + SIGKILL;

std::string FromEnvironment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);  // NOLINT: one thread
  return value == nullptr ? otherwise : value;
}

// A system call on the lock's files: the nth of its name in the process.
struct Traced {
  std::string name;
  int nth = 0;
  std::string seam;  // the call of the seam that it belongs to; empty: none
};

struct Row {
  const char* line;  // a regular expression, from the line's beginning
  const char* seam;
};

// The first that matches.
const Row kRows[] = {
    {"(openat|open)\\(.*O_DIRECTORY", "ListDir"},
    {"(openat|open)\\(", "Open"},
    {"close\\(", "Close"},
    {"(pread64|read)\\(", "ReadStart"},
    {"(pwrite64|write)\\(", "WriteStart"},
    {"ftruncate\\(", "Truncate"},
    {"link(at)?\\(", "Link"},
    {"symlink(at)?\\(", "Symlink"},
    {"readlink(at)?\\(", "ReadLink"},
    {"unlinkat\\(.*AT_REMOVEDIR", "RemoveDir"},
    {"unlink(at)?\\(", "Unlink"},
    {"rmdir\\(", "RemoveDir"},
    {"mkdir(at)?\\(", "MakeDir"},
    {"renameat2\\(.*RENAME_NOREPLACE", "RenameNoReplace"},
    {"rename(at2?)?\\(", "Rename"},
    {"newfstatat\\(.*AT_EMPTY_PATH", "Fstat"},
    {"(newfstatat|lstat)\\(", "Lstat"},
    {"fstat\\(", "Fstat"},
    {"fcntl\\(.*F_UNLCK", "Unlock"},
    {"fcntl\\(.*F_(OFD_)?SETLK", "TryLock"},
    {"fcntl\\(.*F_(OFD_)?GETLK", "QueryLock"},
    {"flock\\(.*LOCK_UN", "Unlock"},
    {"flock\\(", "TryLock"},
    {"statfs\\(", "FilesystemType"},
    {"utimensat\\(", "Touch"},
};

// What is done with the descriptor of a directory is all of one ListDir.
bool IsOnDirectory(const std::string& line) {
  std::smatch match;
  static const std::regex kOnDescriptor("\\w+\\(\\d+<([^>]*)>.*");
  return std::regex_match(line, match, kOnDescriptor) &&
         fs::is_directory(match[1].str());
}

std::string SeamOf(const std::string& line) {
  if (IsOnDirectory(line)) return "ListDir";
  for (const Row& row : kRows) {
    if (std::regex_search(line, std::regex(row.line),
                          std::regex_constants::match_continuous)) {
      return row.seam;
    }
  }
  return "";
}

class StraceTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const Ended tried = Program({"strace", "-o", dir_ / "log", "true"}).Wait();
    if (tried.code != 0) {
      GTEST_SKIP() << "unsupported: strace does not work here: " << tried.err;
    }
    std::printf("seed %u\n", seed_);
  }

  // The place of one experiment, which nothing but the lock has files in.
  std::string Place(bool fresh = true) {
    if (fresh) {
      place_ = dir_ / std::to_string(count_++);
      fs::create_directory(place_);
    }
    return place_;
  }

  std::vector<std::string> Exec() {
    return LocklabArgv({"exec", "--backend=" + GetParam(), "--timeout=10",
                        Place(false) + "/job", "--", "true"});
  }

  // Without -f: strace counts the calls of each process, and COMMAND's are none
  // of the lock's.
  Ended Trace(const std::vector<std::string>& options) {
    std::vector<std::string> argv = {"strace", "-y", "-o", Log()};
    argv.insert(argv.end(), options.begin(), options.end());
    for (const std::string& word : Exec()) argv.push_back(word);
    return Program(argv).Wait(std::chrono::seconds(60));
  }

  std::string Log() { return dir_ / "log"; }

  std::vector<Traced> Calls() {
    Place();
    EXPECT_EQ(Trace({}).code, 0);
    std::vector<Traced> calls;
    std::map<std::string, int> count;
    std::istringstream log(ReadWhole(Log()));
    for (std::string line; std::getline(log, line);) {
      const std::string name = line.substr(0, line.find('('));
      const int nth = ++count[name];
      if (name == "execve" || line.find(place_) == std::string::npos) continue;
      calls.push_back({name, nth, SeamOf(line)});
    }
    return calls;
  }

  // Some of them, and no fewer than asked for.
  std::vector<Traced> Chosen() {
    std::vector<Traced> calls = Calls();
    const auto wanted = static_cast<size_t>(
        std::atoi(FromEnvironment("LOCKLAB_STRACE_POINTS", "8").c_str()));
    if (wanted == 0 || wanted >= calls.size()) return calls;
    std::mt19937 random(seed_);
    std::vector<Traced> some;
    std::sample(calls.begin(), calls.end(), std::back_inserter(some), wanted,
                random);
    return some;
  }

  [[nodiscard]] static bool Everything() {
    return FromEnvironment("LOCKLAB_STRACE_POINTS", "8") == "0";
  }

  // Whether it happened to a call on the lock's files: the log says so.
  bool Struck(const std::string& mark) {
    std::istringstream log(ReadWhole(Log()));
    std::string last;
    for (std::string line; std::getline(log, line); last = line) {
      if (line.find(mark) == std::string::npos) continue;
      return (line + last).find(place_) != std::string::npos;
    }
    return false;
  }

  // The next one gets it, and nothing is left of the first.
  void ExpectRecovered(const std::string& what) {
    const Ended next = Program(Exec()).Wait();
    EXPECT_EQ(next.code, 0) << what << ": " << next.err;
    std::string left;
    size_t files = 0;
    for (const auto& entry : fs::directory_iterator(place_)) {
      left += entry.path().filename().string() + " ";
      ++files;
    }
    const bool keeps = lockfile::FindBackend(GetParam())->traits.keeps_file;
    EXPECT_LE(files, keeps ? 1U : 0U) << what << " left " << left;
  }

  const proc::TempDir dir_;
  const unsigned seed_ = std::random_device{}();
  std::string place_;
  int count_ = 0;
};

TEST_P(StraceTest, DeathBeforeAnyCallIsSurvived) {
  for (const Traced& call : Chosen()) {
    Place();
    const std::string what =
        "killed before " + call.name + " " + std::to_string(call.nth);
    const Ended ended = Trace({"-e", "trace=" + call.name, "-e",
                               "inject=" + call.name + ":signal=KILL:when=" +
                                   std::to_string(call.nth)});
    EXPECT_EQ(ended.code, kKilled) << what << ": " << ended.err;
    EXPECT_TRUE(Struck("killed by SIGKILL")) << what << ReadWhole(Log());
    ExpectRecovered(what);
  }
}

TEST_P(StraceTest, AnErrorOfAnyCallIsSurvived) {
  for (const Traced& call : Chosen()) {
    // It is always done, whatever it returns, and strace would not do it.
    if (call.name == "close") continue;
    std::vector<int> errors = {EIO};
    if (const auto all = crash::PlausibleErrors(call.seam); !all.empty()) {
      errors.assign(all.begin(), all.end());
    }
    if (!Everything()) std::swap(errors[0], errors[seed_ % errors.size()]);
    errors.resize(Everything() ? errors.size() : 1);
    for (const int error : errors) {
      Place();
      const std::string what = call.name + " " + std::to_string(call.nth) +
                               " failed with " + strerrorname_np(error);
      const Ended ended =
          Trace({"-e", "trace=" + call.name, "-e",
                 "inject=" + call.name + ":error=" + strerrorname_np(error) +
                     ":when=" + std::to_string(call.nth)});
      EXPECT_TRUE(Struck("(INJECTED)")) << what << ReadWhole(Log());
      EXPECT_LT(ended.code, 1000) << what << ": " << ended.err;
      EXPECT_EQ(ended.code == 0, ended.err.empty()) << what << ended.err;
      ExpectRecovered(what);
    }
  }
}

// What is to happen as often as the seam says.
constexpr const char* kCounted[] = {
    "Link",   "Symlink",         "MakeDir", "RemoveDir", "Rename",
    "Unlink", "RenameNoReplace", "TryLock", "Unlock",    "WriteStart"};

TEST_P(StraceTest, TheSeamShowsEveryCall) {
  const Ended ended =
      RunLocklab({"crash", "--dir=" + dir_.path(), "--backend=" + GetParam(),
                  "--operation=acquire,release", "--waiters=0", "--engine=seam",
                  "--format=json"});
  ASSERT_EQ(ended.code, kExitOk) << ended.err;
  // Asked for when the lock object is made, before any operation.
  std::map<std::string, int> seam = {{"FilesystemType", 1}};
  const auto report = nlohmann::json::parse(ended.out);
  for (const auto& point : report["backends"][0]["points"]) {
    if (!point["point"].get<std::string>().ends_with(":before")) continue;
    const std::string call = point["call"];
    ++seam[call.substr(0, call.find(' '))];
  }
  std::map<std::string, int> kernel;
  std::string unknown;
  for (const Traced& call : Calls()) {
    ++kernel[call.seam];
    if (!seam.contains(call.seam)) {
      unknown += call.name + " " + std::to_string(call.nth) + ", ";
    }
  }
  if (lockfile::FindBackend(GetParam())->traits.bypasses_seam) {
    EXPECT_NE(unknown, "") << "it need not be led by ptrace";
    return;
  }
  EXPECT_EQ(unknown, "") << "calls that the seam does not show";
  for (const char* name : kCounted) EXPECT_EQ(kernel[name], seam[name]) << name;
}

std::vector<std::string> Wanted() {
  std::vector<std::string> names;
  std::istringstream list(
      FromEnvironment("LOCKLAB_STRACE_BACKENDS", "link,flock"));
  for (std::string name; std::getline(list, name, ',');) names.push_back(name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Backends, StraceTest, testing::ValuesIn(Wanted()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace locklab::cli
