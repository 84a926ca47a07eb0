// How a lock is to behave. The defaults are the safe ones.
#ifndef LOCKLAB_LIB_OPTIONS_H_
#define LOCKLAB_LIB_OPTIONS_H_

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "lib/errors.h"
#include "lib/os/os.h"

namespace lockfile {

struct Options {
  // "link", "mkdir", ...: see backends.h. Empty: the platform's default, which
  // is link, or mkdir in a directory that has no hard links.
  std::string backend{};

  // What acquire() without an argument does: nullopt waits for ever, > 0 waits
  // that long, <= 0 does not wait.
  std::optional<std::chrono::nanoseconds> timeout{};

  // Permission bits of what is created. nullopt: 0666 less the umask, so that
  // a second user can read who holds the lock and waits for it.
  std::optional<mode_t> mode{};

  // Whether acquire() takes a lock from a holder that is proven dead.
  bool break_dead_holders = true;

  // true: a lock belongs to the thread that took it, as with std::mutex; other
  // threads wait for it even through the same object. false: it belongs to the
  // process; any thread may release it.
  bool threaded = true;

  // > 0: the holder promises to call refresh() more often than this, and
  // others may break the lock when they have watched it unrefreshed for so
  // long by their own monotonic clock. For holders on other hosts, whose death
  // cannot be proven. 0: no lease.
  std::chrono::milliseconds lease{0};

  // How long something without an owner (a lock directory that a dead process
  // left empty) must have been watched unchanged before it is cleared away.
  std::chrono::milliseconds ownerless_grace{1000};

  // Whether the first acquire() of an object removes what dead contenders for
  // this very lock left behind in the directory.
  bool collect_litter = true;

  // Asked between two tries of a wait; true ends it: LockFailed with ECANCELED,
  // and nothing is left behind. A signal that comes while the wait polls makes
  // it be asked soon, in a quarter of a second at most. It must not throw.
  std::function<bool()> cancelled{};

  // Called with what unlock() and the destructor could not report by throwing.
  // It must not throw. The next acquire() or release() tells it too.
  std::function<void(const Status&)> on_error{};

  // The operating system; nullptr: the real one. Must outlive the lock.
  os::Os* os = nullptr;
};

}  // namespace lockfile

#endif  // LOCKLAB_LIB_OPTIONS_H_
