// What can go wrong, as exceptions and as error codes.
//
//   Error (std::system_error)
//     LockError                could not get the lock
//       LockTimeout            waited as long as was asked
//       AlreadyLocked          somebody holds it, and waiting was not asked for
//       LockFailed             an error that is not contention: see errno
//         Unsupported          this directory cannot carry this backend
//     UnlockError              could not give the lock back
//       NotLocked              nobody holds it
//       NotMyLock              somebody else holds it
//         LockLost             it was mine, and was broken or removed
//
// The names are those of Python's `lockfile`; LockLost and Unsupported are new
// and stand below the class that the ancestor would have raised.
//
// Every function that throws has an overload with `std::error_code&`. The code
// is the one that Error::code() carries: a system errno (generic_category)
// for LockFailed, a value of lockfile::Errc for all else. Errc values compare
// equal to the std::errc that fits: Errc::kLockTimeout == std::errc::timed_out.
#ifndef LOCKLAB_LIB_ERRORS_H_
#define LOCKLAB_LIB_ERRORS_H_

#include <string>
#include <string_view>
#include <system_error>

namespace lockfile {

enum class Errc {
  kOk = 0,
  kLockTimeout,    // ~ std::errc::timed_out
  kAlreadyLocked,  // ~ std::errc::resource_unavailable_try_again
  kLockFailed,     // carried with an errno: see Status::sys
  kUnsupported,    // ~ std::errc::not_supported
  kNotLocked,      // ~ std::errc::no_lock_available
  kNotMyLock,      // ~ std::errc::operation_not_permitted
  kLockLost,       // ~ std::errc::owner_dead
  kDeadlock,       // lock() by the thread that holds it already
};

const std::error_category& lockfile_category() noexcept;
std::error_code make_error_code(Errc errc) noexcept;

// The result of an internal operation: what kind, which errno, and a sentence
// for people. Costs nothing where all is well.
struct [[nodiscard]] Status {
  Errc code = Errc::kOk;
  int sys = 0;          // errno, where a system call failed
  std::string message;  // "cannot create /a/b.lock: Permission denied ..."

  [[nodiscard]] bool ok() const { return code == Errc::kOk; }
  [[nodiscard]] std::error_code error_code() const noexcept;

  static Status Ok() { return {}; }
  static Status Make(Errc code, std::string message, int sys = 0) {
    return {code, sys, std::move(message)};
  }
  // "cannot WHAT PATH: Permission denied (EACCES); HINT": a failed system
  // call, with the advice that fits its errno.
  static Status Failed(std::string_view what, std::string_view path, int sys);
};

// "EACCES" for EACCES; "errno 12345" for what has no name here.
std::string ErrnoName(int sys);

class Error : public std::system_error {
 public:
  Error(Status status, std::string path, std::string backend);
  // The path that was to be locked, as the caller gave it.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  // The backend's name: "link", "mkdir", ...
  [[nodiscard]] const std::string& backend() const noexcept { return backend_; }
  // errno of the system call that failed, 0 where none did.
  [[nodiscard]] int sys_errno() const noexcept { return sys_; }
  [[nodiscard]] const char* what() const noexcept override {
    return what_.c_str();
  }

 private:
  std::string path_;
  std::string backend_;
  std::string what_;
  int sys_;
};

class LockError : public Error {
  using Error::Error;
};
class LockTimeout : public LockError {
  using LockError::LockError;
};
class AlreadyLocked : public LockError {
  using LockError::LockError;
};
class LockFailed : public LockError {
  using LockError::LockError;
};
class Unsupported : public LockFailed {
  using LockFailed::LockFailed;
};
class UnlockError : public Error {
  using Error::Error;
};
class NotLocked : public UnlockError {
  using UnlockError::UnlockError;
};
class NotMyLock : public UnlockError {
  using UnlockError::UnlockError;
};
class LockLost : public NotMyLock {
  using NotMyLock::NotMyLock;
};

// Throws the class that stands for `status.code`. kLockFailed met while giving
// a lock back is an UnlockError: say so with `releasing`.
[[noreturn]] void Throw(Status status, std::string path, std::string backend,
                        bool releasing = false);

}  // namespace lockfile

template <>
struct std::is_error_code_enum<lockfile::Errc> : std::true_type {};

#endif  // LOCKLAB_LIB_ERRORS_H_
