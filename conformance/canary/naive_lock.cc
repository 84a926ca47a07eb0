#include "conformance/canary/naive_lock.h"

#include <fcntl.h>

#include <cerrno>

#include "lib/deadline.h"

namespace locklab::canary {

using std::chrono_literals::operator""us;
using std::chrono::nanoseconds;

Outcome NaiveLock::Acquire(nanoseconds timeout) {
  using lockfile::Deadline;
  const Deadline deadline = timeout < nanoseconds::zero()
                                ? Deadline::Never()
                                : Deadline::After(timeout, os_.Now());
  for (;;) {
    Outcome outcome = Try();
    if (outcome.got != Got::kTimeout || deadline.passed(os_.Now())) {
      return outcome;
    }
    os_.WaitEvent(-1, -1, deadline.Slice(50us, os_.Now()));
  }
}

Outcome NaiveLock::Release() {
  const int error = os_.Unlink(file_.c_str()).error;
  if (error == 0 || error == ENOENT) return {};
  return Failed("remove", file_, error);
}

Outcome NaiveLock::Create(int exclusive) {
  const auto opened =
      os_.Open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | exclusive, 0666);
  if (!opened.ok()) {
    return opened.error == EEXIST ? Refused()
                                  : Failed("create", file_, opened.error);
  }
  const int fd = static_cast<int>(opened.value);
  const std::string pid = std::to_string(os_.Pid()) + "\n";
  const auto written = os_.WriteStart(fd, pid.data(), pid.size());
  os_.Close(fd);
  return written.ok() ? Outcome{} : Failed("write", file_, written.error);
}

void NaiveLock::Dither() {
  if (seeded_for_ != os_.Pid()) {
    seeded_for_ = os_.Pid();
    random_.seed(seed_ ^ (static_cast<uint64_t>(seeded_for_) << 32));
  }
  os_.WaitEvent(-1, -1, os_.Now() + nanoseconds(random_() % 200'000));
}

Outcome NaiveLock::Refused() {
  Outcome outcome;
  outcome.got = Got::kTimeout;
  outcome.message = "the file is there";
  return outcome;
}

Outcome NaiveLock::Failed(const char* what, const std::string& path,
                          int error) {
  lockfile::Status status = lockfile::Status::Failed(what, path, error);
  Outcome outcome;
  outcome.got = Got::kError;
  outcome.sys = error;
  outcome.message = std::move(status.message);
  return outcome;
}

}  // namespace locklab::canary
