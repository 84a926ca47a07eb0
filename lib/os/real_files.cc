// Files and directories. One function is one system call, EINTR retried.
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>

#include "lib/os/real_os.h"

namespace lockfile::os {
namespace {

template <typename Call>
SysResult Retry(Call call) {
  for (;;) {
    const auto value = call();
    if (value >= 0) return SysResult::Ok(value);
    if (errno != EINTR) return SysResult::Fail(errno);
  }
}

FileType TypeOf(mode_t mode) {
  if (S_ISREG(mode)) return FileType::kRegular;
  if (S_ISDIR(mode)) return FileType::kDirectory;
  if (S_ISLNK(mode)) return FileType::kSymlink;
  return FileType::kOther;
}

int64_t Nanoseconds(const struct timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

void Fill(const struct stat& from, FileInfo* to) {
  to->dev = from.st_dev;
  to->ino = from.st_ino;
  to->nlink = from.st_nlink;
  to->mode = from.st_mode & 07777;
  to->type = TypeOf(from.st_mode);
  to->size = from.st_size;
  to->mtime_ns = Nanoseconds(from.st_mtim);
  to->ctime_ns = Nanoseconds(from.st_ctim);
}

}  // namespace

SysResult RealOs::Open(const char* path, int flags, mode_t mode) {
  return Retry([&] { return open(path, flags, mode); });
}

// Never retried: on Linux the descriptor is gone even after EINTR, and a
// second close could hit another thread's new descriptor.
SysResult RealOs::Close(int fd) {
  if (close(fd) == 0 || errno == EINTR) return SysResult::Ok();
  return SysResult::Fail(errno);
}

SysResult RealOs::ReadStart(int fd, void* buffer, size_t size) {
  return Retry([&] { return pread(fd, buffer, size, 0); });
}

SysResult RealOs::WriteStart(int fd, const void* data, size_t size) {
  const SysResult result = Retry([&] { return pwrite(fd, data, size, 0); });
  // A short write of a record of some hundred bytes means that the disk is
  // full; there is no use in trying for the rest.
  if (result.ok() && static_cast<size_t>(result.value) != size) {
    return SysResult::Fail(ENOSPC);
  }
  return result;
}

SysResult RealOs::Truncate(int fd, int64_t size) {
  return Retry([&] { return ftruncate(fd, size); });
}

SysResult RealOs::Link(const char* from, const char* to) {
  return Retry([&] { return link(from, to); });
}

SysResult RealOs::Symlink(const char* text, const char* path) {
  return Retry([&] { return symlink(text, path); });
}

SysResult RealOs::ReadLink(const char* path, char* buffer, size_t size) {
  return Retry([&] { return readlink(path, buffer, size); });
}

SysResult RealOs::Unlink(const char* path) {
  return Retry([&] { return unlink(path); });
}

SysResult RealOs::MakeDir(const char* path, mode_t mode) {
  return Retry([&] { return mkdir(path, mode); });
}

SysResult RealOs::RemoveDir(const char* path) {
  return Retry([&] { return rmdir(path); });
}

SysResult RealOs::Rename(const char* from, const char* to) {
  return Retry([&] { return rename(from, to); });
}

SysResult RealOs::RenameNoReplace(const char* from, const char* to) {
  return Retry([&] {
    return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to,
                   RENAME_NOREPLACE);
  });
}

SysResult RealOs::Lstat(const char* path, FileInfo* info) {
  struct stat found {};
  const SysResult result = Retry([&] { return lstat(path, &found); });
  if (result.ok()) Fill(found, info);
  return result;
}

SysResult RealOs::Fstat(int fd, FileInfo* info) {
  struct stat found {};
  const SysResult result = Retry([&] { return fstat(fd, &found); });
  if (result.ok()) Fill(found, info);
  return result;
}

SysResult RealOs::ListDir(const char* path, size_t limit,
                          std::vector<std::string>* names) {
  names->clear();
  // opendir would follow a symbolic link.
  const SysResult opened =
      Open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
  if (!opened.ok()) return opened;
  const int fd = static_cast<int>(opened.value);
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(fdopendir(fd), closedir);
  if (dir == nullptr) {
    const int error = errno;
    close(fd);
    return SysResult::Fail(error);
  }
  while (names->size() < limit) {
    errno = 0;
    // Safe: the stream is this call's own.
    const dirent* entry = readdir(dir.get());  // NOLINT(concurrency-mt-unsafe)
    if (entry == nullptr) {
      return errno == 0 ? SysResult::Ok() : SysResult::Fail(errno);
    }
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names->push_back(name);
  }
  return SysResult::Ok();
}

SysResult RealOs::Touch(const char* path) {
  return Retry(
      [&] { return utimensat(AT_FDCWD, path, nullptr, AT_SYMLINK_NOFOLLOW); });
}

SysResult RealOs::FilesystemType(const char* path) {
  struct statfs found {};
  const SysResult result = Retry([&] { return statfs(path, &found); });
  return result.ok() ? SysResult::Ok(found.f_type) : result;
}

}  // namespace lockfile::os
