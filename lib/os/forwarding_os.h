// An Os that passes every call on to another: the base for wrappers that
// inject faults, count or record. Override what you want to bend.
#ifndef LOCKLAB_LIB_OS_FORWARDING_OS_H_
#define LOCKLAB_LIB_OS_FORWARDING_OS_H_

#include <memory>
#include <string>
#include <vector>

#include "lib/os/os.h"

namespace lockfile::os {

class ForwardingOs : public Os {
 public:
  explicit ForwardingOs(Os& base = Os::Real()) : base_(base) {}

  SysResult Open(const char* path, int flags, mode_t mode) override {
    return base_.Open(path, flags, mode);
  }
  SysResult Close(int fd) override { return base_.Close(fd); }
  SysResult ReadStart(int fd, void* buffer, size_t size) override {
    return base_.ReadStart(fd, buffer, size);
  }
  SysResult WriteStart(int fd, const void* data, size_t size) override {
    return base_.WriteStart(fd, data, size);
  }
  SysResult Truncate(int fd, int64_t size) override {
    return base_.Truncate(fd, size);
  }
  SysResult Link(const char* from, const char* to) override {
    return base_.Link(from, to);
  }
  SysResult Symlink(const char* text, const char* path) override {
    return base_.Symlink(text, path);
  }
  SysResult ReadLink(const char* path, char* buffer, size_t size) override {
    return base_.ReadLink(path, buffer, size);
  }
  SysResult Unlink(const char* path) override { return base_.Unlink(path); }
  SysResult MakeDir(const char* path, mode_t mode) override {
    return base_.MakeDir(path, mode);
  }
  SysResult RemoveDir(const char* path) override {
    return base_.RemoveDir(path);
  }
  SysResult Rename(const char* from, const char* to) override {
    return base_.Rename(from, to);
  }
  SysResult RenameNoReplace(const char* from, const char* to) override {
    return base_.RenameNoReplace(from, to);
  }
  SysResult Lstat(const char* path, FileInfo* info) override {
    return base_.Lstat(path, info);
  }
  SysResult Fstat(int fd, FileInfo* info) override {
    return base_.Fstat(fd, info);
  }
  SysResult ListDir(const char* path, size_t limit,
                    std::vector<std::string>* names) override {
    return base_.ListDir(path, limit, names);
  }
  SysResult Touch(const char* path) override { return base_.Touch(path); }
  SysResult FilesystemType(const char* path) override {
    return base_.FilesystemType(path);
  }
  SysResult TryLock(int fd, KernelLock kind) override {
    return base_.TryLock(fd, kind);
  }
  SysResult Unlock(int fd, KernelLock kind) override {
    return base_.Unlock(fd, kind);
  }
  SysResult QueryLock(int fd, KernelLock kind, pid_t* holder) override {
    return base_.QueryLock(fd, kind, holder);
  }
  SysResult WaitLock(int fd, KernelLock kind, TimePoint deadline) override {
    return base_.WaitLock(fd, kind, deadline);
  }
  SysResult WatchOpen() override { return base_.WatchOpen(); }
  SysResult WatchAdd(int watch_fd, const char* path) override {
    return base_.WatchAdd(watch_fd, path);
  }
  SysResult WatchRemove(int watch_fd, int watch) override {
    return base_.WatchRemove(watch_fd, watch);
  }
  SysResult ProcessWatch(pid_t pid) override { return base_.ProcessWatch(pid); }
  SysResult WaitEvent(int watch_fd, int process_fd,
                      TimePoint deadline) override {
    return base_.WaitEvent(watch_fd, process_fd, deadline);
  }
  void WaitWhile(std::atomic<uint32_t>* word, uint32_t expected,
                 TimePoint deadline) override {
    base_.WaitWhile(word, expected, deadline);
  }
  void WakeAll(std::atomic<uint32_t>* word) override { base_.WakeAll(word); }
  TimePoint Now() override { return base_.Now(); }
  int64_t WallSeconds() override { return base_.WallSeconds(); }
  pid_t Pid() override { return base_.Pid(); }
  int64_t ThreadId() override { return base_.ThreadId(); }
  ProcessIdentity Self() override { return base_.Self(); }
  ProcessStatus Status(pid_t pid) override { return base_.Status(pid); }
  SysResult Random(void* buffer, size_t size) override {
    return base_.Random(buffer, size);
  }

  // Process-wide tables belong to the wrapped operating system, so that locks
  // made through a wrapper and locks made without one see each other.
  ProcessLocal& LocalSlot(const void* key, MakeLocal make) override {
    return base_.LocalSlot(key, make);
  }

 private:
  Os& base_;
};

}  // namespace lockfile::os

#endif  // LOCKLAB_LIB_OS_FORWARDING_OS_H_
