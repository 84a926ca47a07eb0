// A lock that is a directory with one entry, which has the name of its holder's
// ticket (naming.h): the protocol of the mkdir backend, and of the guard under
// which the other soft backends break locks.
//
// Taking it: a directory with the entry inside is prepared aside and renamed
// into place, which fails if a directory with something in it is there. So the
// lock is never seen without its owner. Removing it: unlink the entry, then
// rmdir. Both are compare-and-remove by nature: the entry's name is unique to
// one hold, and rmdir removes nothing that has an owner. Hence any number of
// breakers, releasing holders and new holders may do this at once, and each
// may die after any step. Power may fail with the names on the disk, and the
// entry's text not: then its name is what proves that its holder is dead.
//
// An empty directory is nobody's lock: a releaser or breaker is between its
// two steps, or died there. The rename of a prepared directory replaces it.
// Where Python's lockfile takes part (`foreign`), an empty directory may also
// be a creator that has not yet made its entry; then renames do not replace,
// and it is the waiter that clears it after the grace time.
#ifndef LOCKLAB_LIB_BACKENDS_DIR_CELL_H_
#define LOCKLAB_LIB_BACKENDS_DIR_CELL_H_

#include <atomic>
#include <string>
#include <vector>

#include "lib/backends/backend.h"
#include "lib/backends/naming.h"

namespace lockfile {

class DirCell final : public Backend {
 public:
  enum class Peers { kOursOnly, kForeignToo };

  // `aside`: the names under which directories are prepared.
  DirCell(os::Os& os, const std::string& lock_path, LockNames aside,
          const Options& options, Peers peers);

  Status TryTake(const Hold& hold, Take* take) override;
  Status Release(const Hold& hold) override;
  Status StillMine(const Hold& hold, bool* mine) override;
  Status Look(Sight* sight) override;
  Status Break(const Sight& seen, BreakReason reason, Broke* broke) override;
  Status Refresh(const Hold& hold) override;
  [[nodiscard]] const LockNames* line() const override {
    return local_ ? &names_ : nullptr;
  }
  Status Queue(const Hold& hold) override;
  void GiveUp(const Hold& hold) override;
  void CollectLitter(const Hold& hold) override;

 private:
  bool SeemsHeld();
  Status Prepare(const Hold& hold, const std::string& aside);
  void Discard(const Hold& hold, const std::string& aside);
  // Moves the prepared directory into place; the errno of the rename.
  int Place(const std::string& aside);
  int PlaceOnce(const std::string& aside);
  Status LookInside(const std::vector<std::string>& entries, Sight* sight,
                    bool* again);
  Status Unseen(const Hold& hold, int placed, int looked);
  // Removes an entry of the lock directory; returns 0 or an errno.
  int TakeOut(const std::string& entry, const std::string& aside);
  Status TakeOutMine(const Hold& hold);
  void ClearBroken(const Hold& hold);
  // Removes the directory that has lost its owner, and what strangers put in.
  Status RemoveOwnerless(const std::string& aside);
  Status BreakUnreadable(Broke* broke);
  void MoveStrangersOut(const std::string& aside);

  const LockNames names_;
  const Storage storage_;
  const bool local_;
  const mode_t dir_mode_;
  const bool replaces_;           // place by rename(2) rather than NOREPLACE
  std::atomic<int> vanished_{0};  // times in a row that a try left no trace
};

}  // namespace lockfile

#endif  // LOCKLAB_LIB_BACKENDS_DIR_CELL_H_
