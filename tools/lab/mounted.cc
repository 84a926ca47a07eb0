#include "tools/lab/mounted.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "conformance/image/image.h"
#include "conformance/proc/exec.h"
#include "conformance/proc/filesystem.h"
#include "conformance/proc/poll_until.h"

namespace locklab::lab {
namespace {

using namespace std::chrono_literals;
using image::ImageError;

// Something that has this very directory as its root is mounted.
bool IsMountPoint(const std::string& dir) {
  return proc::FilesystemOf(dir).mount_point == dir;
}

int Become(const std::vector<std::string>& argv) {
  // The run's standard output is for its results.
  dup2(STDERR_FILENO, STDOUT_FILENO);
  proc::Exec(argv);
  return 127;
}

}  // namespace

Mounted::~Mounted() {
  while (!targets_.empty()) {
    image::Unmount(targets_.back());
    targets_.pop_back();
  }
  // A server ends when it has nothing to serve; if not, its Child sees to it.
  for (proc::Child& server : servers_) {
    [[maybe_unused]] const auto end = server.Wait(proc::In(2s));
  }
}

std::string Mounted::MakeDir(const std::string& name) {
  std::string dir = scratch_ + "/" + name;
  if (mkdir(dir.c_str(), 0755) != 0) {
    throw ImageError(
        fmt::format("cannot make {}: {}", dir, std::strerror(errno)));
  }
  return dir;
}

void Mounted::Mount(const std::string& source, const std::string& target,
                    const std::string& type, unsigned long flags,
                    const std::string& options) {
  image::MountOrThrow(type.empty() ? source : type, source, target, type, flags,
                      options);
  targets_.push_back(target);
}

void Mounted::MountImage(std::string_view kind_name,
                         const std::string& target) {
  const image::Kind* kind = image::FindKind(kind_name);
  if (kind == nullptr) {
    throw ImageError(fmt::format("no kind of image is called {}", kind_name));
  }
  const std::string path = scratch_ + "/image";
  image::Make(*kind, path);
  image::Mount(*kind, path, target);
  targets_.push_back(target);
}

void Mounted::Serve(const std::vector<std::string>& argv,
                    const std::vector<std::string>& targets) {
  // A group of its own: Ctrl-C is for the run, which then unmounts.
  servers_.push_back(
      proc::Child::Spawn([&] { return Become(argv); }, {.own_group = true}));
  proc::Child& server = servers_.back();
  const bool there = proc::Eventually(
      [&] {
        return server.Poll().has_value() ||
               std::all_of(targets.begin(), targets.end(), IsMountPoint);
      },
      proc::In(20s));
  if (const auto end = server.Poll()) {
    throw ImageError(
        fmt::format("{} {} before it served anything; its own words are above",
                    argv.front(), end->Describe()));
  }
  if (!there) {
    throw ImageError(fmt::format("{} mounted nothing in 20 s", argv.front()));
  }
  targets_.insert(targets_.end(), targets.begin(), targets.end());
}

void Mounted::Show(std::string dir, std::string other_mount) {
  dir_ = std::move(dir);
  other_mount_ = std::move(other_mount);
}

}  // namespace locklab::lab
