#include "conformance/canary/pid_file.h"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <charconv>

namespace locklab::canary {

using lockfile::os::KernelLock;

Outcome PidFile::IsLocked(bool* locked) {
  lockfile::os::FileInfo info;
  *locked = os_.Lstat(file().c_str(), &info).ok();
  return {};
}

Outcome PidFile::IAmLocking(bool* mine) {
  *mine = HolderPid() == os_.Pid();
  return {};
}

Outcome PidFile::ReadOwner(std::optional<lockfile::Owner>* owner) {
  owner->reset();
  if (const pid_t pid = HolderPid(); pid > 0) owner->emplace().pid = pid;
  return {};
}

lockfile::Liveness PidFile::HolderLife() {
  using lockfile::Life;
  return {IsStale() ? Life::kDead : Life::kAlive, "by its file"};
}

Outcome PidFile::Break(bool* broke) {
  *broke = os_.Unlink(file().c_str()).ok();
  return {};
}

Outcome PidFile::BreakIf(const lockfile::Owner& expected, bool* broke) {
  *broke = false;
  if (HolderPid() != expected.pid) return {};
  Dither();
  return Break(broke);
}

Outcome PidFile::Try() {
  Outcome outcome = Create(O_EXCL);
  if (outcome.got != Got::kTimeout || !IsStale()) return outcome;
  Recover();
  return Create(O_EXCL);
}

bool PidFile::IsStale() {
  const pid_t pid = HolderPid();
  return pid > 0 && !os_.Status(pid).exists;
}

void PidFile::Recover() {
  const std::string guard = file() + ".guard";
  const auto opened =
      os_.Open(guard.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (!opened.ok()) return;
  const int fd = static_cast<int>(opened.value);
  os_.WaitLock(fd, KernelLock::kFlock, lockfile::os::kForever);
  if (IsStale()) os_.Unlink(file().c_str());
  os_.Close(fd);
}

pid_t PidFile::HolderPid() const {
  const auto opened = os_.Open(file().c_str(), O_RDONLY | O_CLOEXEC, 0);
  if (!opened.ok()) return 0;
  const int fd = static_cast<int>(opened.value);
  std::array<char, 16> text;
  const auto read = os_.ReadStart(fd, text.data(), text.size());
  os_.Close(fd);
  pid_t pid = 0;
  if (read.ok()) std::from_chars(text.data(), text.data() + read.value, pid);
  return pid;
}

}  // namespace locklab::canary
