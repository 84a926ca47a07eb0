#include "tools/locklab/check/environment.h"

#include <fmt/format.h>
#include <gnu/libc-version.h>
#include <sqlite3.h>
#include <sys/utsname.h>

#include <ctime>
#include <random>
#include <thread>

#include "conformance/proc/filesystem.h"
#include "tools/locklab/command.h"

namespace locklab::check {
namespace {

constexpr char kCompiler[] =
#ifdef __clang__
    "clang " __clang_version__;
#else
    "gcc " __VERSION__;
#endif

std::string UtcNow() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  char text[32] = "";
  gmtime_r(&now, &utc);
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

}  // namespace

report::Context Environment(const std::string& dir) {
  report::Context context;
  context.suite_version = cli::kSuiteVersion;
  context.dir = dir;
  const proc::Filesystem fs = proc::FilesystemOf(dir);
  context.filesystem = {.type = fs.type,
                        .source = fs.source,
                        .options = fs.options,
                        .shared = proc::MayBeShared(fs.type)};
  utsname name{};
  if (uname(&name) == 0) {
    context.kernel = std::string(name.sysname) + " " + name.release;
    context.host = name.nodename;
  }
  context.processors = static_cast<int>(std::thread::hardware_concurrency());
  context.started = UtcNow();
  context.versions = {{"compiler", kCompiler},
                      {"libc", std::string("glibc ") + gnu_get_libc_version()},
                      {"sqlite", sqlite3_libversion()}};
  return context;
}

std::string NewRunId() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(),
                     random());
}

}  // namespace locklab::check
