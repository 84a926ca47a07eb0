// An Os that passes every call on to another: the base for wrappers that
// inject faults, count, record or kill. Override a call to bend that one, or
// Around() to stand around all of them.
#ifndef LOCKLAB_LIB_OS_FORWARDING_OS_H_
#define LOCKLAB_LIB_OS_FORWARDING_OS_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/os/os.h"

namespace lockfile::os {

// One call through the seam, as a wrapper sees it.
struct Call {
  std::string_view name;      // the member function: "Link"
  std::string_view path{};    // the path it is about, empty if none
  std::string_view target{};  // the second path of Link, Rename...
  int flags = 0;              // of Open
};

class ForwardingOs : public Os {
 public:
  explicit ForwardingOs(Os& base = Os::Real()) : base_(base) {}

  SysResult Open(const char* path, int flags, mode_t mode) override {
    return Around({"Open", path, {}, flags},
                  [&] { return base_.Open(path, flags, mode); });
  }
  SysResult Close(int fd) override {
    return Around({"Close"}, [&] { return base_.Close(fd); });
  }
  SysResult ReadStart(int fd, void* buffer, size_t size) override {
    return Around({"ReadStart"},
                  [&] { return base_.ReadStart(fd, buffer, size); });
  }
  SysResult WriteStart(int fd, const void* data, size_t size) override {
    return Around({"WriteStart"},
                  [&] { return base_.WriteStart(fd, data, size); });
  }
  SysResult Truncate(int fd, int64_t size) override {
    return Around({"Truncate"}, [&] { return base_.Truncate(fd, size); });
  }
  SysResult Link(const char* from, const char* to) override {
    return Around({"Link", from, to}, [&] { return base_.Link(from, to); });
  }
  SysResult Symlink(const char* text, const char* path) override {
    return Around({"Symlink", path}, [&] { return base_.Symlink(text, path); });
  }
  SysResult ReadLink(const char* path, char* buffer, size_t size) override {
    return Around({"ReadLink", path},
                  [&] { return base_.ReadLink(path, buffer, size); });
  }
  SysResult Unlink(const char* path) override {
    return Around({"Unlink", path}, [&] { return base_.Unlink(path); });
  }
  SysResult MakeDir(const char* path, mode_t mode) override {
    return Around({"MakeDir", path}, [&] { return base_.MakeDir(path, mode); });
  }
  SysResult RemoveDir(const char* path) override {
    return Around({"RemoveDir", path}, [&] { return base_.RemoveDir(path); });
  }
  SysResult Rename(const char* from, const char* to) override {
    return Around({"Rename", from, to}, [&] { return base_.Rename(from, to); });
  }
  SysResult RenameNoReplace(const char* from, const char* to) override {
    return Around({"RenameNoReplace", from, to},
                  [&] { return base_.RenameNoReplace(from, to); });
  }
  SysResult Lstat(const char* path, FileInfo* info) override {
    return Around({"Lstat", path}, [&] { return base_.Lstat(path, info); });
  }
  SysResult Fstat(int fd, FileInfo* info) override {
    return Around({"Fstat"}, [&] { return base_.Fstat(fd, info); });
  }
  SysResult ListDir(const char* path, size_t limit,
                    std::vector<std::string>* names) override {
    return Around({"ListDir", path},
                  [&] { return base_.ListDir(path, limit, names); });
  }
  SysResult Touch(const char* path) override {
    return Around({"Touch", path}, [&] { return base_.Touch(path); });
  }
  SysResult FilesystemType(const char* path) override {
    return Around({"FilesystemType", path},
                  [&] { return base_.FilesystemType(path); });
  }
  SysResult TryLock(int fd, KernelLock kind) override {
    return Around({"TryLock"}, [&] { return base_.TryLock(fd, kind); });
  }
  SysResult Unlock(int fd, KernelLock kind) override {
    return Around({"Unlock"}, [&] { return base_.Unlock(fd, kind); });
  }
  SysResult QueryLock(int fd, KernelLock kind, pid_t* holder) override {
    return Around({"QueryLock"},
                  [&] { return base_.QueryLock(fd, kind, holder); });
  }
  SysResult WaitLock(int fd, KernelLock kind, TimePoint deadline) override {
    return Around({"WaitLock"},
                  [&] { return base_.WaitLock(fd, kind, deadline); });
  }
  SysResult WatchOpen() override {
    return Around({"WatchOpen"}, [&] { return base_.WatchOpen(); });
  }
  SysResult WatchAdd(int watch_fd, const char* path) override {
    return Around({"WatchAdd", path},
                  [&] { return base_.WatchAdd(watch_fd, path); });
  }
  SysResult WatchGone(int watch_fd, const char* path) override {
    return Around({"WatchGone", path},
                  [&] { return base_.WatchGone(watch_fd, path); });
  }
  SysResult WatchRemove(int watch_fd, int watch) override {
    return Around({"WatchRemove"},
                  [&] { return base_.WatchRemove(watch_fd, watch); });
  }
  SysResult ProcessWatch(pid_t pid) override {
    return Around({"ProcessWatch"}, [&] { return base_.ProcessWatch(pid); });
  }
  SysResult WaitEvent(int watch_fd, int process_fd,
                      TimePoint deadline) override {
    return Around({"WaitEvent"}, [&] {
      return base_.WaitEvent(watch_fd, process_fd, deadline);
    });
  }
  SysResult Random(void* buffer, size_t size) override {
    return Around({"Random"}, [&] { return base_.Random(buffer, size); });
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

  // Process-wide tables belong to the wrapped operating system, so that locks
  // made through a wrapper and locks made without one see each other.
  ProcessLocal& LocalSlot(const void* key, MakeLocal make) override {
    return base_.LocalSlot(key, make);
  }

 protected:
  // Every call that may fail passes here. `next` does it; a wrapper may do so
  // not at all, or report something else than it returned.
  virtual SysResult Around(const Call& call,
                           const std::function<SysResult()>& next) {
    (void)call;
    return next();
  }

 private:
  Os& base_;
};

}  // namespace lockfile::os

#endif  // LOCKLAB_LIB_OS_FORWARDING_OS_H_
