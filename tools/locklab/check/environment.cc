#include "tools/locklab/check/environment.h"

#include <sys/utsname.h>

#include <ctime>
#include <thread>

#include "conformance/proc/filesystem.h"
#include "tools/locklab/command.h"

namespace locklab::check {
namespace {

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
  context.filesystem = {
      .type = fs.type, .source = fs.source, .options = fs.options};
  utsname name{};
  if (uname(&name) == 0) {
    context.kernel = std::string(name.sysname) + " " + name.release;
    context.host = name.nodename;
  }
  context.processors = static_cast<int>(std::thread::hardware_concurrency());
  context.started = UtcNow();
  return context;
}

}  // namespace locklab::check
