// Whose turn it is to try for a soft lock. Advice alone: nothing that keeps two
// from holding the lock stands on it, and whoever cannot follow it competes.
//
// Mechanism: those who wait leave their tickets beside the lock (soft_file.h),
// and a ticket's name says since when. Each looks once who came just before it
// and waits for the end of that one's ticket, as in the queue locks of Craig
// (1993) and of Magnussen, Landin and Hagersten (1994), where a waiter spins on
// its predecessor's word; only the first waits for the lock itself. So a
// release wakes one process, not all, and the oldest is next.
//
// An object that gives the lock back and wants it again at once would always be
// quicker than the one that its release wakes. So whoever had to wait of late,
// or finds others waiting when it looks (after quick acquisitions, once in a
// millisecond), lines up behind them even if the lock is free. A single try
// never does, and a deadline ends with a try in any case.
//
// Nobody depends on who is ahead: its death wakes (pidfd), and by looks that
// time brings, a waiter finds the lock free again and again and goes past those
// who do not take it (stopped, or what was left of a hold that failed).
//
// Only processes of one host, boot and PID namespace see each other's turns;
// others, and Python's, wait for the lock itself as if they were the first.
// Where inotify does not tell (network filesystems) there is no line at all.
#ifndef LOCKLAB_LIB_WAIT_LINE_H_
#define LOCKLAB_LIB_WAIT_LINE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/backends/naming.h"
#include "lib/deadline.h"
#include "lib/os/os.h"

namespace lockfile {

// Microseconds of the steady clock, as tokens hold them.
[[nodiscard]] uint64_t Stamp(os::TimePoint time);

// Whether a process had better line up for a lock, as its own last acquisitions
// tell. Any thread.
class Crowd : public os::ProcessLocal {
 public:
  // It gave the lock back.
  void Released(const std::string& lock_path, os::TimePoint now);
  enum class Guess {
    kNobody,
    kPerhaps,  // it takes the lock again so soon that it may be in their way
    kThere,    // they were there when it last looked
    kWoken,    // and its release has just woken one of them
  };
  // Whether others wait; all but kNobody are a reason to look.
  [[nodiscard]] Guess Expect(const std::string& lock_path, os::TimePoint now);
  // What was found.
  void Found(const std::string& lock_path, bool there);

 private:
  // Locks whose paths fall together are taken for one: this is advice.
  struct Place {
    std::atomic<int64_t> released{0};  // ns of the steady clock
    std::atomic<int64_t> looked{0};
    std::atomic<bool> there{false};
  };
  Place& At(const std::string& lock_path);

  std::array<Place, 64> places_;
};

// The line as one object sees it that waits for one hold, or is about to.
class WaitLine {
 public:
  explicit WaitLine(os::Os& os) : os_(os) {}

  // A new wait begins.
  void Begin(os::TimePoint now);
  // Looks who is ahead of this ticket, and lives.
  void Look(const LockNames& names, std::string_view ticket);

  // Whether somebody is ahead.
  [[nodiscard]] bool behind() const { return !ahead_.empty(); }
  // The file whose end is awaited, and the process that is to remove it.
  [[nodiscard]] const std::string& ahead() const { return ahead_; }
  [[nodiscard]] pid_t ahead_pid() const { return ahead_pid_; }

  // The lock was found free, or held, while somebody is ahead. True: it is
  // taken by none of them; this hold and the object's later ones do not wait
  // for them any more.
  bool SeenFree();
  void SeenHeld() { seen_free_ = 0; }

  // How long to wait for the one ahead until the next look. `told`: its end
  // will wake.
  [[nodiscard]] Deadline::Duration Patience(bool told);

 private:
  void NoteProgress(size_t length);

  os::Os& os_;
  std::string ahead_;
  pid_t ahead_pid_ = 0;
  uint64_t ahead_stamp_ = 0;
  uint64_t passed_stamp_ = 0;  // who came until then is not waited for
  int seen_free_ = 0;          // times in a row
  Deadline::Duration slice_{};
  // How fast the line moves, for those who are not told.
  size_t length_ = 0;  // ahead, at `since_`
  os::TimePoint since_;
  Deadline::Duration pace_{};  // for each of them
};

}  // namespace lockfile

#endif  // LOCKLAB_LIB_WAIT_LINE_H_
