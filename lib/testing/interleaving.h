// Several make-believe processes that take turns, one call through the seam at
// a time, in an order that a seed decides. For tests of lock protocols.
//
// An actor is a thread of the test that calls itself a process: its ActorOs
// has a pid of its own. Files are real files, everything else is pretence:
//  - the schedule: before every call the world decides who makes the next one;
//  - death: at any step an actor may be killed; from then on its calls change
//    nothing and fail, and everybody else sees that its process is gone;
//  - time: a clock that runs only when all wait, or now and then by a leap, as
//    if a process had been stopped for long;
//  - inodes and times of change: numbers are used again at once, as on ext4,
//    and clocks tick every four milliseconds;
//  - a directory is listed in two steps, entries come and go between them;
//  - faults: at most one call fails, or is done and reported as failed.
// Not modelled: kernel locks, SQLite, inotify (waiters wake by time alone).
#ifndef LOCKLAB_LIB_TESTING_INTERLEAVING_H_
#define LOCKLAB_LIB_TESTING_INTERLEAVING_H_

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "lib/os/forwarding_os.h"
#include "lib/owner.h"

namespace lockfile::testing {

// What a schedule may do.
struct Plan {
  uint64_t seed = 0;
  int kills = 0;          // at most so many actors die
  bool faults = false;    // one call fails or loses its reply
  bool leaps = false;     // time may pass while a process stands still
  bool remote = false;    // the filesystem says that it is a network's
  bool no_links = false;  // hard links are not to be had
  bool no_proc = false;   // half of the processes cannot tell the boot
};

// The world of one schedule. Its members may be used by the actor whose turn
// it is, and by the test before and after Run().
class World {
 public:
  World(std::string dir, const Plan& plan);

  // Runs the bodies as actors, to their ends.
  void Run(const std::vector<std::function<void(int actor)>>& bodies);

  // --- for actors ----------------------------------------------------------
  // Gives others the chance to go first.
  void Yield(int actor);
  // Others go first until then, unless they all wait as well.
  void Sleep(int actor, os::TimePoint until);
  // Whether the actor is to die here.
  bool Fate(int actor);
  uint64_t Random(uint64_t below);
  // Time stands still between a foreign program's two steps.
  void ForbidLeaps(bool forbid) { leaps_forbidden_ = forbid; }

  // From now on nobody dies and nothing fails.
  void CalmDown() { kills_left_ = 0, fault_in_ = 0; }

  // --- processes -----------------------------------------------------------
  pid_t NewProcess();
  void EndProcess(pid_t pid) { living_.erase(pid); }
  [[nodiscard]] bool Lives(pid_t pid) const { return living_.contains(pid); }

  // --- findings ------------------------------------------------------------
  // The first one counts; the schedule is then abandoned.
  void Fail(const std::string& what);
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] bool abandoned() const { return abandoned_; }
  void Log(pid_t pid, const std::string& what);
  // The last steps before the failure.
  [[nodiscard]] std::string Tail() const;

  [[nodiscard]] const std::string& dir() const { return dir_; }
  [[nodiscard]] const Plan& plan() const { return plan_; }
  [[nodiscard]] os::TimePoint now() const { return now_; }
  // Takes the only fault of the schedule, if it is due.
  bool TakeFault();

  // --- the pretended filesystem --------------------------------------------
  // Before and after a call that may remove the last name of a file.
  void Removing(const std::string& path);
  void Removed();
  void Opened(int fd);
  void Closed(int fd);
  // A file was written, an entry of a directory came or went.
  void Changed(const std::string& path);
  void ChangedFile(int fd);
  void Disguise(os::FileInfo* info);

 private:
  enum class State { kReady, kWaiting, kDone };
  struct Actor {
    State state = State::kReady;
    os::TimePoint until;
    uint64_t priority = 0;
    std::condition_variable turn;
  };

  void PassOn(int actor);
  [[nodiscard]] int Choose(int actor);
  [[nodiscard]] int ChooseAmong(const std::vector<int>& ready, int actor);
  [[nodiscard]] int WakeEarliest();
  void MaybeLeap();
  void ReleaseNumber(uint64_t ino);

  const std::string dir_;
  const Plan plan_;
  uint64_t random_;
  os::TimePoint now_{std::chrono::hours(1)};
  uint64_t steps_ = 0;
  bool abandoned_ = false;
  bool leaps_forbidden_ = false;
  std::string failure_;
  std::vector<std::string> log_;

  std::mutex mutex_;
  std::vector<std::unique_ptr<Actor>> actors_;
  int current_ = 0;
  uint64_t stay_ = 0;              // of 100: the actor goes on
  bool by_priority_ = false;       // or else by chance
  std::set<uint64_t> reshuffles_;  // steps at which priorities change

  int kills_left_ = 0;
  uint64_t fault_in_ = 0;
  std::set<pid_t> living_;
  pid_t last_pid_ = 1000;

  std::map<uint64_t, uint64_t> numbers_;  // real inode to pretended
  std::set<uint64_t> numbers_in_use_;
  std::map<uint64_t, int64_t> changed_;  // real inode to time of change
  std::map<int, uint64_t> open_;         // descriptor to real inode
  std::vector<uint64_t> removing_;
  std::set<uint64_t> nameless_;  // removed, but still open
};

// The operating system as one actor's process sees it.
class ActorOs final : public os::ForwardingOs {
 public:
  ActorOs(World& world, int actor)
      : world_(world), actor_(actor), pid_(world.NewProcess()) {}

  [[nodiscard]] bool dead() const { return dead_; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  // The token that was last written, or given a name.
  [[nodiscard]] const std::string& last_token() const { return last_token_; }
  // The process dies at its n-th call from now.
  void DieAt(int calls) { dies_in_ = calls; }
  // A step that does nothing.
  void Pause();
  // Everything at this path is redirected to a path of this actor's own: a
  // sabotage that the test has to notice.
  void Estrange(const std::string& path) { estranged_ = path; }
  // Renames of tickets are reported done and are not: another one.
  void FakeTakingAway() { fake_taking_away_ = true; }

  os::SysResult Open(const char* path, int flags, mode_t mode) override;
  os::SysResult Close(int fd) override;
  os::SysResult WriteStart(int fd, const void* data, size_t size) override;
  os::SysResult Symlink(const char* text, const char* path) override;
  os::SysResult Unlink(const char* path) override;
  os::SysResult MakeDir(const char* path, mode_t mode) override;
  os::SysResult RemoveDir(const char* path) override;
  os::SysResult Rename(const char* from, const char* to) override;
  os::SysResult RenameNoReplace(const char* from, const char* to) override;
  os::SysResult Link(const char* from, const char* to) override;
  os::SysResult Lstat(const char* path, os::FileInfo* info) override;
  os::SysResult Fstat(int fd, os::FileInfo* info) override;
  os::SysResult ListDir(const char* path, size_t limit,
                        std::vector<std::string>* names) override;
  os::SysResult Touch(const char* path) override;
  os::SysResult FilesystemType(const char* path) override;
  os::SysResult WatchOpen() override { return os::SysResult::Fail(ENOSYS); }
  os::SysResult ProcessWatch(pid_t) override {
    return os::SysResult::Fail(ENOSYS);
  }
  os::SysResult WaitEvent(int watch_fd, int process_fd,
                          os::TimePoint deadline) override;
  void WaitWhile(std::atomic<uint32_t>*, uint32_t, os::TimePoint) override {}
  void WakeAll(std::atomic<uint32_t>*) override {}
  os::TimePoint Now() override { return world_.now(); }
  int64_t WallSeconds() override { return 0; }
  pid_t Pid() override { return pid_; }
  int64_t ThreadId() override { return pid_; }
  os::ProcessIdentity Self() override;
  os::ProcessStatus Status(pid_t pid) override;
  os::SysResult Random(void* buffer, size_t size) override;
  os::ProcessLocal& LocalSlot(const void* key, MakeLocal make) override;

 protected:
  os::SysResult Around(const os::Call& call,
                       const std::function<os::SysResult()>& next) override;

 private:
  bool Dies();
  std::string Own(const char* path) const;
  void NoteToken(std::string_view text);
  // A change of what has this name, done as one step.
  os::SysResult Change(const os::Call& call, const std::string& path,
                       const std::function<os::SysResult()>& next);

  World& world_;
  const int actor_;
  const pid_t pid_;
  bool dead_ = false;
  int dies_in_ = 0;               // 0: not by arrangement
  std::string estranged_ = "\n";  // in no path
  bool fake_taking_away_ = false;
  std::string last_token_;
  std::map<const void*, std::unique_ptr<os::ProcessLocal>> locals_;
};

}  // namespace lockfile::testing

#endif  // LOCKLAB_LIB_TESTING_INTERLEAVING_H_
