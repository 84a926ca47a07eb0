#include "lib/lock_file.h"

#include <utility>

#include "lib/backends.h"
#include "lib/lock_impl.h"

namespace lockfile {
namespace {

std::string MakeAbsolute(const std::filesystem::path& path,
                         std::error_code* error) {
  if (path.empty() || !path.has_filename()) {
    *error = std::make_error_code(std::errc::invalid_argument);
    return path.string();
  }
  return std::filesystem::absolute(path, *error).string();
}

struct Choice {
  std::string path;
  const BackendRow* row = nullptr;
  Status status;
};

Choice Choose(const std::filesystem::path& path, const Options& options) {
  Choice choice;
  std::error_code error;
  choice.path = MakeAbsolute(path, &error);
  choice.row = FindBackend(options.backend.empty() ? "link" : options.backend);
  if (error) {
    choice.status =
        Status::Failed("lock", "'" + path.string() + "'", error.value());
  } else if (choice.row == nullptr) {
    choice.status = Status::Make(Errc::kUnsupported,
                                 "there is no backend '" + options.backend +
                                     "'; there are " + BackendNames());
    choice.row = FindBackend("link");
  }
  return choice;
}

}  // namespace

LockFile::LockFile(const std::filesystem::path& path, Options options) {
  Choice choice = Choose(path, options);
  if (!choice.status.ok()) {
    Throw(std::move(choice.status), path.string(), options.backend);
  }
  const bool choose = options.backend.empty();
  impl_ = std::make_unique<Impl>(std::move(choice.path), *choice.row,
                                 std::move(options), choose);
}

LockFile::LockFile(const std::filesystem::path& path, Options options,
                   std::error_code& error) {
  const Choice choice = Choose(path, options);
  error = choice.status.error_code();
  const bool choose = options.backend.empty();
  // An object that was made wrong points where no lock can be made.
  impl_ = std::make_unique<Impl>(error ? "/dev/null/invalid" : choice.path,
                                 *choice.row, std::move(options), choose);
}

LockFile::~LockFile() = default;

Deadline LockFile::FromNow(Deadline::Duration timeout) const {
  return Deadline::After(timeout, impl_->os().Now());
}

Status LockFile::Acquire(Deadline deadline, Again again) {
  return impl_->Remember(impl_->Acquire(deadline, again));
}

void LockFile::ThrowIfBad(Status status, bool releasing) const {
  if (status.ok()) return;
  Throw(std::move(status), impl_->path(), std::string(impl_->row().name),
        releasing);
}

void LockFile::acquire() {
  ThrowIfBad(Acquire(impl_->DefaultDeadline(), Again::kIsFine));
}

void LockFile::acquire(std::error_code& error) {
  error = Acquire(impl_->DefaultDeadline(), Again::kIsFine).error_code();
}

void LockFile::release() {
  ThrowIfBad(impl_->Remember(impl_->Release()), /*releasing=*/true);
}

void LockFile::release(std::error_code& error) {
  error = impl_->Remember(impl_->Release()).error_code();
}

void LockFile::unlock() noexcept { impl_->Unlock(); }

void LockFile::lock() {
  ThrowIfBad(Acquire(Deadline::Never(), Again::kIsDeadlock));
}

bool LockFile::try_lock() { return TryUntil(Deadline::Now()); }

bool LockFile::TryUntil(Deadline deadline) {
  const Status status = Acquire(deadline, Again::kIsDeadlock);
  if (status.code == Errc::kAlreadyLocked ||
      status.code == Errc::kLockTimeout || status.code == Errc::kDeadlock) {
    return false;
  }
  ThrowIfBad(status);
  return true;
}

bool LockFile::is_locked() {
  Sight sight;
  ThrowIfBad(impl_->Remember(impl_->Look(&sight)));
  return sight.held;
}

bool LockFile::is_locked(std::error_code& error) {
  Sight sight;
  error = impl_->Remember(impl_->Look(&sight)).error_code();
  return sight.held;
}

bool LockFile::i_am_locking() {
  bool mine = false;
  ThrowIfBad(impl_->Remember(impl_->IAmLocking(&mine)));
  return mine;
}

bool LockFile::i_am_locking(std::error_code& error) {
  bool mine = false;
  error = impl_->Remember(impl_->IAmLocking(&mine)).error_code();
  return mine;
}

bool LockFile::break_lock() {
  bool broke = false;
  ThrowIfBad(impl_->Remember(impl_->Break(nullptr, &broke)));
  return broke;
}

bool LockFile::break_lock(std::error_code& error) {
  bool broke = false;
  error = impl_->Remember(impl_->Break(nullptr, &broke)).error_code();
  return broke;
}

bool LockFile::break_lock(const Owner& expected) {
  bool broke = false;
  ThrowIfBad(impl_->Remember(impl_->Break(&expected, &broke)));
  return broke;
}

bool LockFile::break_lock(const Owner& expected, std::error_code& error) {
  bool broke = false;
  error = impl_->Remember(impl_->Break(&expected, &broke)).error_code();
  return broke;
}

std::optional<Owner> LockFile::owner() {
  Sight sight;
  ThrowIfBad(impl_->Remember(impl_->Look(&sight)));
  return sight.owner;
}

std::optional<Owner> LockFile::owner(std::error_code& error) {
  Sight sight;
  error = impl_->Remember(impl_->Look(&sight)).error_code();
  return sight.owner;
}

Liveness LockFile::holder_liveness() {
  Sight sight;
  ThrowIfBad(impl_->Remember(impl_->Look(&sight)));
  if (!sight.held) return {Life::kDead, "nobody holds it"};
  if (!sight.owner.has_value()) return {Life::kUnknown, sight.note};
  return JudgeLife(impl_->os(), *sight.owner);
}

void LockFile::refresh() { ThrowIfBad(impl_->Remember(impl_->Refresh())); }

void LockFile::refresh(std::error_code& error) {
  error = impl_->Remember(impl_->Refresh()).error_code();
}

const std::string& LockFile::path() const noexcept { return impl_->path(); }

const std::string& LockFile::lock_path() const noexcept {
  return impl_->backend().lock_path();
}

const BackendRow& LockFile::backend() const noexcept { return impl_->row(); }

std::string LockFile::last_error_message() const {
  return impl_->last_message();
}

}  // namespace lockfile
