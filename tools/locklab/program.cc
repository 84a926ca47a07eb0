#include "tools/locklab/program.h"

#include <chrono>
#include <filesystem>
#include <system_error>

#include "conformance/proc/poll_until.h"

namespace locklab::cli {
namespace {

bool IsAnybodyOn(const std::string& dir) {
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc", error)) {
    const std::string line = ReadWhole(entry.path() / "cmdline");
    if (line.find("--dir=" + dir) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

std::vector<std::string> LocklabArgv(const std::vector<std::string>& args) {
  std::vector<std::string> argv = {"tools/locklab/locklab"};
  argv.insert(argv.end(), args.begin(), args.end());
  return argv;
}

Ended RunLocklab(const std::vector<std::string>& args) {
  return Program(LocklabArgv(args)).Wait();
}

bool NobodyIsOn(const std::string& dir) {
  return proc::Eventually([&] { return !IsAnybodyOn(dir); },
                          proc::In(std::chrono::seconds(20)),
                          std::chrono::milliseconds(20));
}

}  // namespace locklab::cli
