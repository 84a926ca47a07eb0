#include "stress/run/limits.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

namespace locklab::run {
namespace {

// What a contender needs at least that others do not share, as measured on
// x86-64 (page tables, stacks, touched heap): a little more than that.
constexpr int64_t kBytesEach = 1 << 20;

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The number that `text` begins with; -1: none does ("max").
int64_t NumberIn(const std::string& text) {
  int64_t number = -1;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

int64_t FieldOf(const std::string& text, const std::string& name) {
  const size_t at = text.find(name);
  if (at == std::string::npos) return -1;
  const size_t digit = text.find_first_of("0123456789", at);
  return digit == std::string::npos ? -1 : NumberIn(text.substr(digit));
}

// All tasks there are, or those of one user.
int64_t TasksOf(uid_t user) {
  int64_t count = 0;
  std::error_code error;
  std::filesystem::directory_iterator entry("/proc", error);
  for (; !error && entry != std::filesystem::directory_iterator();
       entry.increment(error)) {
    const std::string path = entry->path();
    if (path.find_first_not_of("0123456789", 6) != std::string::npos) continue;
    const std::string status = ReadText(path + "/status");
    if (FieldOf(status, "\nUid:") != static_cast<int64_t>(user)) continue;
    count += std::max<int64_t>(1, FieldOf(status, "\nThreads:"));
  }
  return count;
}

int64_t TasksInAll() {
  // proc(5): "0.20 0.18 0.12 1/80 11206": 80 tasks exist.
  const std::string text = ReadText("/proc/loadavg");
  const size_t slash = text.find('/');
  return slash == std::string::npos ? 0 : NumberIn(text.substr(slash + 1));
}

void AddUser(std::vector<Limit>* limits) {
  rlimit limit{};
  // It does not bind root.
  if (geteuid() == 0 || getrlimit(RLIMIT_NPROC, &limit) != 0 ||
      limit.rlim_cur == RLIM_INFINITY) {
    return;
  }
  limits->push_back({"RLIMIT_NPROC of this user",
                     static_cast<int64_t>(limit.rlim_cur), TasksOf(getuid()),
                     "raise it with `ulimit -u`"});
}

void AddGroups(std::vector<Limit>* limits) {
  for (const std::string& group :
       PidsGroups(ReadText("/proc/self/cgroup"), "/sys/fs/cgroup")) {
    const int64_t most = NumberIn(ReadText(group + "/pids.max"));
    if (most < 0) continue;
    limits->push_back({group + "/pids.max", most,
                       NumberIn(ReadText(group + "/pids.current")),
                       "raise the limit of this control group"});
  }
}

void AddKernel(std::vector<Limit>* limits) {
  for (const char* name : {"threads-max", "pid_max"}) {
    const std::string path = std::string("/proc/sys/kernel/") + name;
    const int64_t most = NumberIn(ReadText(path));
    if (most < 0) continue;
    limits->push_back({path, most, TasksInAll(), "raise it with sysctl"});
  }
}

void AddMemory(std::vector<Limit>* limits) {
  const int64_t kib = FieldOf(ReadText("/proc/meminfo"), "MemAvailable:");
  if (kib < 0) return;
  limits->push_back({"memory that is available", kib * 1024 / kBytesEach, 0,
                     "free some, or take fewer"});
}

}  // namespace

std::vector<std::string> PidsGroups(const std::string& cgroups,
                                    const std::string& root) {
  std::vector<std::string> groups;
  std::istringstream lines(cgroups);
  for (std::string line; std::getline(lines, line);) {
    // "0::/user.slice" of version 2, "5:pids:/docker/1" of version 1.
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controller = line.substr(first + 1, second - first - 1);
    if (!controller.empty() && controller != "pids") continue;
    const std::string base = root + (controller.empty() ? "" : "/pids");
    std::string path = line.substr(second + 1);
    while (path.size() > 1) {
      groups.push_back(base + path);
      path.resize(path.rfind('/'));
    }
    groups.push_back(base);
  }
  return groups;
}

std::vector<Limit> TaskLimits() {
  std::vector<Limit> limits;
  AddUser(&limits);
  AddGroups(&limits);
  AddKernel(&limits);
  AddMemory(&limits);
  return limits;
}

std::string WhyNotSoMany(int64_t processes, int64_t threads,
                         const std::vector<Limit>& limits) {
  const int64_t wanted = processes * threads;
  const Limit* least = nullptr;
  for (const Limit& limit : limits) {
    if (wanted <= limit.most - limit.used) continue;
    if (least == nullptr ||
        limit.most - limit.used < least->most - least->used) {
      least = &limit;
    }
  }
  if (least == nullptr) return "";
  const int64_t left = std::max<int64_t>(0, least->most - least->used);
  return fmt::format(
      "the system allows {} more: {} is enough for {}, and {} are in use; {}, "
      "or ask for fewer",
      left, least->name, least->most, least->used, least->remedy);
}

}  // namespace locklab::run
