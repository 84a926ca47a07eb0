#include "tools/lab/guest/session.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <deque>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <vector>

#include "conformance/proc/program.h"
#include "tools/lab/guest/scripts.h"

namespace locklab::lab::session {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLastLines = 12;

void Write(const std::string& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) {
    throw std::runtime_error(
        fmt::format("cannot write {}: is there room, and the right to?", path));
  }
}

// As bash reads them: each word ends with a NUL.
std::string Words(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += word + '\0';
  return text;
}

std::vector<std::string> Variables(const GuestPlan& plan) {
  const size_t blank = plan.filesystem.find(' ');
  winsize size{};
  ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
  return {
      "FS=" + plan.name,
      "KIND=" + plan.filesystem.substr(0, blank),
      "OPTIONS=" +
          (blank == std::string::npos ? "" : plan.filesystem.substr(blank + 1)),
      plan.clients == 2 ? "CLIENTS=a b" : "CLIENTS=a",
      plan.argv.empty() ? "MODE=shell" : "MODE=command",
      fmt::format("ROWS={}", size.ws_row > 0 ? size.ws_row : 24),
      fmt::format("COLUMNS={}", size.ws_col > 0 ? size.ws_col : 80),
      "WHERE=" + fs::current_path().string(),
      plan.faults ? "FAULTS=yes" : "FAULTS=no",
      isatty(plan.job.out) ? "OUT_PERSON=yes" : "OUT_PERSON=no",
      isatty(plan.job.err) ? "ERR_PERSON=yes" : "ERR_PERSON=no",
  };
}

}  // namespace

void Prepare(const GuestPlan& plan) {
  const std::string& scratch = plan.job.scratch;
  fs::create_directories(scratch + "/scripts");
  for (const EmbeddedText& script : GuestScripts()) {
    const std::string path = fmt::format("{}/scripts/{}", scratch, script.name);
    Write(path, script.text);
    chmod(path.c_str(), 0700);
  }
  Write(scratch + "/session", Words(Variables(plan)));
  Write(scratch + "/argv", Words(plan.argv));
  for (const std::string& dir : plan.writable) fs::create_directories(dir);
  Write(scratch + "/writable", Words(plan.writable));
  // A copy: the guest's own mounts may hide the place where this one is, and
  // it may be built anew meanwhile.
  std::error_code error;
  fs::copy_file(plan.job.locklab, scratch + "/locklab",
                fs::copy_options::overwrite_existing, error);
  if (error) {
    throw std::runtime_error(fmt::format("cannot copy {} to {}: {}",
                                         plan.job.locklab, scratch,
                                         error.message()));
  }
  chmod((scratch + "/locklab").c_str(), 0755);
}

std::string InitOf(const std::string& scratch) {
  return scratch + "/scripts/init.sh";
}

bool IsReady(const std::string& scratch) {
  return access((scratch + "/ready").c_str(), F_OK) == 0;
}

std::optional<int> ExitCode(const std::string& scratch) {
  const std::string text = proc::ReadWhole(scratch + "/exit");
  int code = 0;
  const auto parsed =
      std::from_chars(text.data(), text.data() + text.size(), code);
  if (parsed.ec != std::errc{}) return std::nullopt;
  return code;
}

std::string Error(const std::string& scratch) {
  std::string text = proc::ReadWhole(scratch + "/error");
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

std::string LastLines(const std::string& scratch) {
  std::ifstream file(scratch + "/console");
  std::deque<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    while (line.ends_with('\r')) line.pop_back();
    if (line.empty()) continue;
    lines.push_back(line);
    if (lines.size() > kLastLines) lines.pop_front();
  }
  if (lines.empty()) return "  (it is empty)";
  std::string text;
  for (const std::string& line : lines) {
    text += (text.empty() ? "  " : "\n  ") + line;
  }
  return text;
}

}  // namespace locklab::lab::session
