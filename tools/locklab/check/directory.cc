#include "tools/locklab/check/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <system_error>

#include "conformance/proc/filesystem.h"
#include "conformance/proc/poll_until.h"
#include "lib/errors.h"
#include "tools/locklab/flags.h"

namespace locklab::check {
namespace {

using cli::UsageError;
using namespace std::chrono_literals;

// How long a new name may take to be seen through another mount: see nfs(5),
// acdirmax.
std::chrono::seconds LagOf(const std::string& mount) {
  return proc::MayBeShared(proc::FilesystemOf(mount).type) ? 70s : 0s;
}

using lockfile::Status;

// Writes a file of some size beside the locks; returns 0 or an errno.
int TryWrite(const std::string& dir) {
  std::string path = dir + "/locklab-write-XXXXXX";
  const int fd = mkostemp(path.data(), O_CLOEXEC);
  if (fd < 0) return errno;
  static constexpr std::array<char, 65536> kZeros{};
  const ssize_t written = write(fd, kZeros.data(), kZeros.size());
  const int error = written < 0 ? errno : 0;
  close(fd);
  unlink(path.c_str());
  if (error != 0) return error;
  return written == static_cast<ssize_t>(kZeros.size()) ? 0 : ENOSPC;
}

// `dir` is there, as the flag says it.
void RequireWritable(const std::string& flag, const std::string& dir,
                     const std::string& real) {
  const int error = TryWrite(real);
  if (error == 0) return;
  // As /proc says it.
  if (error == ENOENT) {
    throw UsageError(fmt::format(
        "{}: no files can be made in {} (ENOENT): its filesystem ({}) is not "
        "one to keep files in",
        flag, dir, proc::FilesystemOf(real).type));
  }
  throw UsageError(fmt::format(
      "{}: {}", flag,
      Status::Failed("write in the directory", dir, error).message));
}

int TryRead(const std::string& dir) {
  const std::unique_ptr<DIR, int (*)(DIR*)> open(opendir(dir.c_str()),
                                                 closedir);
  return open == nullptr ? errno : 0;
}

std::string RealPath(const std::string& flag, const std::string& dir) {
  const std::unique_ptr<char, void (*)(void*)> real(
      realpath(dir.c_str(), nullptr), std::free);
  if (real == nullptr) {
    throw UsageError(
        fmt::format("{}: {}", flag,
                    Status::Failed("use the directory", dir, errno).message));
  }
  return real.get();
}

// Some filesystems do not count blocks: then there is nothing to say.
void RequireSpace(const std::string& dir) {
  struct statvfs info {};
  if (statvfs(dir.c_str(), &info) != 0 || info.f_blocks == 0) return;
  const uint64_t free = uint64_t{info.f_bavail} * info.f_frsize;
  if (free >= kSpaceNeeded) return;
  throw UsageError(fmt::format(
      "--dir: no space left in {}: {:.1f} MiB are free, {} MiB are needed", dir,
      static_cast<double>(free) / (1 << 20), kSpaceNeeded >> 20));
}

}  // namespace

std::string UsableDirectory(const std::string& dir) {
  std::string real = RealPath("--dir", dir);
  struct stat info {};
  if (stat(real.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    throw UsageError(fmt::format("--dir: {} is not a directory", dir));
  }
  const int unreadable = TryRead(real);
  if (unreadable != 0) {
    throw UsageError(fmt::format(
        "--dir: {}",
        Status::Failed("read the directory", dir, unreadable).message));
  }
  RequireSpace(real);
  RequireWritable("--dir", dir, real);
  return real;
}

std::string OtherMount(const std::string& dir, const std::string& other) {
  std::string real = RealPath("--other-mount", other);
  std::string path = dir + "/locklab-mount-XXXXXX";
  const int fd = mkostemp(path.data(), O_CLOEXEC);
  if (fd < 0) {
    throw UsageError(fmt::format(
        "--dir: {}", Status::Failed("make a file in", dir, errno).message));
  }
  close(fd);
  const std::string there = real + path.substr(path.rfind('/'));
  const bool seen =
      proc::Eventually([&there] { return access(there.c_str(), F_OK) == 0; },
                       proc::In(LagOf(real)), 50ms);
  unlink(path.c_str());
  if (!seen) {
    throw UsageError(fmt::format(
        "--other-mount: {} is not another mount of {}: a file made in the one "
        "was not seen in the other",
        other, dir));
  }
  return real;
}

std::string HistoriesDirectory(const std::string& run) {
  std::string path = run + "/history";
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    throw UsageError(fmt::format(
        "--out: {}",
        Status::Failed("make the directory", path, error.value()).message));
  }
  return path;
}

std::string ResultsDirectory(const std::string& dir) {
  if (mkdir(dir.c_str(), 0777) != 0 && errno != EEXIST) {
    throw UsageError(fmt::format(
        "--out: {}", Status::Failed("make the directory", dir, errno).message));
  }
  std::string real = RealPath("--out", dir);
  RequireWritable("--out", dir, real);
  return real;
}

std::string TroubleIn(const std::string& dir) {
  const int error = TryWrite(dir);
  if (error == 0) return "";
  if (error == ENOENT) return dir + " was removed while it was examined";
  return Status::Failed("write in", dir, error).message;
}

}  // namespace locklab::check
