// The lock under test, whatever it is: a backend of the library, a canary that
// is broken on purpose, or a foreign lock behind an adapter. Claims, stress
// runs and benchmarks know nothing else of it.
#ifndef LOCKLAB_CONFORMANCE_SUBJECT_SUBJECT_H_
#define LOCKLAB_CONFORMANCE_SUBJECT_SUBJECT_H_

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/backends.h"
#include "lib/errors.h"
#include "lib/os/os.h"
#include "lib/owner.h"

namespace locklab {

enum class Got {
  kOk,
  kTimeout,  // or refused at once: somebody else holds it
  kError,    // anything else: see Outcome::message
};

struct Outcome {
  Got got = Got::kOk;
  int sys = 0;          // errno where there was one
  std::string message;  // empty for kOk
  // Which of the lock's own errors, where it tells them apart; kOk: it does
  // not.
  lockfile::Errc code = lockfile::Errc::kOk;

  [[nodiscard]] bool ok() const { return got == Got::kOk; }
};

// The questions that a lock may be able to answer beside being taken and given
// back. None of them waits, except Break for another breaker.
class Inspector {
 public:
  virtual ~Inspector() = default;
  // Where the lock lives in the filesystem.
  [[nodiscard]] virtual std::string lock_path() const = 0;
  virtual Outcome IsLocked(bool* locked) = 0;
  virtual Outcome IAmLocking(bool* mine) = 0;
  virtual Outcome ReadOwner(std::optional<lockfile::Owner>* owner) = 0;
  virtual lockfile::Liveness HolderLife() = 0;
  virtual Outcome Break(bool* broke) = 0;
  virtual Outcome BreakIf(const lockfile::Owner& expected, bool* broke) = 0;
  // Of a lock that is held under a lease: tells the others that its holder
  // lives.
  virtual Outcome Refresh() {
    return {.got = Got::kError,
            .message = "it has no lease to refresh",
            .code = lockfile::Errc::kUnsupported};
  }
};

// One lock object in one process. Not shared between threads. May be created
// before fork() and used in the child, if it was not used before.
class Subject {
 public:
  virtual ~Subject() = default;
  // timeout < 0: waits for ever; 0: does not wait.
  virtual Outcome Acquire(std::chrono::nanoseconds timeout) = 0;
  virtual Outcome Release() = 0;
  // Starts what it stands on, so that the first Acquire is like every other.
  // In the process that will use it. May be left out; what goes wrong, the
  // first Acquire tells.
  virtual void Warm() {}
  // nullptr: this lock can be taken and given back, and that is all. Lives as
  // long as the subject.
  virtual Inspector* inspector() { return nullptr; }
};

// How to make one: a row in a table of backends, canaries or adapters.
class SubjectFactory {
 public:
  virtual ~SubjectFactory() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  [[nodiscard]] virtual std::unique_ptr<Subject> Make(
      const std::string& path) const = 0;
  // The same lock standing on another operating system, which outlives it:
  // for faults and for holders that lie about themselves. nullptr: this lock
  // does not go through the seam.
  [[nodiscard]] virtual std::unique_ptr<Subject> MakeOn(
      lockfile::os::Os& os, const std::string& path) const {
    (void)os;
    (void)path;
    return nullptr;
  }
  // The same lock, held under a lease: others may take it when they have
  // watched it unrefreshed for so long. nullptr: this lock has no leases.
  [[nodiscard]] virtual std::unique_ptr<Subject> MakeLeasedOn(
      lockfile::os::Os& os, const std::string& path,
      std::chrono::milliseconds lease) const {
    (void)os;
    (void)path;
    (void)lease;
    return nullptr;
  }
  [[nodiscard]] std::unique_ptr<Subject> MakeLeased(
      const std::string& path, std::chrono::milliseconds lease) const {
    return MakeLeasedOn(lockfile::os::Os::Real(), path, lease);
  }
  // Whether another process holds the lock on behalf of the one that uses the
  // subject. What forks, threads and descriptors do to it is not seen then.
  [[nodiscard]] virtual bool remote() const { return false; }
  // Why there is no such lock on this machine, and what to do about it; empty:
  // there is. May take a second the first time. Main thread only.
  [[nodiscard]] virtual std::string WhyMissing() const { return ""; }
  // What it declares of itself; claims that cannot hold are left out.
  [[nodiscard]] virtual lockfile::Traits traits() const { return {}; }
};

// A backend of the library by its name; nullptr: there is none such.
[[nodiscard]] std::unique_ptr<SubjectFactory> BackendSubject(
    std::string_view backend);

}  // namespace locklab

#endif  // LOCKLAB_CONFORMANCE_SUBJECT_SUBJECT_H_
