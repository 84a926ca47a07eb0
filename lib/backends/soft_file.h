// Locks that are a name in a directory (link, symlink, pid, excl), and how
// they are removed without ever hitting a successor's.
//
// Everybody who tries for the lock first makes a *ticket*, a file of its own
// beside the lock. The ticket of the holder is the right to remove the lock:
//   - The holder removes its ticket, then the lock. If the ticket is gone,
//     the lock was broken: LockLost, and the lock's name is left alone.
//   - A breaker works under the guard (a lock of its own, dir_cell.h), so that
//     there is one at a time. It looks again; if the lock is no longer what
//     was to be broken, it leaves. If the holder is proven dead, nobody else
//     can remove the lock, so the breaker may. If the holder may be alive, the
//     breaker first renames the ticket away: that fails if the holder has used
//     it, and makes the holder's use of it fail otherwise.
//   - On a network filesystem a look may be old, and what it shows of a dead
//     holder may have gone, and a successor's lock be there. So the ticket is
//     renamed away there in any case; where it is gone, the lock's own name is
//     linked to a new one, which no client has in a cache, and that is looked
//     at.
// A token names one hold and is never used again, so what was seen to be T's
// lock stays T's lock until the one who has the right removes it. Everybody who
// waits may finish what a dead breaker began: its guard is broken like any
// directory lock, and the renamed ticket tells that the right is with the
// breakers already.
//
// Those who wait keep their tickets between two tries (excl: another file, for
// there a ticket says that its maker may be making the lock), and so know who
// came before them: wait_line.h. That decides when to try, never who has it.
#ifndef LOCKLAB_LIB_BACKENDS_SOFT_FILE_H_
#define LOCKLAB_LIB_BACKENDS_SOFT_FILE_H_

#include <atomic>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/backends/backend.h"
#include "lib/backends/dir_cell.h"
#include "lib/backends/naming.h"

namespace lockfile {

// Whether this errno of link(2) says that there are no hard links here.
[[nodiscard]] bool HasNoLinks(int error);

class SoftFile : public Backend {
 public:
  Status TryTake(const Hold& hold, Take* take) final;
  Status Release(const Hold& hold) final;
  Status StillMine(const Hold& hold, bool* mine) final;
  Status Look(Sight* sight) final;
  Status Break(const Sight& seen, BreakReason reason, Broke* broke) final;
  Status Refresh(const Hold& hold) final;
  [[nodiscard]] const LockNames* line() const final {
    return local_ ? &names_ : nullptr;
  }
  Status Queue(const Hold& hold) final;
  void GiveUp(const Hold& hold) final;
  void CollectLitter(const Hold& hold) final;

 protected:
  SoftFile(os::Os& os, const std::string& lock_path, const Options& options);

  // Makes the ticket; nothing is left of it on failure.
  virtual Status MakeTicket(const Hold& hold, const std::string& ticket) = 0;
  // Tries to put the lock in its place, exclusively: 0 or an errno, where
  // EEXIST says that it is taken. Whether it is ours is decided by Owns.
  virtual int Place(const Hold& hold, const std::string& ticket) = 0;
  // Whether what stands at the lock's path is this hold's: 0 or an errno.
  virtual int IsMine(const Hold& hold, bool* mine) = 0;
  // Whether IsMine goes by the file's number. Not every client of a network
  // filesystem has one number for all names of a file (SMB without the server's
  // inode numbers, some of FUSE), so a "no" of it is not the last word there,
  // but after an EEXIST: nearly all of those are another's.
  [[nodiscard]] virtual bool KnowsByNumber() const { return false; }
  // The text of the lock: 0 or an errno (ENOENT: free). Where something
  // is there that cannot be read, 0, and `note` says what it is.
  virtual int ReadLock(std::string* text, os::FileInfo* info,
                       std::string* note);
  // The text of a lock that may have another name: 0 or an errno.
  virtual int ReadText(const std::string& path, std::string* text);
  virtual std::optional<Owner> Parse(const std::string& text) const;
  // Whether a lock whose text does not parse may be that of a creator that
  // died; `info` is of its file.
  [[nodiscard]] virtual bool MayBeHalfMade(const std::string& text,
                                           const os::FileInfo& info) {
    (void)text;
    (void)info;
    return false;
  }
  // Whether nobody lives who may have made such a lock, where MayBeHalfMade has
  // not proven that. Who asks for the break answers for those of whom nothing
  // is known.
  virtual bool CreatorsAreDead(BreakReason reason) {
    (void)reason;
    return true;
  }
  // Whether a waiter keeps its ticket between two tries. Not where a ticket is
  // how a creator announces itself.
  [[nodiscard]] virtual bool KeepsTicket() const { return true; }
  // The tails (naming.h) of what is beside the lock; false: not to be told.
  bool ListTickets(std::vector<std::string>* tails);
  // What to say where Place failed with this errno: kUnsupported if the
  // filesystem does not have what the backend needs.
  virtual Status PlaceFailed(int error);

 private:
  Status Lost() const;
  Status Announce(const Hold& hold, const std::string& ticket);
  void StepBack(const Hold& hold, const std::string& ticket);
  Status Unseen(const Hold& hold, int looked);
  // Whether the lock is this hold's though its ticket is gone, and no breaker
  // has it.
  Status IsRightOurs(const Hold& hold, bool* ours);
  Status TakeGuard(const Hold& hold, bool* taken);
  Status BreakUnderGuard(const Sight& seen, BreakReason reason, Broke* broke);
  // Whether what was seen is there now; the other asks past what this client
  // may have in a cache.
  Status StandsThere(const Sight& seen, bool* there);
  Status StandsOnServer(const Sight& seen, bool* there);
  // Whether the lock on the server is the one of this ticket, or the file of
  // this version: 0 or an errno, as HasNoLinks if it cannot be asked.
  int AskServer(const std::string& ticket, std::string_view version,
                bool* there);
  int LookAside(const std::string& name, std::string_view version,
                const std::string& ticket, bool* there);
  // IsMine, and more where its "no" may be wrong: 0 or an errno.
  int Owns(const Hold& hold, bool* mine);
  // Whether the right to remove the lock is the breaker's now.
  Status GainRight(const Sight& seen, BreakReason reason, bool* gained);
  Status GainFromCreators(BreakReason reason, bool* gained);

 protected:
  const LockNames names_;
  const Storage storage_;
  const bool local_;

 private:
  DirCell guard_;
  std::atomic<bool> ticket_used_{false};  // by a release that then failed
  std::atomic<int> vanished_{0};  // times in a row that a try left no trace
};

}  // namespace lockfile

#endif  // LOCKLAB_LIB_BACKENDS_SOFT_FILE_H_
