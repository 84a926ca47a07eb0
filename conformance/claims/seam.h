// Operating systems that are not quite true, for locks made with MakeJobOn:
// holders who lie about who they are, calls that fail, die or stand still.
#ifndef LOCKLAB_CONFORMANCE_CLAIMS_SEAM_H_
#define LOCKLAB_CONFORMANCE_CLAIMS_SEAM_H_

#include <atomic>
#include <functional>
#include <optional>
#include <string>

#include "conformance/proc/barrier.h"
#include "conformance/seam/intercepting_os.h"
#include "lib/os/forwarding_os.h"

namespace locklab::claims {

// The calls that change something for others.
enum class Change {
  kCreate,  // open with O_CREAT
  kWrite,
  kTruncate,
  kLink,
  kSymlink,
  kUnlink,
  kMakeDir,
  kRemoveDir,
  kRename,
  kLock,
  kUnlock,
};

// Asks before each of these calls. Any thread.
class HookOs : public seam::InterceptingOs {
 public:
  // Returns 0: the call is made; or the errno that it fails with instead.
  using Hook = std::function<int(Change)>;
  explicit HookOs(Hook hook);
};

// A network filesystem whose cache is behind the times: plain looks at a path
// find nothing, only opening and changing are fresh. Counts all calls.
class BehindOs : public lockfile::os::ForwardingOs {
 public:
  explicit BehindOs(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] int64_t calls() const { return calls_.load(); }

 protected:
  lockfile::os::SysResult Around(
      const lockfile::os::Call& call,
      const std::function<lockfile::os::SysResult()>& next) override;

 private:
  const std::string path_;
  std::atomic<int64_t> calls_{0};
};

// A process that says it is another, or whose wall clock is off.
class LyingOs : public lockfile::os::ForwardingOs {
 public:
  using Identity = lockfile::os::ProcessIdentity;
  // Changes what Self() tells.
  explicit LyingOs(std::function<void(Identity*)> lie,
                   std::function<int64_t(int64_t)> clock = nullptr)
      : lie_(std::move(lie)), clock_(std::move(clock)) {}

  Identity Self() override;
  pid_t Pid() override { return Self().pid; }
  int64_t WallSeconds() override;

 private:
  std::function<void(Identity*)> lie_;
  std::function<int64_t(int64_t)> clock_;
};

// Lets a process stand still before one of its calls: the hook belongs into a
// HookOs in one process, the rest into another. Lives in Shared memory.
class StopSign {
 public:
  // Before the `nth` call (from 0) that comes once it is armed.
  void Arm(int nth);
  // For the HookOs: stands still when it is its turn.
  int Pass();
  // True: somebody stands there. False: not by then.
  bool AwaitStop(proc::TimePoint deadline);
  [[nodiscard]] bool stopped() const { return stopped_.load() != 0; }
  void Go();

 private:
  std::atomic<int> left_{-1};  // calls until the stop; < 0: not armed
  std::atomic<uint32_t> stopped_{0};
  std::atomic<uint32_t> go_{0};
};

}  // namespace locklab::claims

#endif  // LOCKLAB_CONFORMANCE_CLAIMS_SEAM_H_
