#include "conformance/report/write_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>

#include "lib/errors.h"

namespace locklab::report {
namespace {

int WriteAll(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    content.remove_prefix(static_cast<size_t>(written));
  }
  // Of a terminal or a pipe there is nothing to sync.
  return fsync(fd) == 0 || errno == EINVAL || errno == EROFS ? 0 : errno;
}

bool IsSpecial(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
}

std::string WriteTo(const std::string& path, std::string_view content) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return lockfile::Status::Failed("open", path, errno).message;
  int error = WriteAll(fd, content);
  if (close(fd) != 0 && error == 0) error = errno;
  if (error == 0) return "";
  return lockfile::Status::Failed("write", path, error).message;
}

int SyncAndRename(const std::string& aside, const std::string& path) {
  const int fd = open(aside.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  int error = WriteAll(fd, "");
  if (close(fd) != 0 && error == 0) error = errno;
  if (error == 0 && rename(aside.c_str(), path.c_str()) != 0) error = errno;
  return error;
}

}  // namespace

std::string WriteFile(const std::string& path, std::string_view content) {
  if (IsSpecial(path)) return WriteTo(path, content);
  const std::string aside = path + ".tmp-" + std::to_string(getpid());
  const int fd =
      open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) {
    return lockfile::Status::Failed("create", aside, errno).message;
  }
  int error = WriteAll(fd, content);
  if (close(fd) != 0 && error == 0) error = errno;
  if (error == 0 && rename(aside.c_str(), path.c_str()) != 0) error = errno;
  if (error == 0) return "";
  unlink(aside.c_str());
  return lockfile::Status::Failed("write", path, error).message;
}

std::string StreamFile(const std::string& path,
                       const std::function<void(std::ostream&)>& write) {
  const bool special = IsSpecial(path);
  const std::string aside =
      special ? path : path + ".tmp-" + std::to_string(getpid());
  errno = 0;
  std::ofstream file(aside, std::ios::binary);
  if (!file) return lockfile::Status::Failed("open", aside, errno).message;
  try {
    write(file);
  } catch (...) {
    if (!special) unlink(aside.c_str());
    throw;
  }
  errno = 0;
  file.close();
  int error = file ? 0 : errno != 0 ? errno : EIO;
  if (special && error == 0) return "";
  if (error == 0) error = SyncAndRename(aside, path);
  if (error == 0) return "";
  if (!special) unlink(aside.c_str());
  return lockfile::Status::Failed("write", path, error).message;
}

}  // namespace locklab::report
