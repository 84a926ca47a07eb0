#include "lib/backends/record_file.h"

#include <fcntl.h>

#include <array>
#include <cerrno>

#include "lib/owner.h"

namespace lockfile {
namespace {

// The pid backend has a line before the record.
constexpr size_t kReadSize = kMaxRecord + 64;

}  // namespace

Status WriteRecordFile(os::Os& os, const std::string& path,
                       std::string_view text, mode_t mode, os::FileInfo* info) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  os::SysResult opened = os.Open(path.c_str(), kFlags, mode);
  if (opened.error == EEXIST) {
    // The name is ours alone: the reply to a successful creation was lost and
    // the request sent again.
    opened = os.Open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0);
  }
  if (!opened.ok()) return Status::Failed("create", path, opened.error);
  const int fd = static_cast<int>(opened.value);
  int error = os.WriteStart(fd, text.data(), text.size()).error;
  if (error == 0 && info != nullptr) error = os.Fstat(fd, info).error;
  // close tells of write errors on NFS and of quotas: it counts.
  const int closed = os.Close(fd).error;
  if (error == 0) error = closed;
  if (error == 0) return Status::Ok();
  os.Unlink(path.c_str());
  return Status::Failed("write", path, error);
}

int ReadRecordFile(os::Os& os, const std::string& path, std::string* text,
                   os::FileInfo* info) {
  constexpr int kFlags =
      O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  const os::SysResult opened = os.Open(path.c_str(), kFlags, 0);
  if (!opened.ok()) return opened.error;
  const int fd = static_cast<int>(opened.value);
  std::array<char, kReadSize> buffer;
  int error = info != nullptr ? os.Fstat(fd, info).error : 0;
  if (error == 0 && info != nullptr && info->type != os::FileType::kRegular) {
    error = ENOTSUP;
  }
  if (error == 0) {
    const os::SysResult read = os.ReadStart(fd, buffer.data(), buffer.size());
    error = read.error;
    if (read.ok()) text->assign(buffer.data(), static_cast<size_t>(read.value));
  }
  os.Close(fd);
  return error;
}

}  // namespace lockfile
