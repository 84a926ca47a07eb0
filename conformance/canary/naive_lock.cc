#include "conformance/canary/naive_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "lib/deadline.h"

namespace locklab::canary {

using std::chrono_literals::operator""us;
using std::chrono::nanoseconds;

Outcome NaiveLock::Acquire(nanoseconds timeout) {
  using lockfile::Deadline;
  using lockfile::os::Clock;
  const Deadline deadline = timeout < nanoseconds::zero()
                                ? Deadline::Never()
                                : Deadline::After(timeout, Clock::now());
  for (;;) {
    Outcome outcome = Try();
    if (outcome.got != Got::kTimeout || deadline.passed(Clock::now())) {
      return outcome;
    }
    std::this_thread::sleep_until(deadline.Slice(50us, Clock::now()));
  }
}

Outcome NaiveLock::Release() {
  if (unlink(file_.c_str()) == 0 || errno == ENOENT) return {};
  return Failed("remove", file_, errno);
}

Outcome NaiveLock::Create(int exclusive) {
  const int fd =
      open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | exclusive, 0666);
  if (fd < 0) {
    return errno == EEXIST ? Refused() : Failed("create", file_, errno);
  }
  const std::string pid = std::to_string(getpid()) + "\n";
  const bool written =
      write(fd, pid.data(), pid.size()) == static_cast<ssize_t>(pid.size());
  const int error = written ? 0 : errno;
  close(fd);
  return written ? Outcome{} : Failed("write", file_, error);
}

void NaiveLock::Dither() {
  if (seeded_for_ != getpid()) {
    seeded_for_ = getpid();
    random_.seed(seed_ ^ (static_cast<uint64_t>(seeded_for_) << 32));
  }
  std::this_thread::sleep_for(nanoseconds(random_() % 200'000));
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
