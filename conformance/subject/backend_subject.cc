// The library's backends as locks under test.
#include <system_error>

#include "conformance/subject/subject.h"
#include "lib/lock_file.h"

namespace locklab {
namespace {

using lockfile::Errc;
using lockfile::LockFile;

lockfile::Options OptionsOf(std::string_view backend, lockfile::os::Os* os,
                            std::chrono::milliseconds lease) {
  lockfile::Options options;
  options.lease = lease;
  options.backend = backend;
  options.os = os;
  return options;
}

Outcome OutcomeOf(const std::error_code& error, const LockFile& lock) {
  if (!error) return {};
  Outcome outcome{.got = Got::kError, .message = lock.last_error_message()};
  if (error.category() == lockfile::lockfile_category()) {
    outcome.code = static_cast<Errc>(error.value());
  } else {
    outcome.code = Errc::kLockFailed;
    outcome.sys = error.value();
  }
  if (outcome.code == Errc::kLockTimeout ||
      outcome.code == Errc::kAlreadyLocked) {
    outcome.got = Got::kTimeout;
  }
  if (outcome.message.empty()) outcome.message = error.message();
  return outcome;
}

class LibrarySubject : public Subject, public Inspector {
 public:
  LibrarySubject(std::string_view backend, const std::string& path,
                 lockfile::os::Os* os, std::chrono::milliseconds lease = {})
      : lock_(path, OptionsOf(backend, os, lease), made_) {}

  Outcome Acquire(std::chrono::nanoseconds timeout) override {
    std::error_code error = made_;
    if (!made_ && timeout < std::chrono::nanoseconds::zero()) {
      lock_.acquire(error);
    } else if (!made_) {
      lock_.acquire(timeout, error);
    }
    return OutcomeOf(error, lock_);
  }

  Outcome Release() override {
    std::error_code error;
    lock_.release(error);
    return OutcomeOf(error, lock_);
  }

  Inspector* inspector() override { return this; }

  [[nodiscard]] std::string lock_path() const override {
    return lock_.lock_path();
  }
  Outcome IsLocked(bool* locked) override {
    std::error_code error;
    *locked = lock_.is_locked(error);
    return OutcomeOf(error, lock_);
  }
  Outcome IAmLocking(bool* mine) override {
    std::error_code error;
    *mine = lock_.i_am_locking(error);
    return OutcomeOf(error, lock_);
  }
  Outcome ReadOwner(std::optional<lockfile::Owner>* owner) override {
    std::error_code error;
    *owner = lock_.owner(error);
    return OutcomeOf(error, lock_);
  }
  lockfile::Liveness HolderLife() override { return lock_.holder_liveness(); }
  Outcome Break(bool* broke) override {
    std::error_code error;
    *broke = lock_.break_lock(error);
    return OutcomeOf(error, lock_);
  }
  Outcome BreakIf(const lockfile::Owner& expected, bool* broke) override {
    std::error_code error;
    *broke = lock_.break_lock(expected, error);
    return OutcomeOf(error, lock_);
  }
  Outcome Refresh() override {
    std::error_code error;
    lock_.refresh(error);
    return OutcomeOf(error, lock_);
  }

 private:
  std::error_code made_;  // before lock_, whose constructor sets it
  LockFile lock_;
};

class LibraryFactory : public SubjectFactory {
 public:
  explicit LibraryFactory(const lockfile::BackendRow& row) : row_(row) {}

  [[nodiscard]] std::string_view name() const override { return row_.name; }
  [[nodiscard]] std::unique_ptr<Subject> Make(
      const std::string& path) const override {
    return std::make_unique<LibrarySubject>(row_.name, path, nullptr);
  }
  [[nodiscard]] std::unique_ptr<Subject> MakeOn(
      lockfile::os::Os& os, const std::string& path) const override {
    return std::make_unique<LibrarySubject>(row_.name, path, &os);
  }
  [[nodiscard]] std::unique_ptr<Subject> MakeLeasedOn(
      lockfile::os::Os& os, const std::string& path,
      std::chrono::milliseconds lease) const override {
    // The kernel's locks are never broken.
    if (row_.traits.released_on_crash) return nullptr;
    return std::make_unique<LibrarySubject>(row_.name, path, &os, lease);
  }
  [[nodiscard]] lockfile::Traits traits() const override { return row_.traits; }

 private:
  const lockfile::BackendRow& row_;
};

}  // namespace

std::unique_ptr<SubjectFactory> BackendSubject(std::string_view backend) {
  const lockfile::BackendRow* row = lockfile::FindBackend(backend);
  if (row == nullptr) return nullptr;
  return std::make_unique<LibraryFactory>(*row);
}

}  // namespace locklab
