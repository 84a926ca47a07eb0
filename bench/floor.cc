#include "bench/floor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "bench/sqlite_floor.h"

namespace locklab::bench {
namespace {

// As long as a record of the library, give or take.
constexpr std::string_view kRecord =
    "lockfile1 token=0123456789abcdef0123456789abcdef "
    "host=some-host.0123456789abcdef boot=01234567-89ab-cdef-0123-456789abcdef "
    "pidns=4026531836 timens=4026531834 pid=1234567 start=123456789 "
    "tid=1234567 since=1234567890 lease=0\n";

constexpr int kCommonFlags = O_CLOEXEC | O_NOFOLLOW;
constexpr int kQuietFlags = kCommonFlags | O_NONBLOCK | O_NOCTTY;
constexpr std::string_view kToken = "0123456789abcdef0123456700000000";
constexpr char kMaker[] = ".0123456789abcdef0123456789abcdef.12d687.75bcd15";

int SetLock(int fd, int command, short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return fcntl(fd, command, &lock);
}

// A path whose tokens ('@' in the pattern) have their last digits counted up,
// as the library's have: a name that was never used costs the kernel more than
// one that it knows.
class FreshPath {
 public:
  explicit FreshPath(const std::string& pattern) {
    for (const char c : pattern) {
      if (c == '@') {
        path_ += kToken;
        ends_.push_back(path_.size());
      } else {
        path_ += c;
      }
    }
  }

  [[nodiscard]] const char* c_str() const { return path_.c_str(); }
  void Advance() {
    for (const size_t end : ends_) {
      for (size_t i = end; i-- > end - 8;) {
        path_[i] = path_[i] == '9' ? '0' : static_cast<char>(path_[i] + 1);
        if (path_[i] != '0') break;
      }
    }
  }

 private:
  std::string path_;
  std::vector<size_t> ends_;
};

// As the library sees it: what it does not know it takes for remote.
bool IsOnDisk(const std::string& dir) {
  static constexpr uint32_t kOthers[] = {TMPFS_MAGIC,      RAMFS_MAGIC,
                                         NFS_SUPER_MAGIC,  FUSE_SUPER_MAGIC,
                                         CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC};
  struct statfs found {};
  return statfs(dir.c_str(), &found) == 0 &&
         std::ranges::find(kOthers, static_cast<uint32_t>(found.f_type)) ==
             std::end(kOthers);
}

class StepFloor final : public Floor {
 public:
  StepFloor(const FloorRow& row, const std::string& dir)
      : steps_(StepsIn(dir, row)),
        lock_(dir + (row.backend == "pid" ? "/resource" : "/resource.lock")),
        lock_entry_(lock_ + "/@"),
        ticket_(lock_ + ".@" + kMaker),
        ticket_entry_(lock_ + ".@" + kMaker + "/@") {
    // What keeps its file has it from the beginning.
    for (const Step& step : steps_) {
      if (step.op == Op::kOpenLock) close(creat(lock_.c_str(), 0666));
    }
  }

  ~StepFloor() override {
    if (fd_ >= 0) close(fd_);
  }
  StepFloor(const StepFloor&) = delete;
  StepFloor& operator=(const StepFloor&) = delete;

  bool Cycle() override {
    lock_entry_.Advance();
    ticket_.Advance();
    ticket_entry_.Advance();
    for (const Step& step : steps_) {
      if (Do(step) >= 0) continue;
      failed_ = &step;
      errno_ = errno;
      return false;
    }
    return true;
  }

  [[nodiscard]] std::string Complaint() const override {
    if (failed_ == nullptr) return "";
    return fmt::format("{} failed: {}", Describe(*failed_), strerror(errno_));
  }

 private:
  [[nodiscard]] const char* Path(Name name) const {
    switch (name) {
      case Name::kNone:
        return "";
      case Name::kLock:
        return lock_.c_str();
      case Name::kLockEntry:
        return lock_entry_.c_str();
      case Name::kTicket:
        return ticket_.c_str();
      case Name::kTicketEntry:
        return ticket_entry_.c_str();
    }
    return "";
  }

  long Do(const Step& step) {
    return step.name == Name::kNone ? OnDescriptor(step.op)
                                    : OnPath(step.op, Path(step.name));
  }

  long OnDescriptor(Op op) {
    struct stat info {};
    switch (op) {
      case Op::kWrite:
        return pwrite(fd_, kRecord.data(), kRecord.size(), 0);
      case Op::kRead:
        return pread(fd_, buffer_.data(), buffer_.size(), 0);
      case Op::kMark:
        return pwrite(fd_, "-", 1, 0);
      case Op::kFstat:
        return fstat(fd_, &info);
      case Op::kClose:
        return close(std::exchange(fd_, -1));
      case Op::kFlock:
        return flock(fd_, LOCK_EX | LOCK_NB);
      case Op::kFlockUnlock:
        return flock(fd_, LOCK_UN);
      case Op::kSetLk:
        return SetLock(fd_, F_SETLK, F_WRLCK);
      case Op::kSetLkUnlock:
        return SetLock(fd_, F_SETLK, F_UNLCK);
      case Op::kOfdSetLk:
        return SetLock(fd_, F_OFD_SETLK, F_WRLCK);
      case Op::kOfdSetLkUnlock:
        return SetLock(fd_, F_OFD_SETLK, F_UNLCK);
      case Op::kOfdGetLk:
        return SetLock(fd_, F_OFD_GETLK, F_WRLCK);
      default:
        return errno = EINVAL, -1;
    }
  }

  long OnPath(Op op, const char* path) {
    struct stat info {};
    switch (op) {
      case Op::kOpenNew:
        return fd_ =
                   open(path, O_WRONLY | O_CREAT | O_EXCL | kCommonFlags, 0666);
      case Op::kOpenLock:
        return fd_ = open(path, O_RDWR | kQuietFlags);
      case Op::kOpenPlace:
        return fd_ = open(path, O_PATH | O_DIRECTORY | kCommonFlags);
      case Op::kOpenRead:
        return fd_ = open(path, O_RDONLY | kQuietFlags);
      case Op::kLink:
        return link(ticket_.c_str(), path);
      case Op::kRename:
        return syscall(SYS_renameat2, AT_FDCWD, ticket_.c_str(), AT_FDCWD, path,
                       RENAME_NOREPLACE);
      case Op::kSymlink:
        return symlink(kSymlinkText.c_str(), path);
      case Op::kReadLink:
        return readlink(path, buffer_.data(), buffer_.size());
      case Op::kLstat:
        return lstat(path, &info);
      case Op::kUnlink:
        return unlink(path);
      case Op::kMakeDir:
        return mkdir(path, 0777);
      case Op::kRemoveDir:
        return rmdir(path);
      default:
        return errno = EINVAL, -1;
    }
  }

  inline static const std::string kSymlinkText{
      kRecord.substr(0, kRecord.size() - 1)};

  const std::vector<Step> steps_;
  const std::string lock_;
  FreshPath lock_entry_;
  FreshPath ticket_;
  FreshPath ticket_entry_;
  std::array<char, 1088> buffer_{};
  int fd_ = -1;
  const Step* failed_ = nullptr;
  int errno_ = 0;
};

}  // namespace

std::vector<Step> StepsIn(const std::string& dir, const FloorRow& row) {
  std::vector<Step> steps(row.steps.begin(), row.steps.end());
  if (!IsOnDisk(dir)) std::erase_if(steps, [](auto& s) { return s.on_disk; });
  return steps;
}

std::unique_ptr<Floor> MakeFloor(std::string_view backend,
                                 const std::string& dir) {
  if (backend == "sqlite") return MakeSqliteFloor(dir);
  const FloorRow* row = FindFloor(backend);
  if (row == nullptr) return nullptr;
  return std::make_unique<StepFloor>(*row, dir);
}

}  // namespace locklab::bench
