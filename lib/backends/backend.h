// What a lock mechanism has to provide. LockFile does all the rest: waiting,
// timeouts, thread and fork rules, breaking of dead holders, errors.
#ifndef LOCKLAB_LIB_BACKENDS_BACKEND_H_
#define LOCKLAB_LIB_BACKENDS_BACKEND_H_

#include <optional>
#include <string>
#include <utility>

#include "lib/deadline.h"
#include "lib/errors.h"
#include "lib/options.h"
#include "lib/os/os.h"
#include "lib/owner.h"

namespace lockfile {

class LockNames;

// One hold, or the attempt at one. The token was never used before.
struct Hold {
  std::string token;
  std::string record;  // FormatRecord of the owner: contains the token
  std::string ticket;  // TicketName of the owner: see naming.h
  // What a refused TryTake has made and the next one will use again.
  mutable bool prepared = false;
  // Its place in the line of waiters is a file of its own.
  mutable bool queued = false;
  // A look is cheaper than a try, and the last try was refused: look first.
  mutable bool look_first = false;
  // A try put the lock in its place, and it was broken before that was seen.
  // The token has had its one hold: the next try needs another.
  mutable bool spent = false;
};

// This process and thread as an owner, with a new random token.
[[nodiscard]] Status MakeOwner(os::Os& os, Owner* owner);
[[nodiscard]] Hold MakeHold(const Owner& owner);

enum class Take {
  kTaken,  // it is ours, and was seen to be
  kHeld,   // somebody else has it
};

// Whether a lock without a readable owner may be what a dead process left
// between two steps.
enum class Ownerless {
  kNo,          // no: leave it alone
  kByProof,     // Break(kOwnerless) finds out for itself, at any time
  kAfterGrace,  // if it is watched unchanged for Options::ownerless_grace
};

// What stands at the lock's path, as one look found it.
struct Sight {
  bool held = false;
  std::optional<Owner> owner;  // nullopt: no record of ours can be read there
  std::string note;            // why there is no owner, for people
  // Changes whenever the lock changes hands or is refreshed; compares what was
  // examined with what is there when it is to be broken.
  std::string version;
  Ownerless ownerless = Ownerless::kNo;
  // A breaker that was asked to has taken the lock from its owner, and has not
  // finished, perhaps because it died: anybody may.
  bool half_broken = false;
};

enum class BreakReason {
  kHolderIsDead,  // proven: see JudgeLife
  kAsked,         // by break_lock() or an expired lease: it may be alive
  kOwnerless,     // as Sight::ownerless says
};

enum class Broke {
  kBroken,   // what was seen is gone
  kChanged,  // it is no longer what was seen; nothing was removed
  kBusy,     // another breaker or the releasing owner is at it; look again
};

class Backend {
 public:
  virtual ~Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  // Tries once, without waiting. What it has prepared stays for the next try
  // of this hold when it is refused; with an error, nothing stays.
  virtual Status TryTake(const Hold& hold, Take* take) = 0;

  // Gives back what TryTake took. kLockLost: it was broken or removed; nothing
  // of a successor's was touched. Another error: may be called again.
  virtual Status Release(const Hold& hold) = 0;

  // Whether the lock that TryTake took is still there and still ours.
  virtual Status StillMine(const Hold& hold, bool* mine) = 0;

  // Looks without disturbing. Any thread.
  virtual Status Look(Sight* sight) = 0;

  // Compare-and-break: removes what was seen, or nothing. Any thread.
  virtual Status Break(const Sight& seen, BreakReason reason, Broke* broke) = 0;

  // Tells others that the holder lives (lease). kUnsupported where the kernel
  // does that by itself.
  virtual Status Refresh(const Hold& hold) = 0;

  // Waits in the kernel until TryTake is worth another try, if this mechanism
  // has a way to do so; false: it has none, the caller is to watch WatchPath()
  // or sleep. May block up to the deadline. The lock may be ours on return
  // only through the TryTake that follows.
  virtual bool WaitInKernel(Deadline deadline) {
    (void)deadline;
    return false;
  }

  // The file whose change announces a release; empty: none.
  [[nodiscard]] virtual std::string WatchPath() const { return lock_path_; }

  // The names by which those who wait for this lock know of each other;
  // nullptr: they do not, or could not be told of a change.
  [[nodiscard]] virtual const LockNames* line() const { return nullptr; }

  // Whether a look or a try costs the holder much: then even a long line is
  // followed, however little tells that it moves.
  [[nodiscard]] virtual bool looks_are_dear() const { return false; }

  // Shows the others that this hold is waited for, without a try, unless that
  // is shown already.
  virtual Status Queue(const Hold& hold) {
    (void)hold;
    return Status::Ok();
  }

  // No further TryTake of this hold follows a refused one: let go of what was
  // kept for it.
  virtual void GiveUp(const Hold& hold) { (void)hold; }

  // Removes what dead contenders left, while `hold` lasts. Bounded work; errors
  // are of no matter.
  virtual void CollectLitter(const Hold& hold) { (void)hold; }

  // This process is a forked child: forget the parent's hold, touch nothing
  // that it shares with the parent.
  virtual void ForgetInChild() {}

  [[nodiscard]] const std::string& lock_path() const { return lock_path_; }

 protected:
  Backend(os::Os& os, std::string lock_path, const Options& options)
      : os_(os),
        lock_path_(std::move(lock_path)),
        mode_(options.mode.value_or(0666)) {}

  os::Os& os_;
  const std::string lock_path_;
  const mode_t mode_;  // the kernel takes the umask off
};

}  // namespace lockfile

#endif  // LOCKLAB_LIB_BACKENDS_BACKEND_H_
