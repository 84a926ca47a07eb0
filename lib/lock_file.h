// Lock files for processes and threads that share a filesystem.
//
//   lockfile::LockFile lock("/var/spool/queue");   // at /var/spool/queue.lock
//   std::scoped_lock guard(lock);                  // waits; released at the }
//
//   lockfile::MkdirLockFile lock("queue");
//   lock.acquire(5s);                  // LockTimeout after five seconds
//   lock.release();
//
// A lock in the eyes of one LockFile object is in one of five states:
//
//   Free    nobody holds it
//   Mine    this object holds it, in this process and (Options::threaded)
//           this thread
//   Theirs  another object, thread, process or host holds it, or may
//   Stale   the holder is proven dead (owner.h says what counts as proof)
//   Lost    this object held it; it was broken or removed since
//
//               Free        Mine          Theirs         Stale       Lost
//  acquire()    -> Mine     stays Mine    waits          breaks it,  as what
//                           (idempotent)                 -> Mine     it is now
//  acquire(t>0) -> Mine     stays Mine    waits, then    breaks it,  as what
//                                         LockTimeout    -> Mine     it is now
//  acquire(t<=0)-> Mine     stays Mine    AlreadyLocked  breaks it,  as what
//                                                        -> Mine     it is now
//  lock()       -> Mine     throws        waits          breaks it,  as what
//                           kDeadlock                    -> Mine     it is now
//  try_lock()   true        false         false          true        as now
//  release()    NotLocked   -> Free       NotMyLock      NotMyLock   LockLost,
//                                                                    then as
//                                                                    now
//  break_lock() false       -> Lost       -> Free, its   -> Free     as now
//                                         holder Lost
//  is_locked()  false       true          true           true        as now
//  i_am_locking false       true          false          false       false
//  holder dies  -           Stale, or Free where the kernel releases (traits)
//  fork()       -           child: Theirs; parent: Mine
//
// May wait: acquire, lock, try_lock_for, try_lock_until, and break_lock for as
// long as another breaker of the same lock takes. Nothing else waits, though
// any system call on a network filesystem may take its time.
//
// Turns: on local filesystems those who wait for a file-based lock get it in
// the order in which they came, as well as that can be had without a lock that
// could stall them (wait_line.h); a process that gives it back and wants it
// again at once lets the others go first. try_lock() and acquire(t<=0) take a
// free lock whoever waits.
//
// If the process dies inside any of these calls, the lock is Free or Stale
// afterwards, never wedged: the next acquire() by anyone recovers it.
//
// Threads: every member may be called from any thread at any time; calls that
// change the state are serialised. Two objects on one path exclude each other
// wherever they live, also in one thread. Fork: a child owns nothing that its
// parent held; its objects start Free and may be used. Do not fork while
// another thread is inside a call on the same object, as with any mutex.
// exec: descriptors are close-on-exec; a spawned program holds nothing.
//
// The lock of PATH lives at PATH.lock (pid: at PATH itself; sqlite: in
// PATH.lock.db), so that C++ programs and Python's `lockfile` exclude each
// other (link, mkdir, symlink, pid). A relative PATH is made absolute when the
// object is made; the parent directory must exist. Its last component is never
// followed if it is a symbolic link. One path, one backend: different backends
// on one path do not exclude each other reliably.
//
// Deviations from Python's lockfile 0.12.2, each on purpose:
//  - acquire() in a second object of the same thread waits; there it "held".
//  - a broken holder's release() is LockLost (a NotMyLock), there NotLocked,
//    or the removal of the successor's lock.
//  - pid: acquire() without timeout waits; there it failed at once.
//  - sqlite: one database beside the path; there a private temporary file.
//  - errors that are not contention are raised at once, with their errno.
//  - holders proven dead are broken by acquire() (Options can switch it off).
//  - break_lock() on flock, fcntl and ofd throws Unsupported while a live
//    process holds the lock: the kernel cannot take it away from there.
#ifndef LOCKLAB_LIB_LOCK_FILE_H_
#define LOCKLAB_LIB_LOCK_FILE_H_

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "lib/backends.h"
#include "lib/deadline.h"
#include "lib/errors.h"
#include "lib/options.h"
#include "lib/owner.h"

namespace lockfile {

// BasicLockable, Lockable and TimedLockable. Neither copied nor moved: its
// address may be known to a waiting thread.
class LockFile {
 public:
  // Takes nothing yet and touches no file, except that the default backend
  // is chosen by a look at the directory on first use.
  // Throws Unsupported for an unknown backend, LockFailed for an empty path.
  explicit LockFile(const std::filesystem::path& path, Options options = {});
  // The same with no exception: `error` says what was wrong, and every later
  // call fails with it.
  LockFile(const std::filesystem::path& path, Options options,
           std::error_code& error);

  // Releases the lock if this object still holds it in this process.
  ~LockFile();

  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;

  // --- the ancestor's interface --------------------------------------------

  // Waits as Options::timeout says (default: for ever).
  // Throws LockTimeout, AlreadyLocked, LockFailed, Unsupported.
  void acquire();
  void acquire(std::error_code& error);

  // timeout > 0: waits so long, then LockTimeout; <= 0: AlreadyLocked at once.
  template <typename Rep, typename Period>
  void acquire(std::chrono::duration<Rep, Period> timeout) {
    ThrowIfBad(Acquire(After(timeout), Again::kIsFine));
  }
  template <typename Rep, typename Period>
  void acquire(std::chrono::duration<Rep, Period> timeout,
               std::error_code& error) {
    error = Acquire(After(timeout), Again::kIsFine).error_code();
  }

  // Throws NotLocked, NotMyLock, LockLost; UnlockError with an errno if the
  // filesystem refused (the lock is then still held: try again).
  void release();
  void release(std::error_code& error);

  // Whether anybody holds it, dead or alive. Throws LockFailed if that cannot
  // be found out (EACCES, ESTALE, EIO): it never guesses.
  [[nodiscard]] bool is_locked();
  [[nodiscard]] bool is_locked(std::error_code& error);

  // Whether this object holds it, by looking at the filesystem: false after a
  // break, in a forked child, and in another thread if Options::threaded.
  [[nodiscard]] bool i_am_locking();
  [[nodiscard]] bool i_am_locking(std::error_code& error);

  // Breaks the lock whoever holds it; true if there was something to break.
  // The holder, if it lives, learns it from its release(): LockLost. Throws
  // Unsupported if the kernel holds the lock for a live process, LockTimeout
  // if another breaker or the releasing owner does not get done.
  bool break_lock();
  bool break_lock(std::error_code& error);
  // Breaks it only if `expected` holds it: false, and nothing is touched, if
  // somebody else does or nobody.
  bool break_lock(const Owner& expected);
  bool break_lock(const Owner& expected, std::error_code& error);

  // --- the C++ named requirements ------------------------------------------

  // Waits for ever. Throws as acquire(), and system_error
  // (Errc::kDeadlock) if this thread holds it already.
  void lock();
  // False: it is held (by this thread, too). Throws on errors that are not
  // contention.
  [[nodiscard]] bool try_lock();
  // False only for a timeout. Throws on errors that are not contention.
  template <typename Rep, typename Period>
  [[nodiscard]] bool try_lock_for(std::chrono::duration<Rep, Period> timeout) {
    return TryUntil(After(timeout));
  }
  template <typename Clock, typename Duration>
  [[nodiscard]] bool try_lock_until(
      std::chrono::time_point<Clock, Duration> deadline) {
    return TryUntil(After(deadline - Clock::now()));
  }
  // Never throws: what it could not do goes to Options::on_error and to the
  // next acquire() or release() of this object.
  void unlock() noexcept;

  // --- who, and is it alive ------------------------------------------------

  // Who holds it. nullopt: nobody, or nobody who left a readable record (a
  // foreign program, garbage): is_locked() tells the two apart.
  [[nodiscard]] std::optional<Owner> owner();
  [[nodiscard]] std::optional<Owner> owner(std::error_code& error);
  // Whether the holder lives. Unknown with a reason if there is no record;
  // dead with the reason "nobody holds it" if the lock is free.
  [[nodiscard]] Liveness holder_liveness();

  // With Options::lease: tells everybody that this holder lives. Throws
  // LockLost if the lock was broken, NotLocked if it is not held.
  void refresh();
  void refresh(std::error_code& error);

  // --- about this object ---------------------------------------------------

  // As the caller gave it, and made absolute.
  [[nodiscard]] const std::string& path() const noexcept;
  // Where the lock lives: path() plus the backend's suffix.
  [[nodiscard]] const std::string& lock_path() const noexcept;
  [[nodiscard]] const BackendRow& backend() const noexcept;
  // The sentence that belongs to the latest error of this object.
  [[nodiscard]] std::string last_error_message() const;

 private:
  class Impl;
  enum class Again { kIsFine, kIsDeadlock };

  template <typename Rep, typename Period>
  [[nodiscard]] Deadline After(
      std::chrono::duration<Rep, Period> timeout) const {
    using Wide = std::chrono::duration<long double, std::nano>;
    const Wide wide = timeout;
    if (wide >= Wide(Deadline::Duration::max())) return Deadline::Never();
    if (!(wide > Wide::zero())) return Deadline::Now();
    return FromNow(std::chrono::ceil<Deadline::Duration>(wide));
  }
  [[nodiscard]] Deadline FromNow(Deadline::Duration timeout) const;
  Status Acquire(Deadline deadline, Again again);
  bool TryUntil(Deadline deadline);
  void ThrowIfBad(Status status, bool releasing = false) const;

  std::unique_ptr<Impl> impl_;
};

// One class a mechanism, by the ancestor's names. See backends.cc.
// NOLINTBEGIN(bugprone-macro-parentheses): a class name takes none.
#define LOCKFILE_DEFINE_CLASS(Class, backend_name)                          \
  class Class : public LockFile {                                           \
   public:                                                                  \
    explicit Class(const std::filesystem::path& path, Options options = {}) \
        : LockFile(path, With(std::move(options))) {}                       \
                                                                            \
   private:                                                                 \
    static Options With(Options options) {                                  \
      options.backend = backend_name;                                       \
      return options;                                                       \
    }                                                                       \
  }

// NOLINTEND(bugprone-macro-parentheses)
LOCKFILE_DEFINE_CLASS(LinkLockFile, "link");
LOCKFILE_DEFINE_CLASS(MkdirLockFile, "mkdir");
LOCKFILE_DEFINE_CLASS(SymlinkLockFile, "symlink");
LOCKFILE_DEFINE_CLASS(PidLockFile, "pid");
LOCKFILE_DEFINE_CLASS(ExclLockFile, "excl");
LOCKFILE_DEFINE_CLASS(SqliteLockFile, "sqlite");
LOCKFILE_DEFINE_CLASS(FlockLockFile, "flock");
LOCKFILE_DEFINE_CLASS(FcntlLockFile, "fcntl");
LOCKFILE_DEFINE_CLASS(OfdLockFile, "ofd");

#undef LOCKFILE_DEFINE_CLASS

using LinkFileLock [[deprecated("use LinkLockFile")]] = LinkLockFile;
using MkdirFileLock [[deprecated("use MkdirLockFile")]] = MkdirLockFile;
using SQLiteFileLock [[deprecated("use SqliteLockFile")]] = SqliteLockFile;
using SQLiteLockFile [[deprecated("use SqliteLockFile")]] = SqliteLockFile;
using PIDLockFile [[deprecated("use PidLockFile")]] = PidLockFile;
using FileLock [[deprecated("use LockFile")]] = LockFile;

// Runs `function` while holding the lock of `path`, and releases it however
// the function ends: the ancestor's `locked` decorator. Returns what the
// function returns. Waits as options.timeout says; throws as acquire().
template <typename Function>
decltype(auto) with_lock(const std::filesystem::path& path, Function&& function,
                         Options options = {}) {
  LockFile lock(path, std::move(options));
  lock.acquire();
  struct Release {
    LockFile& lock;
    ~Release() { lock.unlock(); }
  } release{lock};
  return std::forward<Function>(function)();
}

}  // namespace lockfile

#endif  // LOCKLAB_LIB_LOCK_FILE_H_
