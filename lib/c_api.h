/* liblockfile.so: the library for C, and for every language that can call C.
 *
 *   lockfile_t *lock;
 *   if (lockfile_open("/var/spool/queue", "link", NULL, &lock) != LOCKFILE_OK)
 *     ...
 *   if (lockfile_acquire(lock, 5.0) == LOCKFILE_OK) {     // five seconds
 *     ...
 *     lockfile_release(lock);
 *   } else {
 *     char why[256];
 *     lockfile_last_message(lock, why, sizeof why);
 *   }
 *   lockfile_close(lock);
 *
 * From Python, without a binding:
 *
 *   import ctypes
 *   so, lock = ctypes.CDLL("liblockfile.so"), ctypes.c_void_p()
 *   so.lockfile_open(b"/var/spool/queue", b"link", None, ctypes.byref(lock))
 *   so.lockfile_acquire(lock, ctypes.c_double(5))
 *
 * State. A handle is one contender for the lock of one path. In its eyes the
 * lock is Free, Mine, Theirs, Stale (its holder is proven dead) or Lost (it
 * was mine and was broken); lock_file.h has the table of what each operation
 * does in each state, and where each backend keeps its lock.
 *
 *                Free        Mine        Theirs       Stale      Lost
 *  acquire       -> Mine     stays Mine  waits        -> Mine    as it is now
 *  try           -> Mine     stays Mine  ALREADY_     -> Mine    as it is now
 *                                        LOCKED
 *  release       NOT_LOCKED  -> Free     NOT_MINE     NOT_MINE   LOST
 *  break_lock    nothing     -> Lost     -> Free      -> Free    as it is now
 *
 * Results. Every function but those that return text or a count returns
 * LOCKFILE_OK or a LOCKFILE_E_* code, and stores what it found through a
 * pointer only if it returns LOCKFILE_OK. A pointer that must not be NULL and
 * is gives LOCKFILE_E_INVALID. No C++ exception leaves any of them; lack of
 * memory is LOCKFILE_E_NOMEM.
 *
 * Threads. Any function may be called from any thread, and one handle from
 * several at a time, except that lockfile_close() must be the last call on its
 * handle. A lock belongs to the thread that took it, unless the handle was
 * opened with LOCKFILE_ANY_THREAD. Two handles on one path exclude each other
 * also in one thread. No signal handler and no thread is installed. Calls are
 * not cancellation points: pthread_cancel() takes effect after them.
 *
 * Fork. A child owns nothing that its parent held: its handles start Free and
 * may be used or closed without harm to the parent. Do not fork while another
 * thread is inside a call on the same handle. exec: no descriptor is passed on.
 *
 * Waiting. Only lockfile_acquire() waits for the lock, and the break functions
 * for as long as another breaker of the same lock takes.
 *
 * ABI. Structures begin with their size as the caller was compiled, so that
 * they can grow; enumerators are never renumbered; symbols carry the version
 * LOCKFILE_1.
 */
#ifndef LOCKLAB_LIB_C_API_H_
#define LOCKLAB_LIB_C_API_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define LOCKFILE_NOEXCEPT noexcept
#else
#define LOCKFILE_NOEXCEPT
#endif

/* NOLINTBEGIN(modernize-use-using): C has no other way */

/* One contender for one lock. */
typedef struct lockfile_handle lockfile_t;

/* --- errors ------------------------------------------------------------- */

enum {
  LOCKFILE_OK = 0,
  LOCKFILE_E_TIMEOUT = 1,        /* waited as long as was asked */
  LOCKFILE_E_ALREADY_LOCKED = 2, /* held by another, and not to wait */
  LOCKFILE_E_FAILED = 3,         /* not contention: see lockfile_last_errno */
  LOCKFILE_E_UNSUPPORTED = 4,    /* this directory cannot carry this backend */
  LOCKFILE_E_NOT_LOCKED = 5,     /* nobody holds it */
  LOCKFILE_E_NOT_MINE = 6,       /* somebody else holds it */
  LOCKFILE_E_LOST = 7,           /* it was mine, and was broken or removed */
  LOCKFILE_E_DEADLOCK = 8,
  LOCKFILE_E_INVALID = 9, /* the caller's mistake: an argument */
  LOCKFILE_E_NOMEM = 10,
  LOCKFILE_E_INTERNAL = 11 /* a defect of the library: please report */
};

/* "LOCKFILE_E_TIMEOUT" for 1; "LOCKFILE_E_?" for what is no code. Static. */
const char *lockfile_error_name(int code) LOCKFILE_NOEXCEPT;

/* What the calling thread's latest call on `lock` ended with: its code, the
 * errno of the system call that failed (0: none did), and a sentence that says
 * what, where, why and what to do (empty after LOCKFILE_OK). These do not
 * count as calls. NULL instead of a handle: the latest call without a handle,
 * such as a failed lockfile_open(). Each thread remembers its latest call on
 * the 8 handles that it used last; of others it says LOCKFILE_OK.
 *
 * The message is copied, cut to `size` bytes with its terminator; `size` of
 * 512 always suffices. NULL `buffer`: LOCKFILE_E_INVALID. */
int lockfile_last_error(const lockfile_t *lock) LOCKFILE_NOEXCEPT;
int lockfile_last_errno(const lockfile_t *lock) LOCKFILE_NOEXCEPT;
int lockfile_last_message(const lockfile_t *lock, char *buffer,
                          size_t size) LOCKFILE_NOEXCEPT;

/* --- opening and closing ------------------------------------------------ */

enum {
  /* Any thread of the process may release the lock. Default: the thread that
   * took it, as with a mutex. */
  LOCKFILE_ANY_THREAD = 1 << 0,
  /* Do not take a lock from a holder that is proven dead. */
  LOCKFILE_KEEP_DEAD = 1 << 1,
  /* Do not remove what dead contenders for this lock left behind. */
  LOCKFILE_KEEP_LITTER = 1 << 2,
  /* `mode` counts, even if it is 0. */
  LOCKFILE_HAS_MODE = 1 << 3,
  /* `ownerless_grace_seconds` counts, even if it is 0. */
  LOCKFILE_HAS_GRACE = 1 << 4
};

/* All zero but `size`: the defaults, which are the safe ones. */
typedef struct lockfile_options {
  size_t size;                    /* sizeof(lockfile_options_t) */
  uint32_t flags;                 /* LOCKFILE_ANY_THREAD | ... */
  uint32_t mode;                  /* permission bits of what is created;
                                     default 0666 less the umask */
  double lease_seconds;           /* > 0: the holder promises to call
                                     lockfile_refresh() more often */
  double ownerless_grace_seconds; /* default 1: how long a lock without an
                                     owner is watched before it is cleared */
} lockfile_options_t;

#define LOCKFILE_OPTIONS_INIT \
  { sizeof(lockfile_options_t), 0, 0, 0.0, 0.0 }

/* Makes a handle; takes no lock and touches no file. `backend`: a name that
 * lockfile_backend() gives, or NULL for the default (link, or mkdir where
 * there are no hard links). `options`: NULL for the defaults. The arguments
 * are copied. On success the caller owns `*lock`; otherwise it is NULL. */
int lockfile_open(const char *path, const char *backend,
                  const lockfile_options_t *options,
                  lockfile_t **lock) LOCKFILE_NOEXCEPT;

/* Releases the lock if this handle holds it in this process, and frees the
 * handle in any case: the code says whether the release succeeded. The message
 * is found under NULL afterwards. */
int lockfile_close(lockfile_t *lock) LOCKFILE_NOEXCEPT;

/* Absolute; valid until lockfile_close(). NULL for NULL. */
const char *lockfile_path(const lockfile_t *lock) LOCKFILE_NOEXCEPT;
const char *lockfile_lock_path(const lockfile_t *lock) LOCKFILE_NOEXCEPT;
const char *lockfile_backend_name(const lockfile_t *lock) LOCKFILE_NOEXCEPT;

/* --- taking and giving back --------------------------------------------- */

#define LOCKFILE_FOREVER (-1.0)

/* timeout_seconds > 0: waits so long, then LOCKFILE_E_TIMEOUT. 0: does not
 * wait, LOCKFILE_E_ALREADY_LOCKED. < 0: waits for ever. NaN is
 * LOCKFILE_E_INVALID. If this handle holds the lock already, LOCKFILE_OK at
 * once; one release frees it. */
int lockfile_acquire(lockfile_t *lock,
                     double timeout_seconds) LOCKFILE_NOEXCEPT;
/* lockfile_acquire(lock, 0). */
int lockfile_try(lockfile_t *lock) LOCKFILE_NOEXCEPT;

/* LOCKFILE_E_NOT_LOCKED, _NOT_MINE, _LOST; LOCKFILE_E_FAILED with an errno if
 * the filesystem refused: the lock is then still held, try again. */
int lockfile_release(lockfile_t *lock) LOCKFILE_NOEXCEPT;

/* With a lease: tells everybody that this holder lives. LOCKFILE_E_LOST if the
 * lock was broken, LOCKFILE_E_NOT_LOCKED if it is not held. */
int lockfile_refresh(lockfile_t *lock) LOCKFILE_NOEXCEPT;

/* --- looking ------------------------------------------------------------ */

/* `*locked`: 1 if anybody holds it, dead or alive, else 0. Never guesses: what
 * cannot be found out is LOCKFILE_E_FAILED. */
int lockfile_is_locked(lockfile_t *lock, int *locked) LOCKFILE_NOEXCEPT;
/* `*mine`: 1 if this handle (and thread) holds it now, else 0. */
int lockfile_i_am_locking(lockfile_t *lock, int *mine) LOCKFILE_NOEXCEPT;

typedef struct lockfile_owner_info {
  size_t size;    /* set to sizeof(lockfile_owner_t) before the call */
  char token[40]; /* identifies one hold: 32 hex digits */
  char host[264]; /* cut if longer */
  char boot_id[64];
  uint64_t pid_namespace;  /* inode; 0: unknown */
  uint64_t time_namespace; /* inode; 0: unknown */
  int64_t pid;
  uint64_t start_time; /* of the process, clock ticks since boot; 0: unknown */
  int64_t thread_id;
  int64_t since_unix_seconds; /* by the holder's clock: for people only */
  double lease_seconds;       /* 0: none */
} lockfile_owner_t;

/* `*known`: 1 and `*owner` is filled, or 0 and only its size is left: nobody
 * holds it, or nobody who left a readable record. The text was read from a
 * file that anyone may have written: do not trust it. */
int lockfile_owner(lockfile_t *lock, lockfile_owner_t *owner,
                   int *known) LOCKFILE_NOEXCEPT;

enum {
  LOCKFILE_LIFE_UNKNOWN = 0, /* another host or container, or no record */
  LOCKFILE_LIFE_ALIVE = 1,
  LOCKFILE_LIFE_DEAD = 2 /* proven, or nobody holds it */
};

/* Whether the holder lives; `reason` (may be NULL if `size` is 0) gets why,
 * cut to `size` bytes with its terminator. */
int lockfile_holder_liveness(lockfile_t *lock, int *life, char *reason,
                             size_t size) LOCKFILE_NOEXCEPT;

/* --- breaking ----------------------------------------------------------- */

/* Breaks the lock whoever holds it. `*broken` (may be NULL): 1 if there was
 * something to break. LOCKFILE_E_UNSUPPORTED if the kernel holds the lock for
 * a live process, LOCKFILE_E_TIMEOUT if another breaker does not get done. */
int lockfile_break_lock(lockfile_t *lock, int *broken) LOCKFILE_NOEXCEPT;
/* The same only if the hold with this token still has it; else `*broken` is 0
 * and nothing was touched. */
int lockfile_break_lock_if(lockfile_t *lock, const char *token,
                           int *broken) LOCKFILE_NOEXCEPT;

/* --- which backends there are, and which work here ----------------------- */

enum {
  LOCKFILE_RELEASED_ON_CRASH = 1 << 0, /* by the kernel, at once */
  LOCKFILE_EXCLUDES_THREADS = 1 << 1,
  LOCKFILE_SURVIVES_FORK = 1 << 2,
  LOCKFILE_BREAKABLE = 1 << 3,
  LOCKFILE_KEEPS_FILE = 1 << 4, /* a file stays behind after release */
  LOCKFILE_PYTHON_COMPATIBLE = 1 << 5
};

/* All text is static. */
typedef struct lockfile_backend_info {
  size_t size; /* set to sizeof(lockfile_backend_t) before the call */
  const char *name;
  const char *doc;    /* one line */
  const char *suffix; /* the lock of PATH lives at PATH + suffix */
  const char *needs;  /* of the filesystem; "" for nothing special */
  uint32_t traits;    /* LOCKFILE_RELEASED_ON_CRASH | ... */
} lockfile_backend_t;

size_t lockfile_backend_count(void) LOCKFILE_NOEXCEPT;
/* The one with this index; LOCKFILE_E_INVALID beyond the last. */
int lockfile_backend(size_t index,
                     lockfile_backend_t *backend) LOCKFILE_NOEXCEPT;

/* Called once a backend. `reason` is "" if it is supported, and valid during
 * the call only. Return 0 to go on, anything else to hear no more. Must not
 * throw. */
typedef int (*lockfile_probe_callback)(const char *backend, int supported,
                                       const char *reason, void *user);

/* Which backends `directory` supports, found by doing the thing in a scratch
 * directory inside it, which is removed again. LOCKFILE_OK also if it supports
 * none. */
int lockfile_probe(const char *directory, lockfile_probe_callback callback,
                   void *user) LOCKFILE_NOEXCEPT;

/* NOLINTEND(modernize-use-using) */

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* LOCKLAB_LIB_C_API_H_ */
