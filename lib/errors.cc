#include "lib/errors.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace lockfile {
namespace {

struct ErrnoRow {
  int sys;
  const char* name;
  const char* hint;  // what to do; nullptr: nothing better than the message
};

constexpr auto kErrnos = std::to_array<ErrnoRow>({
    {EACCES, "EACCES",
     "check the permissions of the directory and its parents"},
    {EAGAIN, "EAGAIN", nullptr},
    {EBADF, "EBADF", "something in this process closed the lock's descriptor"},
    {EBUSY, "EBUSY", nullptr},
    {ECANCELED, "ECANCELED", "the caller asked to stop waiting"},
    {EDEADLK, "EDEADLK", nullptr},
    {EDQUOT, "EDQUOT", "the disk quota is used up: free some space or inodes"},
    {EEXIST, "EEXIST", nullptr},
    {EFBIG, "EFBIG", "raise the file size limit (ulimit -f)"},
    {EINTR, "EINTR", nullptr},
    {EINVAL, "EINVAL", "this filesystem refuses the operation"},
    {EIO, "EIO", "the device or file server failed: see the kernel log"},
    {EISDIR, "EISDIR", "a directory is in the place of the lock file"},
    {ELOOP, "ELOOP",
     "a symbolic link is in the place of the lock file and is not followed: "
     "remove it if you trust it"},
    {EMFILE, "EMFILE", "too many open files: raise ulimit -n"},
    {EMLINK, "EMLINK", "too many hard links to one file on this filesystem"},
    {ENAMETOOLONG, "ENAMETOOLONG",
     "use a shorter name: the lock's own name needs room for its suffix"},
    {ENFILE, "ENFILE", "the system has too many open files"},
    {ENOENT, "ENOENT", "create the directory first"},
    {ENOLCK, "ENOLCK",
     "the lock service is not there (NFS: rpc.statd and lockd) or full"},
    {ENOMEM, "ENOMEM", nullptr},
    {ENOSPC, "ENOSPC", "free some space or inodes on the filesystem"},
    {ENOSYS, "ENOSYS", "this kernel or filesystem has no such operation"},
    {ENOTDIR, "ENOTDIR", "a file is in the place of a directory"},
    {ENOTEMPTY, "ENOTEMPTY", "something unknown lies in the lock directory"},
    {ENOTSUP, "EOPNOTSUPP", "this filesystem has no such operation"},
    {ENXIO, "ENXIO", nullptr},
    {EPERM, "EPERM", "not permitted, or not to be had on this filesystem"},
    {EROFS, "EROFS", "the filesystem is mounted read-only"},
    {ESTALE, "ESTALE", "the file server forgot the file: mount it again"},
    {ETIMEDOUT, "ETIMEDOUT", nullptr},
    {ETXTBSY, "ETXTBSY", nullptr},
    {EXDEV, "EXDEV", nullptr},
});

const ErrnoRow* FindErrno(int sys) {
  for (const ErrnoRow& row : kErrnos) {
    if (row.sys == sys) return &row;
  }
  return nullptr;
}

const char* Sentence(Errc errc) {
  switch (errc) {
    case Errc::kOk:
      return "success";
    case Errc::kLockTimeout:
      return "timed out waiting for the lock";
    case Errc::kAlreadyLocked:
      return "somebody holds the lock already";
    case Errc::kLockFailed:
      return "the lock could not be had";
    case Errc::kUnsupported:
      return "not supported here";
    case Errc::kNotLocked:
      return "nobody holds the lock";
    case Errc::kNotMyLock:
      return "somebody else holds the lock";
    case Errc::kLockLost:
      return "the lock was broken or removed while it was held";
    case Errc::kDeadlock:
      return "this thread holds the lock already";
  }
  return "unknown lock error";
}

class Category : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override {
    return "lockfile";
  }
  [[nodiscard]] std::string message(int value) const override {
    return Sentence(static_cast<Errc>(value));
  }
  [[nodiscard]] std::error_condition default_error_condition(
      int value) const noexcept override {
    switch (static_cast<Errc>(value)) {
      case Errc::kLockTimeout:
        return std::errc::timed_out;
      case Errc::kAlreadyLocked:
        return std::errc::resource_unavailable_try_again;
      case Errc::kUnsupported:
        return std::errc::not_supported;
      case Errc::kNotLocked:
        return std::errc::no_lock_available;
      case Errc::kNotMyLock:
        return std::errc::operation_not_permitted;
      case Errc::kLockLost:
        return std::errc::owner_dead;
      case Errc::kDeadlock:
        return std::errc::resource_deadlock_would_occur;
      case Errc::kOk:
      case Errc::kLockFailed:
        break;
    }
    return {value, *this};
  }
};

}  // namespace

const std::error_category& lockfile_category() noexcept {
  static const Category category;
  return category;
}

std::error_code make_error_code(Errc errc) noexcept {
  return {static_cast<int>(errc), lockfile_category()};
}

std::error_code Status::error_code() const noexcept {
  if (code == Errc::kOk) return {};
  if (code == Errc::kLockFailed && sys != 0) {
    return {sys, std::generic_category()};
  }
  return make_error_code(code);
}

std::string ErrnoName(int sys) {
  const ErrnoRow* row = FindErrno(sys);
  return row != nullptr ? row->name : "errno " + std::to_string(sys);
}

Status Status::Failed(std::string_view what, std::string_view path, int sys) {
  std::string message = "cannot ";
  message.append(what).append(" ").append(path).append(": ");
  message.append(std::generic_category().message(sys));
  message.append(" (").append(ErrnoName(sys)).append(")");
  const ErrnoRow* row = FindErrno(sys);
  if (row != nullptr && row->hint != nullptr) {
    message.append("; ").append(row->hint);
  }
  return {Errc::kLockFailed, sys, std::move(message)};
}

Error::Error(Status status, std::string path, std::string backend)
    : std::system_error(status.error_code()),
      path_(std::move(path)),
      backend_(std::move(backend)),
      what_(backend_ + " lock of " + path_ + ": " +
            (status.message.empty() ? Sentence(status.code) : status.message)),
      sys_(status.sys) {}

void Throw(Status status, std::string path, std::string backend,
           bool releasing) {
  switch (status.code) {
    case Errc::kLockTimeout:
      throw LockTimeout(std::move(status), std::move(path), std::move(backend));
    case Errc::kAlreadyLocked:
      throw AlreadyLocked(std::move(status), std::move(path),
                          std::move(backend));
    case Errc::kUnsupported:
      throw Unsupported(std::move(status), std::move(path), std::move(backend));
    case Errc::kNotLocked:
      throw NotLocked(std::move(status), std::move(path), std::move(backend));
    case Errc::kNotMyLock:
      throw NotMyLock(std::move(status), std::move(path), std::move(backend));
    case Errc::kLockLost:
      throw LockLost(std::move(status), std::move(path), std::move(backend));
    case Errc::kDeadlock:
      throw LockError(std::move(status), std::move(path), std::move(backend));
    case Errc::kOk:
    case Errc::kLockFailed:
      break;
  }
  if (releasing) {
    throw UnlockError(std::move(status), std::move(path), std::move(backend));
  }
  throw LockFailed(std::move(status), std::move(path), std::move(backend));
}

}  // namespace lockfile
