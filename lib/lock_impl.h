// What a LockFile consists of: the state of one object, and the steps of
// taking, giving back and breaking that all backends have in common.
#ifndef LOCKLAB_LIB_LOCK_IMPL_H_
#define LOCKLAB_LIB_LOCK_IMPL_H_

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "lib/backends/backend.h"
#include "lib/lock_file.h"
#include "lib/wait_line.h"
#include "lib/waiter.h"

namespace lockfile {

// Threads: `gate_` is held from the begin of an acquire() to the end of the
// matching release(), by the acquiring thread; what is marked (gate) may be
// touched by its holder only. Whoever acts as the holder also has `holding_`,
// since without Options::threaded that may be several threads. Looking needs
// neither.
class LockFile::Impl {
 public:
  Impl(std::string path, const BackendRow& row, Options options, bool choose)
      : path_(std::move(path)),
        options_(std::move(options)),
        os_(options_.os != nullptr ? *options_.os : os::Os::Real()),
        choose_(choose),
        first_{&row, row.make(os_, path_, options_)} {
    pid_ = os_.Pid();
  }

  ~Impl();

  Status Acquire(Deadline deadline, Again again);
  Status Release();
  Status Refresh();
  Status Look(Sight* sight);
  Status IAmLocking(bool* mine);
  Status Break(const Owner* expected, bool* broke);
  void Unlock();

  [[nodiscard]] Deadline DefaultDeadline() const {
    return options_.timeout.has_value()
               ? Deadline::After(*options_.timeout, os_.Now())
               : Deadline::Never();
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const BackendRow& row() const { return *chosen_.load()->row; }
  [[nodiscard]] Backend& backend() const { return *chosen_.load()->backend; }
  [[nodiscard]] os::Os& os() const { return os_; }

  Status Remember(Status status) {
    if (!status.ok()) {
      const std::lock_guard guard(mutex_);
      last_message_ = status.message.empty() ? status.error_code().message()
                                             : status.message;
    }
    return status;
  }
  [[nodiscard]] std::string last_message() {
    const std::lock_guard guard(mutex_);
    return last_message_;
  }

 private:
  struct Mechanism {
    const BackendRow* row = nullptr;
    std::unique_ptr<Backend> backend;
  };
  // What a waiter has seen, and since when it has not changed.
  struct Watched {
    std::string version;
    os::TimePoint since;
  };

  void CheckFork();
  [[nodiscard]] bool IsMyThread() const {
    return mine_.load() &&
           (!options_.threaded || owner_thread_.load() == os_.ThreadId());
  }
  Status Reacquire(bool* still);
  Status EnterGate(Deadline deadline);
  void LeaveGate();
  Status Contend(Deadline deadline);
  Status WaitForTurn(Deadline deadline);
  Crowd::Guess LetWokenGoFirst();
  bool StandsBack();
  bool LineUp();
  bool AwaitLock(Deadline deadline, os::Clock::duration look_again);
  bool AwaitTurn(Deadline deadline, os::Clock::duration look_again);
  Status TryOnce(Take* take);
  Status PrepareHold();
  bool ChooseAnother(const Status& status);
  enum class Found { kHeld, kFree, kBroken };
  Status Examine(Found* found, os::Clock::duration* look_again);
  Status BreakIfDue(const Sight& sight, const Liveness& life, Found* found,
                    os::Clock::duration* look_again);
  bool MayLook();
  Status Refused(Deadline deadline);
  Status Taken();
  Status ReleaseMine();
  void Report(const Status& status);

  const std::string path_;
  const Options options_;
  os::Os& os_;
  const bool choose_;  // no backend was named: mkdir may take link's place
  // Both stay once they are made: somebody may be looking through them.
  Mechanism first_;
  Mechanism mkdir_;        // (gate)
  bool has_links_ = true;  // (gate)
  std::atomic<const Mechanism*> chosen_{&first_};

  std::atomic<uint32_t> gate_{0};
  std::mutex holding_;  // guards the changes of mine_, and hold_ while it is
  std::atomic<pid_t> pid_{0};
  std::atomic<bool> mine_{false};
  std::atomic<int64_t> owner_thread_{0};
  Owner me_;                    // (gate) token: the object's 24 digits
  std::string tail_;            // (gate) of ticket names
  uint64_t stamp_ = 0;          // (gate) of the object's last hold
  Hold hold_;                   // (gate)
  os::TimePoint taken_;         // (gate) when the last hold began,
  os::Clock::duration held_{};  // and how long the one that has ended took
  Watched watched_;             // (gate)
  WaitLine line_{os_};          // (gate)
  // (gate) Of the present wait: whether the line is as it was last seen,
  bool competes_ = false;  // it stands in no line
  bool lined_up_ = false;
  os::TimePoint full_look_;  // and when it is to be looked at again,
  bool told_ = false;  // and what ended the last wait: a sign that told of it,
  bool suspect_ = false;  // or time or a death, so that all is worth a look.
  // (gate) Of the last wait: to clear up its watches takes longer than to take
  // the lock, so that it is left to the release, and there to the next wait.
  std::unique_ptr<Waiter> waiter_;
  // (gate) Of the present wait: a look at the lock leaves it open for a while,
  bool looks_linger_ = false;
  os::TimePoint next_look_;  // and none is due before this.
  bool collected_ = false;   // (gate)

  std::mutex mutex_;  // guards the rest
  Status pending_;    // what unlock() could not report
  std::string last_message_;
};

}  // namespace lockfile

#endif  // LOCKLAB_LIB_LOCK_IMPL_H_
