#include "lib/c_api.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "lib/backends.h"
#include "lib/errors.h"
#include "lib/lock_file.h"
#include "lib/options.h"
#include "lib/owner.h"

// Behind the opaque pointer. Never copied: `options.on_error` knows `failed`.
struct lockfile_handle {
  // Tells a handle from a later one at the same address.
  uint64_t id = 0;
  // What the destructor of `lock` could not do; declared before it.
  lockfile::Status failed;
  std::unique_ptr<lockfile::LockFile> lock;
};

namespace {

using lockfile::Errc;
using lockfile::Status;
using Seconds = std::chrono::duration<double>;

// The caller's mistake; the text is static.
struct Invalid {
  const char* what;
};

void Require(bool fine, const char* what) {
  if (!fine) throw Invalid{what};
}

void CopyText(std::string_view text, char* buffer, size_t size) {
  if (size == 0) return;
  const size_t length = std::min(text.size(), size - 1);
  std::memcpy(buffer, text.data(), length);
  buffer[length] = '\0';
}

// --- the latest error of each thread and handle ------------------------------

struct Latest {
  uint64_t handle;  // 0: the calls without a handle
  uint64_t used;    // larger: later
  int code;
  int sys;
  char message[512];
};

// Plain data, so that it needs neither memory nor a destructor: this must work
// where memory has run out, and in a thread that is ending.
thread_local Latest tls_latest[9];  // [0] is that of the NULL handle
thread_local uint64_t tls_uses;

uint64_t IdOf(const lockfile_t* lock) { return lock == nullptr ? 0 : lock->id; }

const Latest* FindLatest(const lockfile_t* lock) noexcept {
  for (const Latest& latest : tls_latest) {
    if (latest.handle == IdOf(lock)) return &latest;
  }
  return nullptr;
}

Latest& SlotFor(uint64_t id) noexcept {
  if (id == 0) return tls_latest[0];
  const auto first = std::begin(tls_latest) + 1;
  const auto last = std::end(tls_latest);
  const auto same = std::find_if(
      first, last, [id](const Latest& l) { return l.handle == id; });
  if (same != last) return *same;
  return *std::min_element(first, last, [](const Latest& a, const Latest& b) {
    return a.used < b.used;
  });
}

int Remember(uint64_t id, int code, int sys,
             std::string_view message) noexcept {
  Latest& slot = SlotFor(id);
  slot.handle = id;
  slot.used = ++tls_uses;
  slot.code = code;
  slot.sys = sys;
  CopyText(message, slot.message, sizeof slot.message);
  return code;
}

// --- errors to codes ---------------------------------------------------------

int CodeOf(Errc errc) {
  switch (errc) {
    case Errc::kOk:
      return LOCKFILE_OK;
    case Errc::kLockTimeout:
      return LOCKFILE_E_TIMEOUT;
    case Errc::kAlreadyLocked:
      return LOCKFILE_E_ALREADY_LOCKED;
    case Errc::kLockFailed:
      return LOCKFILE_E_FAILED;
    case Errc::kUnsupported:
      return LOCKFILE_E_UNSUPPORTED;
    case Errc::kNotLocked:
      return LOCKFILE_E_NOT_LOCKED;
    case Errc::kNotMyLock:
      return LOCKFILE_E_NOT_MINE;
    case Errc::kLockLost:
      return LOCKFILE_E_LOST;
    case Errc::kDeadlock:
      return LOCKFILE_E_DEADLOCK;
  }
  return LOCKFILE_E_INTERNAL;
}

int CodeOf(const std::error_code& code) {
  if (code.category() != lockfile::lockfile_category()) {
    return LOCKFILE_E_FAILED;
  }
  return CodeOf(static_cast<Errc>(code.value()));
}

// Turns the exception in flight into a code.
int RememberCurrentException(uint64_t id) noexcept {
  try {
    throw;
  } catch (const Invalid& invalid) {
    return Remember(id, LOCKFILE_E_INVALID, 0, invalid.what);
  } catch (const std::bad_alloc&) {
    return Remember(id, LOCKFILE_E_NOMEM, ENOMEM, "out of memory");
  } catch (const lockfile::Error& error) {
    return Remember(id, CodeOf(error.code()), error.sys_errno(), error.what());
  } catch (const std::exception& error) {
    return Remember(id, LOCKFILE_E_INTERNAL, 0, error.what());
  } catch (...) {
    return Remember(id, LOCKFILE_E_INTERNAL, 0, "unknown exception");
  }
}

// A cancelled thread unwinds its stack, which must not happen between taking a
// lock and saying so.
class NoCancel {
 public:
  NoCancel() { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
  ~NoCancel() { pthread_setcancelstate(before_, nullptr); }
  NoCancel(const NoCancel&) = delete;
  NoCancel& operator=(const NoCancel&) = delete;

 private:
  int before_ = PTHREAD_CANCEL_ENABLE;
};

// Every entry goes through here: no exception passes it.
template <typename Body>
int Call(const lockfile_t* lock, Body body) noexcept {
  const NoCancel no_cancel;
  const uint64_t id = IdOf(lock);
  try {
    body();
    return Remember(id, LOCKFILE_OK, 0, "");
  } catch (...) {
    return RememberCurrentException(id);
  }
}

// The same for a call that needs a handle.
template <typename Body>
int CallOn(lockfile_t* lock, Body body) noexcept {
  return Call(lock, [&] {
    Require(lock != nullptr, "the handle is NULL");
    body(*lock->lock);
  });
}

// --- structures that may be older or newer than this library -----------------

// Reads what the caller knows of `from`; members it does not know are zero.
lockfile_options_t ReadOptions(const lockfile_options_t* from) {
  lockfile_options_t options = LOCKFILE_OPTIONS_INIT;
  if (from == nullptr) return options;
  Require(from->size >= sizeof from->size && from->size <= 4096,
          "options->size is not set: use LOCKFILE_OPTIONS_INIT");
  const auto* bytes = reinterpret_cast<const unsigned char*>(from);
  const bool newer = std::any_of(bytes + std::min(from->size, sizeof options),
                                 bytes + from->size,
                                 [](unsigned char byte) { return byte != 0; });
  Require(!newer, "options ask for what this version does not have");
  std::memcpy(&options, from, std::min(from->size, sizeof options));
  return options;
}

// Writes what the caller knows of `value`, and zero where it knows more.
template <typename Struct>
void WriteStruct(const Struct& value, Struct* to) {
  const size_t size = to->size;
  Require(size >= sizeof value.size && size <= 4096,
          "the size of the result is not set: set it to its sizeof");
  std::memset(to, 0, size);
  std::memcpy(to, &value, std::min(size, sizeof value));
  to->size = size;
}

std::chrono::milliseconds Milliseconds(double seconds, const char* what) {
  Require(seconds >= 0 && seconds <= 1e9, what);
  return std::chrono::ceil<std::chrono::milliseconds>(Seconds(seconds));
}

lockfile::Options MakeOptions(const char* backend,
                              const lockfile_options_t& from) {
  constexpr uint32_t kKnown = LOCKFILE_ANY_THREAD | LOCKFILE_KEEP_DEAD |
                              LOCKFILE_KEEP_LITTER | LOCKFILE_HAS_MODE |
                              LOCKFILE_HAS_GRACE;
  Require((from.flags & ~kKnown) == 0, "options->flags has an unknown bit");
  Require(from.mode <= 0777, "options->mode has more than permission bits");
  lockfile::Options options;
  if (backend != nullptr) options.backend = backend;
  options.threaded = (from.flags & LOCKFILE_ANY_THREAD) == 0;
  options.break_dead_holders = (from.flags & LOCKFILE_KEEP_DEAD) == 0;
  options.collect_litter = (from.flags & LOCKFILE_KEEP_LITTER) == 0;
  if (from.mode != 0 || (from.flags & LOCKFILE_HAS_MODE) != 0) {
    options.mode = from.mode;
  }
  options.lease = Milliseconds(from.lease_seconds,
                               "options->lease_seconds is not from 0 to 1e9");
  const auto grace =
      Milliseconds(from.ownerless_grace_seconds,
                   "options->ownerless_grace_seconds is not from 0 to 1e9");
  if (grace.count() != 0 || (from.flags & LOCKFILE_HAS_GRACE) != 0) {
    options.ownerless_grace = grace;
  }
  return options;
}

std::unique_ptr<lockfile_t> MakeHandle(const char* path,
                                       lockfile::Options options) {
  static std::atomic<uint64_t> next_id{1};
  auto handle = std::make_unique<lockfile_t>();
  handle->id = next_id.fetch_add(1, std::memory_order_relaxed);
  options.on_error = [raw = handle.get()](const Status& status) {
    raw->failed = status;
  };
  handle->lock = std::make_unique<lockfile::LockFile>(path, std::move(options));
  return handle;
}

lockfile_owner_t OwnerInfo(const lockfile::Owner& owner) {
  lockfile_owner_t info = {};
  CopyText(owner.token, info.token, sizeof info.token);
  CopyText(owner.host, info.host, sizeof info.host);
  CopyText(owner.boot_id, info.boot_id, sizeof info.boot_id);
  info.pid_namespace = owner.pid_ns;
  info.time_namespace = owner.time_ns;
  info.pid = owner.pid;
  info.start_time = owner.start_time;
  info.thread_id = owner.thread_id;
  info.since_unix_seconds = owner.since;
  info.lease_seconds = Seconds(owner.lease).count();
  return info;
}

// A row's text as C strings, which its string_views need not be.
struct BackendText {
  std::string name, doc, suffix, needs;
  uint32_t traits;
};

uint32_t TraitBits(const lockfile::Traits& traits) {
  uint32_t bits = 0;
  if (traits.released_on_crash) bits |= LOCKFILE_RELEASED_ON_CRASH;
  if (traits.excludes_threads) bits |= LOCKFILE_EXCLUDES_THREADS;
  if (traits.survives_fork) bits |= LOCKFILE_SURVIVES_FORK;
  if (traits.breakable) bits |= LOCKFILE_BREAKABLE;
  if (traits.keeps_file) bits |= LOCKFILE_KEEPS_FILE;
  if (traits.python_compatible) bits |= LOCKFILE_PYTHON_COMPATIBLE;
  return bits;
}

const std::vector<BackendText>& BackendTexts() {
  static const auto& texts = *new std::vector<BackendText>([] {
    std::vector<BackendText> rows;
    for (const lockfile::BackendRow& row : lockfile::Backends()) {
      rows.push_back({std::string(row.name), std::string(row.doc),
                      std::string(row.suffix), std::string(row.traits.needs),
                      TraitBits(row.traits)});
    }
    return rows;
  }());
  return texts;
}

}  // namespace

// --- errors ------------------------------------------------------------------

const char* lockfile_error_name(int code) noexcept {
  static constexpr const char* kNames[] = {"LOCKFILE_OK",
                                           "LOCKFILE_E_TIMEOUT",
                                           "LOCKFILE_E_ALREADY_LOCKED",
                                           "LOCKFILE_E_FAILED",
                                           "LOCKFILE_E_UNSUPPORTED",
                                           "LOCKFILE_E_NOT_LOCKED",
                                           "LOCKFILE_E_NOT_MINE",
                                           "LOCKFILE_E_LOST",
                                           "LOCKFILE_E_DEADLOCK",
                                           "LOCKFILE_E_INVALID",
                                           "LOCKFILE_E_NOMEM",
                                           "LOCKFILE_E_INTERNAL"};
  const bool known = code >= 0 && code < static_cast<int>(std::size(kNames));
  return known ? kNames[code] : "LOCKFILE_E_?";
}

int lockfile_last_error(const lockfile_t* lock) noexcept {
  const Latest* latest = FindLatest(lock);
  return latest == nullptr ? LOCKFILE_OK : latest->code;
}

int lockfile_last_errno(const lockfile_t* lock) noexcept {
  const Latest* latest = FindLatest(lock);
  return latest == nullptr ? 0 : latest->sys;
}

int lockfile_last_message(const lockfile_t* lock, char* buffer,
                          size_t size) noexcept {
  if (buffer == nullptr || size == 0) return LOCKFILE_E_INVALID;
  const Latest* latest = FindLatest(lock);
  CopyText(latest == nullptr ? "" : latest->message, buffer, size);
  return LOCKFILE_OK;
}

// --- opening and closing -----------------------------------------------------

int lockfile_open(const char* path, const char* backend,
                  const lockfile_options_t* options,
                  lockfile_t** lock) noexcept {
  if (lock != nullptr) *lock = nullptr;
  return Call(nullptr, [&] {
    Require(lock != nullptr, "there is nowhere to store the handle: NULL");
    Require(path != nullptr && *path != '\0', "the path is NULL or empty");
    Require(backend == nullptr || lockfile::FindBackend(backend) != nullptr,
            "no backend has this name: see lockfile_backend()");
    *lock =
        MakeHandle(path, MakeOptions(backend, ReadOptions(options))).release();
  });
}

int lockfile_close(lockfile_t* lock) noexcept {
  const NoCancel no_cancel;
  if (lock == nullptr) {
    return Remember(0, LOCKFILE_E_INVALID, 0, "the handle is NULL");
  }
  lock->lock.reset();
  const int code = CodeOf(lock->failed.code);
  Remember(0, code, lock->failed.sys, lock->failed.message);
  delete lock;
  return code;
}

const char* lockfile_path(const lockfile_t* lock) noexcept {
  return lock == nullptr ? nullptr : lock->lock->path().c_str();
}

const char* lockfile_lock_path(const lockfile_t* lock) noexcept {
  return lock == nullptr ? nullptr : lock->lock->lock_path().c_str();
}

const char* lockfile_backend_name(const lockfile_t* lock) noexcept {
  if (lock == nullptr) return nullptr;
  const NoCancel no_cancel;
  try {
    const std::string_view name = lock->lock->backend().name;
    for (const BackendText& text : BackendTexts()) {
      if (text.name == name) return text.name.c_str();
    }
  } catch (...) {  // out of memory
  }
  return nullptr;
}

// --- taking and giving back --------------------------------------------------

int lockfile_acquire(lockfile_t* lock, double timeout_seconds) noexcept {
  return CallOn(lock, [=](lockfile::LockFile& file) {
    Require(!std::isnan(timeout_seconds), "the timeout is not a number");
    if (timeout_seconds < 0) {
      file.acquire();
    } else {
      file.acquire(Seconds(timeout_seconds));
    }
  });
}

int lockfile_try(lockfile_t* lock) noexcept {
  return lockfile_acquire(lock, 0);
}

int lockfile_release(lockfile_t* lock) noexcept {
  return CallOn(lock, [](lockfile::LockFile& file) { file.release(); });
}

int lockfile_refresh(lockfile_t* lock) noexcept {
  return CallOn(lock, [](lockfile::LockFile& file) { file.refresh(); });
}

// --- looking -----------------------------------------------------------------

int lockfile_is_locked(lockfile_t* lock, int* locked) noexcept {
  return CallOn(lock, [=](lockfile::LockFile& file) {
    Require(locked != nullptr, "there is nowhere to store the answer: NULL");
    *locked = file.is_locked() ? 1 : 0;
  });
}

int lockfile_i_am_locking(lockfile_t* lock, int* mine) noexcept {
  return CallOn(lock, [=](lockfile::LockFile& file) {
    Require(mine != nullptr, "there is nowhere to store the answer: NULL");
    *mine = file.i_am_locking() ? 1 : 0;
  });
}

int lockfile_owner(lockfile_t* lock, lockfile_owner_t* owner,
                   int* known) noexcept {
  return CallOn(lock, [=](lockfile::LockFile& file) {
    Require(owner != nullptr && known != nullptr,
            "there is nowhere to store the answer: NULL");
    const auto found = file.owner();
    WriteStruct(found ? OwnerInfo(*found) : lockfile_owner_t{}, owner);
    *known = found ? 1 : 0;
  });
}

int lockfile_holder_liveness(lockfile_t* lock, int* life, char* reason,
                             size_t size) noexcept {
  return CallOn(lock, [=](lockfile::LockFile& file) {
    Require(life != nullptr && (reason != nullptr || size == 0),
            "there is nowhere to store the answer: NULL");
    const lockfile::Liveness found = file.holder_liveness();
    CopyText(found.reason, reason, size);
    *life = found.life == lockfile::Life::kAlive  ? LOCKFILE_LIFE_ALIVE
            : found.life == lockfile::Life::kDead ? LOCKFILE_LIFE_DEAD
                                                  : LOCKFILE_LIFE_UNKNOWN;
  });
}

// --- breaking ----------------------------------------------------------------

int lockfile_break_lock(lockfile_t* lock, int* broken) noexcept {
  return CallOn(lock, [=](lockfile::LockFile& file) {
    const bool broke = file.break_lock();
    if (broken != nullptr) *broken = broke ? 1 : 0;
  });
}

int lockfile_break_lock_if(lockfile_t* lock, const char* token,
                           int* broken) noexcept {
  return CallOn(lock, [=](lockfile::LockFile& file) {
    Require(token != nullptr && lockfile::IsToken(token),
            "the token is not 32 hex digits, as lockfile_owner() gives it");
    lockfile::Owner expected;
    expected.token = token;
    const bool broke = file.break_lock(expected);
    if (broken != nullptr) *broken = broke ? 1 : 0;
  });
}

// --- backends ----------------------------------------------------------------

size_t lockfile_backend_count() noexcept { return lockfile::Backends().size(); }

int lockfile_backend(size_t index, lockfile_backend_t* backend) noexcept {
  return Call(nullptr, [=] {
    Require(backend != nullptr, "there is nowhere to store the answer: NULL");
    Require(index < BackendTexts().size(), "there are fewer backends");
    const BackendText& text = BackendTexts()[index];
    lockfile_backend_t row = {};
    row.name = text.name.c_str();
    row.doc = text.doc.c_str();
    row.suffix = text.suffix.c_str();
    row.needs = text.needs.c_str();
    row.traits = text.traits;
    WriteStruct(row, backend);
  });
}

int lockfile_probe(const char* directory, lockfile_probe_callback callback,
                   void* user) noexcept {
  return Call(nullptr, [=] {
    Require(directory != nullptr && *directory != '\0',
            "the directory is NULL or empty");
    Require(callback != nullptr, "the callback is NULL");
    for (const lockfile::Probe& probe : lockfile::probe(directory)) {
      const std::string name(probe.backend->name);
      if (callback(name.c_str(), probe.supported ? 1 : 0, probe.reason.c_str(),
                   user) != 0) {
        break;
      }
    }
  });
}
