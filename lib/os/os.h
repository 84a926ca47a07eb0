// The seam between lock protocols and the operating system.
//
// Every system call that a lock makes, every clock it reads and every question
// it asks about a process goes through an `Os`. Production code uses
// `Os::Real()`; tests wrap it to inject faults, count calls or kill at a call;
// a model filesystem implements it to explore schedules. One member function
// is one atomic step as far as the protocols are concerned (ListDir is the
// exception and says so).
//
// Conventions
//  - Nothing throws. A call returns a SysResult: `error` is 0 or an errno, and
//    `value` is what the system call returned. errno itself is not a channel.
//  - Paths are absolute and are never followed at their last component.
//  - A call may block only where its comment says so.
//  - EINTR is retried inside for calls that cannot wait; calls that wait
//    return early only when their deadline or their event came.
//  - Thread-safe. After fork() the child may go on using the same object.
#ifndef LOCKLAB_LIB_OS_OS_H_
#define LOCKLAB_LIB_OS_OS_H_

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lockfile::os {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

// The deadline of a wait that ends only with its event.
inline constexpr TimePoint kForever = TimePoint::max();

struct SysResult {
  int64_t value = 0;
  int error = 0;

  [[nodiscard]] bool ok() const { return error == 0; }
  static SysResult Ok(int64_t value = 0) { return {value, 0}; }
  static SysResult Fail(int error) { return {-1, error}; }
};

enum class FileType { kRegular, kDirectory, kSymlink, kOther };

// The part of struct stat that lock protocols look at.
struct FileInfo {
  uint64_t dev = 0;
  uint64_t ino = 0;
  uint64_t nlink = 0;
  uint32_t mode = 0;  // permission bits only
  FileType type = FileType::kOther;
  int64_t size = 0;      // bytes
  int64_t mtime_ns = 0;  // since the epoch, of the file server's clock
  int64_t ctime_ns = 0;

  [[nodiscard]] bool SameFile(const FileInfo& other) const {
    return dev == other.dev && ino == other.ino;
  }
};

// The kernel's three families of whole-file advisory locks.
enum class KernelLock { kFlock, kPosix, kOfd };

// Who this process is, as far as another process could check it later.
struct ProcessIdentity {
  std::string host;      // node name, and the machine id where there is one
  std::string boot_id;   // of this boot of the kernel; empty if unknown
  uint64_t pid_ns = 0;   // inode of the PID namespace; 0 if unknown
  uint64_t time_ns = 0;  // inode of the time namespace; 0 if unknown
  pid_t pid = 0;
  uint64_t start_time = 0;  // clock ticks since boot; 0 if unknown
};

// What the kernel says of another process of this PID namespace.
struct ProcessStatus {
  bool exists = false;
  bool zombie = false;  // exited, all of its threads: it can do nothing more
  uint64_t start_time = 0;  // clock ticks since boot; 0 if not readable
};

// State that belongs to one process and not to one lock: see Os::local().
class ProcessLocal {
 public:
  virtual ~ProcessLocal() = default;
};

class Os {
 public:
  virtual ~Os() = default;

  // The operating system itself. Never destroyed.
  static Os& Real();

  // --- files ---------------------------------------------------------------
  // Opens with exactly these flags (callers pass O_CLOEXEC | O_NOFOLLOW).
  // value: the descriptor.
  virtual SysResult Open(const char* path, int flags, mode_t mode) = 0;
  virtual SysResult Close(int fd) = 0;
  // Reads from the start of the file; value: bytes read, at most `size`.
  virtual SysResult ReadStart(int fd, void* buffer, size_t size) = 0;
  // Writes all of it at the start of the file or fails; value: bytes written.
  virtual SysResult WriteStart(int fd, const void* data, size_t size) = 0;
  virtual SysResult Truncate(int fd, int64_t size) = 0;
  virtual SysResult Link(const char* from, const char* to) = 0;
  virtual SysResult Symlink(const char* text, const char* path) = 0;
  // value: bytes of text stored in `buffer`, which is not terminated.
  virtual SysResult ReadLink(const char* path, char* buffer, size_t size) = 0;
  virtual SysResult Unlink(const char* path) = 0;
  virtual SysResult MakeDir(const char* path, mode_t mode) = 0;
  virtual SysResult RemoveDir(const char* path) = 0;
  virtual SysResult Rename(const char* from, const char* to) = 0;
  // renameat2(RENAME_NOREPLACE). EINVAL, ENOSYS: not to be had here.
  virtual SysResult RenameNoReplace(const char* from, const char* to) = 0;
  virtual SysResult Lstat(const char* path, FileInfo* info) = 0;
  virtual SysResult Fstat(int fd, FileInfo* info) = 0;
  // The names in a directory, without "." and "..", at most `limit` of them.
  // Several system calls: not atomic, entries may come and go meanwhile.
  virtual SysResult ListDir(const char* path, size_t limit,
                            std::vector<std::string>* names) = 0;
  // Sets the modification time to the file server's present time.
  virtual SysResult Touch(const char* path) = 0;
  // value: f_type of statfs(2).
  virtual SysResult FilesystemType(const char* path) = 0;

  // --- kernel locks --------------------------------------------------------
  // Takes an exclusive lock on the whole file without waiting. EAGAIN: held by
  // another, whatever the errno was that the kernel used to say so.
  virtual SysResult TryLock(int fd, KernelLock kind) = 0;
  virtual SysResult Unlock(int fd, KernelLock kind) = 0;
  // Whether somebody else holds a lock that would refuse ours; kPosix and kOfd
  // only. value: 0 free, 1 held. `holder`: its pid, or -1 where it has none.
  virtual SysResult QueryLock(int fd, KernelLock kind, pid_t* holder) = 0;
  // Blocks in the kernel until the lock is ours. ETIMEDOUT: not by then.
  // ENOTSUP: this platform cannot bound the wait; poll instead. No signal
  // handler and no thread is installed in the caller's process.
  virtual SysResult WaitLock(int fd, KernelLock kind, TimePoint deadline) = 0;

  // --- waiting -------------------------------------------------------------
  // A descriptor for Watch (inotify). EMFILE, ENOSYS...: sleep instead.
  virtual SysResult WatchOpen() = 0;
  // Reports when this very file (not its name) is deleted, moved, modified, or
  // closed by a writer. value: the watch; the same for the same file.
  virtual SysResult WatchAdd(int watch_fd, const char* path) = 0;
  // The same, but reports only that this very file is gone: its last name is
  // removed, and nobody has it open.
  virtual SysResult WatchGone(int watch_fd, const char* path) = 0;
  virtual SysResult WatchRemove(int watch_fd, int watch) = 0;
  // A descriptor that becomes ready when the process ends (pidfd_open).
  virtual SysResult ProcessWatch(pid_t pid) = 0;
  // Waits until one of the descriptors (-1: none) is ready or the deadline
  // came, and empties `watch_fd`. value: the sum of kWatchEvent and
  // kProcessEnded, 0 for the deadline. May return early, as if with a
  // kWatchEvent, on a signal.
  virtual SysResult WaitEvent(int watch_fd, int process_fd,
                              TimePoint deadline) = 0;
  static constexpr int64_t kWatchEvent = 1;
  static constexpr int64_t kProcessEnded = 2;
  // Blocks while `*word` is `expected`, until WakeAll or the deadline;
  // spurious returns are allowed. Threads of this process only.
  virtual void WaitWhile(std::atomic<uint32_t>* word, uint32_t expected,
                         TimePoint deadline) = 0;
  virtual void WakeAll(std::atomic<uint32_t>* word) = 0;

  // --- clocks and processes ------------------------------------------------
  virtual TimePoint Now() = 0;
  // Wall clock, seconds since the epoch: for people, never for a decision.
  virtual int64_t WallSeconds() = 0;
  // This process. Cheap, and right in a forked child too.
  virtual pid_t Pid() = 0;
  virtual int64_t ThreadId() = 0;
  // Collected once a process (again after fork).
  virtual ProcessIdentity Self() = 0;
  virtual ProcessStatus Status(pid_t pid) = 0;
  virtual SysResult Random(void* buffer, size_t size) = 0;

  // The instance of T that belongs to this process: made on first use, and
  // made anew in a forked child (the parent's copy is leaked there on purpose:
  // its descriptors are shared with the parent).
  template <typename T>
  T& local() {
    static const char key = 0;
    return static_cast<T&>(
        LocalSlot(&key, []() -> std::unique_ptr<ProcessLocal> {
          return std::make_unique<T>();
        }));
  }

  // What local() stands on: one slot a key and process.
  using MakeLocal = std::unique_ptr<ProcessLocal> (*)();
  virtual ProcessLocal& LocalSlot(const void* key, MakeLocal make) = 0;
};

}  // namespace lockfile::os

#endif  // LOCKLAB_LIB_OS_OS_H_
