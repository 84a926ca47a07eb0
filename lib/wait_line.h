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
// Nobody depends on who is ahead: its death wakes (pidfd), and a waiter that by
// looks at times finds the lock free again and again, and the line standing,
// goes past those who do not take it (stopped, or what was left of a hold that
// failed). The further back, the seldomer the looks: whoever is next goes first
// here, too. Who cannot be woken, for want of descriptors, follows a short line
// by looks, and competes for the lock where the line is long.
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
#include <vector>

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
  void Begin();
  // Looks who is ahead of this ticket, and lives.
  void Look(const LockNames& names, std::string_view ticket);

  // Whether somebody is ahead.
  [[nodiscard]] bool behind() const { return !ahead_.empty(); }
  // The file whose end is awaited, and the process that is to remove it.
  [[nodiscard]] const std::string& ahead() const { return ahead_; }
  [[nodiscard]] pid_t ahead_pid() const { return ahead_pid_; }

  // Too long to be followed by those who are not told: their looks alone would
  // keep the lock from moving.
  [[nodiscard]] bool is_long() const { return length_ > 16; }

  // The lock was found free, or held, while somebody is ahead. True: none of
  // them takes it, and for some time the object does not wait for them.
  bool SeenFree();
  void SeenHeld() { seen_free_ = 0; }

  // How long to wait for the one ahead until all is looked at again.
  [[nodiscard]] Deadline::Duration Patience();

  // For who is not told when the one ahead is gone: true: it is. False:
  // `pause` is the time after which to ask again.
  bool AheadIsGone(Deadline::Duration* pause);

 private:
  os::Os& os_;
  std::string ahead_;
  pid_t ahead_pid_ = 0;
  uint64_t ahead_stamp_ = 0;
  uint64_t passed_stamp_ = 0;  // who came until then is not waited for
  os::TimePoint passed_until_;
  int seen_free_ = 0;  // times in a row, with the same one at the front
  std::string front_;
  Deadline::Duration slice_{};
  size_t length_ = 0;  // how many are ahead
  // The files of the 1st, 2nd, 4th, 8th... of them, counted from here: which
  // of them are gone tells how far it is still, by some cheap looks.
  std::vector<std::string> marks_;
  Deadline::Duration pause_{};  // for each who is ahead
};

}  // namespace lockfile

#endif  // LOCKLAB_LIB_WAIT_LINE_H_
