// The operating system itself: see os.h. Private to lib/os.
#ifndef LOCKLAB_LIB_OS_REAL_OS_H_
#define LOCKLAB_LIB_OS_REAL_OS_H_

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "lib/os/os.h"

namespace lockfile::os {

class RealOs final : public Os {
 public:
  RealOs();

  SysResult Open(const char* path, int flags, mode_t mode) override;
  SysResult Close(int fd) override;
  SysResult ReadStart(int fd, void* buffer, size_t size) override;
  SysResult WriteStart(int fd, const void* data, size_t size) override;
  SysResult Truncate(int fd, int64_t size) override;
  SysResult Link(const char* from, const char* to) override;
  SysResult Symlink(const char* text, const char* path) override;
  SysResult ReadLink(const char* path, char* buffer, size_t size) override;
  SysResult Unlink(const char* path) override;
  SysResult MakeDir(const char* path, mode_t mode) override;
  SysResult RemoveDir(const char* path) override;
  SysResult Rename(const char* from, const char* to) override;
  SysResult RenameNoReplace(const char* from, const char* to) override;
  SysResult Lstat(const char* path, FileInfo* info) override;
  SysResult Fstat(int fd, FileInfo* info) override;
  SysResult ListDir(const char* path, size_t limit,
                    std::vector<std::string>* names) override;
  SysResult Touch(const char* path) override;
  SysResult FilesystemType(const char* path) override;

  SysResult TryLock(int fd, KernelLock kind) override;
  SysResult Unlock(int fd, KernelLock kind) override;
  SysResult QueryLock(int fd, KernelLock kind, pid_t* holder) override;
  SysResult WaitLock(int fd, KernelLock kind, TimePoint deadline) override;

  SysResult WatchOpen() override;
  SysResult WatchAdd(int watch_fd, const char* path) override;
  SysResult WatchGone(int watch_fd, const char* path) override;
  SysResult WatchRemove(int watch_fd, int watch) override;
  SysResult ProcessWatch(pid_t pid) override;
  SysResult WaitEvent(int watch_fd, int process_fd,
                      TimePoint deadline) override;
  void WaitWhile(std::atomic<uint32_t>* word, uint32_t expected,
                 TimePoint deadline) override;
  void WakeAll(std::atomic<uint32_t>* word) override;

  TimePoint Now() override;
  int64_t WallSeconds() override;
  pid_t Pid() override;
  int64_t ThreadId() override;
  ProcessIdentity Self() override;
  ProcessStatus Status(pid_t pid) override;
  SysResult Random(void* buffer, size_t size) override;

  ProcessLocal& LocalSlot(const void* key, MakeLocal make) override;

 private:
  // What belongs to one process; a forked child gets a new one.
  struct ThisProcess {
    pid_t pid = 0;
    std::mutex mutex;  // guards the rest
    std::unique_ptr<ProcessIdentity> identity;
    std::map<const void*, std::unique_ptr<ProcessLocal>> locals;
    ThisProcess* parents = nullptr;  // keeps it reachable: it is not a leak
  };
  ThisProcess& Process();
  ThisProcess& NewProcess(std::atomic<ThisProcess*>* slot, ThisProcess* seen);

  // One page that the kernel fills with zeroes in every forked child
  // (MADV_WIPEONFORK), however it was forked: no atfork handler, no getpid() a
  // call. nullptr: not to be had; then getpid() is asked every time.
  struct ForkPage {
    std::atomic<ThisProcess*> process;
  };
  ForkPage* page_ = nullptr;
  std::atomic<ThisProcess*> latest_{nullptr};
};

}  // namespace lockfile::os

#endif  // LOCKLAB_LIB_OS_REAL_OS_H_
