// The operating system as a process of the model sees it: every call that may
// depend on others is handed over, and its result waited for.
#ifndef LOCKLAB_STRESS_EXPLORE_ACTOR_OS_H_
#define LOCKLAB_STRESS_EXPLORE_ACTOR_OS_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/os/os.h"
#include "stress/explore/call.h"
#include "stress/explore/model.h"

namespace locklab::explore {

// The directory of the model, where all of its files are.
inline constexpr std::string_view kDirectory = "/m";
// What the process ids of the model begin at.
inline constexpr int kFirstPid = 100;

// One attempt at the lock by one process: it begins with a fresh object, and
// is all that the course of its calls depends on beside their results.
struct Life {
  Tenure tenure{};
  uint8_t pid = 0;    // from 1; shown as kFirstPid + pid
  uint8_t start = 0;  // when it started
  uint8_t host = 0;
  uint8_t boot = 0;  // of the host
  uint8_t role = 0;  // an index of Scene::roles
  bool operator==(const Life&) const = default;
};

class ActorOs final : public lockfile::os::Os {
 public:
  using SysResult = lockfile::os::SysResult;
  using FileInfo = lockfile::os::FileInfo;
  using KernelLock = lockfile::os::KernelLock;
  using TimePoint = lockfile::os::TimePoint;
  // Makes a call, or a mark, and returns its result.
  using Hand = std::function<Result(const Call&)>;

  ActorOs(const Life& life, const Model& model, Lexicon& lexicon, Hand hand)
      : life_(life), model_(model), lexicon_(lexicon), hand_(std::move(hand)) {}

  // The number of the last hold that was written to a file or a link.
  [[nodiscard]] uint32_t hold() const { return hold_; }

  // A mark of the program.
  void Mark(Op op, uint32_t value = 0, std::string_view text = {});

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
  // Nothing tells a waiter of the model but time, which may always have come.
  SysResult WatchOpen() override { return SysResult::Fail(ENOSYS); }
  SysResult WatchAdd(int, const char*) override {
    return SysResult::Fail(ENOSYS);
  }
  SysResult WatchGone(int, const char*) override {
    return SysResult::Fail(ENOSYS);
  }
  SysResult WatchRemove(int, int) override { return SysResult::Fail(ENOSYS); }
  SysResult ProcessWatch(pid_t) override { return SysResult::Fail(ENOSYS); }
  SysResult WaitEvent(int watch_fd, int process_fd,
                      TimePoint deadline) override;
  // One thread a process: there is nobody to wait for.
  void WaitWhile(std::atomic<uint32_t>*, uint32_t, TimePoint) override {}
  void WakeAll(std::atomic<uint32_t>*) override {}
  TimePoint Now() override;
  int64_t WallSeconds() override { return 0; }
  pid_t Pid() override;
  int64_t ThreadId() override { return Pid(); }
  lockfile::os::ProcessIdentity Self() override;
  lockfile::os::ProcessStatus Status(pid_t pid) override;
  SysResult Random(void* buffer, size_t size) override;
  lockfile::os::ProcessLocal& LocalSlot(const void* key,
                                        MakeLocal make) override;

 private:
  [[nodiscard]] Place PlaceOf(const char* path) const;
  Result HandOver(const Call& call);
  [[nodiscard]] uint32_t IdOf(std::string_view text);
  [[nodiscard]] uint16_t NameOf(std::string_view text);
  SysResult OnPath(Op op, const char* path);
  SysResult OnPaths(Op op, const char* from, const char* to);
  SysResult OnFile(Op op, int fd, KernelLock kind = KernelLock::kFlock);
  void NoteHold(std::string_view text);
  static void Fill(const Result& result, FileInfo* info);

  const Life life_;
  const Model& model_;
  Lexicon& lexicon_;
  const Hand hand_;
  // Each process has a clock of its own, which runs only when it waits, and
  // then leaps: nobody may count on another's being as fast.
  TimePoint now_{std::chrono::hours(1)};
  uint8_t randoms_ = 0;
  uint8_t hold_ = 0;
  std::map<const void*, std::unique_ptr<lockfile::os::ProcessLocal>> locals_;
};

}  // namespace locklab::explore

#endif  // LOCKLAB_STRESS_EXPLORE_ACTOR_OS_H_
