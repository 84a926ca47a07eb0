#include "lib/backends/kernel_file.h"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <chrono>

namespace lockfile {
namespace {

constexpr int kFlags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

// NFSv4.0 has no word for a waiter: Linux's client asks again after 1 s, then
// 2, and in the end every 30 s (NFS4_LOCK_MAXTIMEOUT). Who asks anew begins
// anew.
constexpr auto kRemoteWait = std::chrono::seconds(1);

// In the place of the first byte of a record: nobody holds the lock.
constexpr char kReleased = '-';

std::string FirstLine(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

}  // namespace

Status KernelFile::OpenFile(int* fd, os::FileInfo* info) {
  *fd = -1;
  // Without O_CREAT first: fs.protected_regular forbids it for a file of
  // another user in a directory like /tmp.
  os::SysResult opened = os_.Open(lock_path_.c_str(), O_RDWR | kFlags, 0);
  if (opened.error == ENOENT) {
    constexpr int kCreate = O_RDWR | O_CREAT | O_EXCL | kFlags;
    opened = os_.Open(lock_path_.c_str(), kCreate, mode_);
    if (opened.error == EEXIST) return Status::Ok();
  } else if (opened.error == EACCES && kind_ == os::KernelLock::kFlock) {
    // flock asks for no right to write; who may read may wait.
    opened = os_.Open(lock_path_.c_str(), O_RDONLY | kFlags, 0);
  }
  if (!opened.ok()) return Status::Failed("open", lock_path_, opened.error);
  *fd = static_cast<int>(opened.value);
  int error = os_.Fstat(*fd, info).error;
  if (error == 0 && info->type != os::FileType::kRegular) error = ENOTSUP;
  if (error == 0) return Status::Ok();
  os_.Close(*fd);
  *fd = -1;
  return Status::Failed("lock something that is no regular file at", lock_path_,
                        error);
}

Status KernelFile::IsInPlace(const os::FileInfo& info, bool* in_place) {
  os::FileInfo now;
  const int error = os_.Lstat(lock_path_.c_str(), &now).error;
  *in_place = error == 0 && now.SameFile(info);
  if (error == 0 || error == ENOENT) return Status::Ok();
  return Status::Failed("look at", lock_path_, error);
}

Status KernelFile::TryTake(const Hold& hold, Take* take) {
  *take = Take::kHeld;
  int elusive = 0;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    if (fd_ < 0) {
      const Status status = OpenFile(&fd_, &info_);
      if (!status.ok()) return status;
      if (fd_ < 0 && ++elusive == kElusive) return Status::Ok();
      if (fd_ < 0) continue;
    }
    bool again = false;
    const Status status = TakeOpened(hold, take, &again);
    if (!again) return status;
    CloseFile();
  }
  return RemovedAgainAndAgain();
}

Status KernelFile::RemovedAgainAndAgain() const {
  return Status::Make(Errc::kLockFailed,
                      lock_path_ + " is removed again and again by somebody",
                      ESTALE);
}

Status KernelFile::TakeOpened(const Hold& hold, Take* take, bool* again) {
  const int error = os_.TryLock(fd_, kind_).error;
  if (error == EAGAIN) {
    // Perhaps on a file that has lost its name: then wait on the right one.
    bool in_place = false;
    const Status status = IsInPlace(info_, &in_place);
    *again = status.ok() && !in_place;
    return status;
  }
  if (error == ENOTSUP || error == ENOSYS || error == EINVAL) {
    return Status::Make(Errc::kUnsupported,
                        "the filesystem of " + lock_path_ +
                            " does not carry this kernel lock (" +
                            ErrnoName(error) + "); use a soft backend: mkdir",
                        error);
  }
  if (error == EBADF && kind_ == os::KernelLock::kFlock) {
    return Status::Make(Errc::kLockFailed,
                        "cannot lock " + lock_path_ +
                            ": this filesystem lets only those lock a file "
                            "who may write to it; check its permissions",
                        EACCES);
  }
  if (error != 0) return Status::Failed("lock", lock_path_, error);
  bool in_place = false;
  const Status status = IsInPlace(info_, &in_place);
  if (!status.ok() || !in_place) {
    os_.Unlock(fd_, kind_);
    *again = status.ok();
    return status;
  }
  locked_ = true;
  *take = Take::kTaken;
  // For people and owner() only: whether it can be written does not matter.
  const std::string text = hold.record + "\n";
  signed_ = os_.WriteStart(fd_, text.data(), text.size()).ok();
  return Status::Ok();
}

Status KernelFile::Release(const Hold& hold) {
  bool in_place = false;
  Status status = IsInPlace(info_, &in_place);
  if (!status.ok()) return status;
  if (in_place) os_.WriteStart(fd_, &kReleased, 1);
  // Not by close alone: a forked child may have a copy of the descriptor.
  const int error = os_.Unlock(fd_, kind_).error;
  if (error != 0 && in_place) {
    return Status::Failed("unlock", lock_path_, error);
  }
  GiveUp(hold);
  if (in_place) return Status::Ok();
  return Status::Make(Errc::kLockLost,
                      lock_path_ + " was removed while it was held");
}

Status KernelFile::StillMine(const Hold& hold, bool* mine) {
  (void)hold;
  *mine = false;
  return locked_ ? IsInPlace(info_, mine) : Status::Ok();
}

std::string KernelFile::ReadText(int fd) {
  std::array<char, kMaxRecord + 1> buffer;
  const os::SysResult read = os_.ReadStart(fd, buffer.data(), buffer.size());
  if (!read.ok()) return {};
  return FirstLine({buffer.data(), static_cast<size_t>(read.value)});
}

Status KernelFile::IsHeld(int fd, const std::string& text, bool* held) {
  (void)text;
  // As an OFD lock would meet it: that sees the locks of this process, too.
  pid_t holder = -1;
  const os::SysResult query = os_.QueryLock(fd, os::KernelLock::kOfd, &holder);
  if (!query.ok()) {
    return Status::Failed("ask for the lock on", lock_path_, query.error);
  }
  *held = query.value == 1;
  return Status::Ok();
}

Status KernelFile::LookAt(int fd, const os::FileInfo& info, Sight* sight) {
  const std::string text = ReadText(fd);
  const Status status = IsHeld(fd, text, &sight->held);
  if (!status.ok() || !sight->held) return status;
  sight->version = std::to_string(info.ino) + ":" + text;
  sight->owner = ParseRecord(text);
  // A record that a dead holder left is not the present holder's.
  if (sight->owner.has_value() &&
      JudgeLife(os_, *sight->owner).life == Life::kDead) {
    sight->owner.reset();
  }
  if (!sight->owner.has_value()) {
    sight->note = "the kernel holds it for a process that left no record";
  }
  return status;
}

Status KernelFile::Look(Sight* sight) {
  *sight = Sight{};
  const os::SysResult opened =
      os_.Open(lock_path_.c_str(), O_RDONLY | kFlags, 0);
  if (opened.error == ENOENT) return Status::Ok();
  if (!opened.ok()) return Status::Failed("open", lock_path_, opened.error);
  const int fd = static_cast<int>(opened.value);
  os::FileInfo info;
  const int error = os_.Fstat(fd, &info).error;
  const Status status = error == 0
                            ? LookAt(fd, info, sight)
                            : Status::Failed("look at", lock_path_, error);
  os_.Close(fd);
  return status;
}

Status KernelFile::Break(const Sight& seen, BreakReason reason, Broke* broke) {
  (void)reason;
  Sight now;
  *broke = Broke::kChanged;
  const Status status = Look(&now);
  if (!status.ok() || !now.held || now.version != seen.version) return status;
  const std::string who =
      now.owner.has_value() ? now.owner->Describe() : "a process";
  return Status::Make(
      Errc::kUnsupported,
      "the kernel holds " + lock_path_ + " for " + who +
          " and cannot take it away; it is released when that process ends");
}

Status KernelFile::Refresh(const Hold& hold) {
  bool mine = false;
  const Status status = StillMine(hold, &mine);
  if (!status.ok() || mine) return status;
  return Status::Make(Errc::kLockLost, lock_path_ + " was removed");
}

bool KernelFile::WaitInKernel(Deadline deadline) {
  if (fd_ < 0) return false;
  // Linux's SMB client (6.1, with Samba 4.17) does not wake who sleeps for a
  // lock that it has refused once, though a try would get it after the release.
  if (OnSmb()) return false;
  const os::TimePoint until = IsLocal(storage())
                                  ? deadline.at()
                                  : deadline.Slice(kRemoteWait, os_.Now());
  const int error = os_.WaitLock(fd_, kind_, until).error;
  return error == 0 || error == ETIMEDOUT;
}

Storage KernelFile::storage() {
  if (!storage_.has_value())
    storage_ = StorageOf(os_, LockNames(lock_path_).directory());
  return *storage_;
}

void KernelFile::GiveUp(const Hold& hold) {
  (void)hold;
  CloseFile();
}

void KernelFile::CloseFile() {
  if (fd_ >= 0) os_.Close(fd_);
  fd_ = -1;
  locked_ = false;
}

// The child's copy of the descriptor holds the parent's lock as well: without
// it the lock ends with the parent.
void KernelFile::ForgetInChild() { CloseFile(); }

}  // namespace lockfile
