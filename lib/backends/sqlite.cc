// sqlite: a row with a unique key in the database PATH.lock.db.
//
// Mechanism: INSERT fails if the row is there. All processes share the one
// database beside the path (in Python's lockfile each had a private one, so
// that they never excluded each other). Break and release delete the row of
// one token: compare-and-remove in one statement.
// Needs: a filesystem on which SQLite's own locking works (fcntl); journal
// mode DELETE, since WAL needs shared memory and so one host.
// Waiters leave files beside the database, so that each waits for the one
// before it, and not all for the database (see wait_line.h).
// Weaknesses: slow on disks, every change is synced. Paths beyond 504 bytes are
// too long for SQLite. System calls are its own and do not pass the seam in
// lib/os, apart from the creation of the file.
#include <fcntl.h>
#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "lib/backends/makers.h"
#include "lib/backends/naming.h"
#include "lib/backends/record_file.h"

namespace lockfile {
namespace {

// Another's transaction lasts as long as a disk takes to sync, which is long
// on a loaded machine. About ten seconds every step waits for it, whatever the
// timeout of the lock: this is not yet waiting for the lock. The steps grow, or
// a thousand who look would leave the one that writes no time to end.
constexpr int kBusySteps = 140;
constexpr int kGrowingSteps = 13;
constexpr auto kFirstBusyStep = std::chrono::microseconds(400);
constexpr int kTries = 64;  // until a file that others keep removing is ours

constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS locks (name TEXT PRIMARY KEY, "
    "token TEXT NOT NULL, record TEXT NOT NULL, beat INTEGER NOT NULL)";

constexpr const char* kSelect =
    "SELECT token, record, beat FROM locks WHERE name = 'lock'";
constexpr const char* kInsert =
    "INSERT OR IGNORE INTO locks VALUES('lock', ?1, ?2, 0)";
constexpr const char* kDelete = "DELETE FROM locks WHERE token = ?1";
constexpr const char* kDeleteVersion =
    "DELETE FROM locks WHERE token || ':' || beat = ?1";
constexpr const char* kBeat =
    "UPDATE locks SET beat = beat + 1 WHERE token = ?1";

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);
  }
};
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

// Our own descriptor of a database must never be closed while SQLite has it
// open elsewhere in this process: that would drop SQLite's locks.
struct OpenGuard : os::ProcessLocal {
  std::mutex mutex;
};

int OnBusy(void* os, int count) {
  if (count >= kBusySteps) return 0;
  auto* seam = static_cast<os::Os*>(os);
  os::Clock::duration step = kFirstBusyStep;
  for (int i = 0; i < std::min(count, kGrowingSteps); ++i) step += step / 2;
  // Give or take a quarter, so that those who were refused together part.
  const os::TimePoint now = seam->Now();
  const auto eighths = 6 + now.time_since_epoch().count() / 1000 % 5;
  seam->WaitEvent(-1, -1, now + step / 8 * eighths);
  return 1;
}

int ErrnoOf(sqlite3* db, int code) {
  const int sys = db == nullptr ? 0 : sqlite3_system_errno(db);
  switch (code & 0xff) {
    case SQLITE_FULL:
      return ENOSPC;
    case SQLITE_READONLY:
      return EACCES;
    case SQLITE_PERM:
      return EACCES;
    case SQLITE_NOMEM:
      return ENOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return EBUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return EBADMSG;
    default:
      return sys != 0 ? sys : EIO;
  }
}

class SqliteBackend final : public Backend {
 public:
  SqliteBackend(os::Os& os, const std::string& lock_path,
                const Options& options)
      : Backend(os, lock_path, options),
        names_(lock_path),
        local_(IsLocalFilesystem(os, names_.directory())) {}

  Status TryTake(const Hold& hold, Take* take) override {
    const std::lock_guard guard(mutex_);
    for (int attempt = 0; attempt < kTries; ++attempt) {
      *take = Take::kHeld;
      Status status = TryOnce(hold, take);
      // A row in a file that has lost its name excludes nobody.
      const bool held = status.ok() && *take == Take::kHeld;
      if (held || !(HasMoved() || status.sys == ESTALE)) return status;
    }
    return Status::Make(Errc::kLockFailed,
                        lock_path_ + " is removed again and again by somebody",
                        ESTALE);
  }

  Status Release(const Hold& hold) override {
    const std::lock_guard guard(mutex_);
    Status status = OpenDatabase(/*create=*/false);
    if (!status.ok()) return status;
    int changes = 0;
    if (db_ != nullptr) {
      status = Change(kDelete, hold, &changes);
    }
    const bool lost = status.ok() ? changes == 0 : HasMoved();
    // Only now: who waits behind us is woken by that, and wants the row gone.
    if (lost || status.ok()) GiveUp(hold);
    return lost ? Lost() : status;
  }

  [[nodiscard]] const LockNames* line() const override {
    return local_ ? &names_ : nullptr;
  }

  // Each takes a lock that keeps writers out.
  [[nodiscard]] bool looks_are_dear() const override { return true; }

  Status Queue(const Hold& hold) override {
    if (hold.queued) return Status::Ok();
    Status status = WriteRecordFile(os_, names_.Waiting(hold.ticket),
                                    hold.record + "\n", mode_, nullptr);
    hold.queued = status.ok();
    return status;
  }

  void GiveUp(const Hold& hold) override {
    if (hold.queued) os_.Unlink(names_.Waiting(hold.ticket).c_str());
    hold.queued = false;
  }

  void CollectLitter(const Hold& hold) override {
    (void)hold;
    RemoveTickets(os_, names_, FindDeadTickets(os_, names_));
  }

  Status StillMine(const Hold& hold, bool* mine) override {
    const std::lock_guard guard(mutex_);
    Row row;
    const Status status = ReadIfThere(&row);
    *mine = status.ok() && row.found && row.token == hold.token;
    return status;
  }

  Status Look(Sight* sight) override {
    const std::lock_guard guard(mutex_);
    *sight = Sight{};
    Row row;
    const Status status = ReadIfThere(&row);
    if (!status.ok() || !row.found) return status;
    sight->held = true;
    sight->version = row.token + ":" + std::to_string(row.beat);
    sight->owner = ParseRecord(row.record);
    if (!sight->owner.has_value())
      sight->note = "its record is not one of ours";
    return status;
  }

  Status Break(const Sight& seen, BreakReason reason, Broke* broke) override {
    (void)reason;
    const std::lock_guard guard(mutex_);
    *broke = Broke::kChanged;
    Status status = OpenDatabase(/*create=*/false);
    if (!status.ok() || db_ == nullptr) return status;
    Hold key;
    key.token = seen.version;
    int changes = 0;
    status = Change(kDeleteVersion, key, &changes);
    if (changes == 1) *broke = Broke::kBroken;
    if (IsBusy(status)) {
      *broke = Broke::kBusy;
      return Status::Ok();
    }
    return status;
  }

  Status Refresh(const Hold& hold) override {
    const std::lock_guard guard(mutex_);
    Status status = OpenDatabase(/*create=*/false);
    if (!status.ok()) return status;
    int changes = 0;
    if (db_ != nullptr) {
      status = Change(kBeat, hold, &changes);
    }
    const bool lost = status.ok() ? changes == 0 : HasMoved();
    return lost ? Lost() : status;
  }

  // SQLite forbids to carry a connection across fork(), even to close it.
  void ForgetInChild() override {
    for (auto& [sql, statement] : statements_) (void)statement.release();
    statements_.clear();
    (void)db_.release();
  }

 private:
  struct Row {
    bool found = false;
    std::string token;
    std::string record;
    int64_t beat = 0;
  };

  [[nodiscard]] static bool IsBusy(const Status& status) {
    return status.sys == EBUSY;
  }

  [[nodiscard]] Status Lost() const {
    return Status::Make(Errc::kLockLost,
                        "its row in " + lock_path_ + " is gone");
  }

  Status Failed(const char* what, int code) {
    const int sys = ErrnoOf(db_.get(), code);
    Status status = Status::Failed(what, lock_path_, sys);
    status.message += " [SQLite: ";
    status.message += sqlite3_errstr(code);
    status.message += "]";
    return status;
  }

  // Opens the database if it is not open, or if its file is no longer the one
  // at the path. Without `create`, db_ stays null where there is no file.
  Status OpenDatabase(bool create) {
    if (db_ != nullptr && !HasMoved()) return Status::Ok();
    Disconnect();
    if (lock_path_.size() > kLongestSqlitePath) {
      return Status::Failed("open", lock_path_, ENAMETOOLONG);
    }
    OpenGuard& open_guard = os_.local<OpenGuard>();
    const std::lock_guard guard(open_guard.mutex);
    os::FileInfo info;
    int error = os_.Lstat(lock_path_.c_str(), &info).error;
    if (error == ENOENT) {
      if (!create) return Status::Ok();
      const Status made = CreateFile();
      if (!made.ok()) return made;
      error = 0;
    } else if (error == 0 && info.type != os::FileType::kRegular) {
      error = info.type == os::FileType::kSymlink ? ELOOP : ENOTSUP;
    }
    if (error != 0) return Status::Failed("open", lock_path_, error);
    Status status = Connect(create);
    return status.sys == ESTALE && !create ? Status::Ok() : status;
  }

  // An empty file is an empty database. Made here for the sake of its mode.
  Status CreateFile() {
    constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    const os::SysResult opened = os_.Open(lock_path_.c_str(), kFlags, mode_);
    if (opened.ok()) os_.Close(static_cast<int>(opened.value));
    return opened.ok() || opened.error == EEXIST
               ? Status::Ok()
               : Status::Failed("create", lock_path_, opened.error);
  }

  Status Connect(bool create) {
    sqlite3* raw = nullptr;
    constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX;
    int code = sqlite3_open_v2(lock_path_.c_str(), &raw, kFlags, nullptr);
    db_.reset(raw);
    if (code == SQLITE_OK) {
      sqlite3_extended_result_codes(raw, 1);
      sqlite3_busy_handler(raw, OnBusy, &os_);
      code = sqlite3_exec(
          raw, "PRAGMA journal_mode=DELETE; PRAGMA synchronous=NORMAL", nullptr,
          nullptr, nullptr);
    }
    if (code == SQLITE_OK && create) {
      code = sqlite3_exec(raw, kSchema, nullptr, nullptr, nullptr);
    }
    if (code == SQLITE_OK) return Status::Ok();
    Status status = Failed("use the database", code);
    // It was removed after we had found it.
    if (HasMoved() || status.sys == ENOENT) status.sys = ESTALE;
    Disconnect();
    if (IsBusy(status)) {
      // Nobody keeps a transaction open for so long: locking does not work.
      status.code = Errc::kUnsupported;
      status.sys = EBUSY == status.sys ? ENOLCK : status.sys;
    }
    return status;
  }

  void Disconnect() {
    statements_.clear();
    db_.reset();
  }

  // Prepared once a connection; `sql` is one of the constants of this file.
  int Prepare(const char* sql, sqlite3_stmt** out) {
    Statement& statement = statements_[sql];
    int code = SQLITE_OK;
    if (statement == nullptr) {
      sqlite3_stmt* raw = nullptr;
      code = sqlite3_prepare_v2(db_.get(), sql, -1, &raw, nullptr);
      statement.reset(raw);
    }
    *out = statement.get();
    return code;
  }

  Status Change(const char* sql, const Hold& hold, int* changes) {
    *changes = 0;
    sqlite3_stmt* statement = nullptr;
    int code = Prepare(sql, &statement);
    // No table yet: somebody removed the database, and another has just made
    // the next one. Who would insert has made the table himself.
    if ((code & 0xff) == SQLITE_ERROR && sql != kInsert) return Status::Ok();
    if (code != SQLITE_OK) return Failed("read", code);
    BindText(statement, 1, hold.token);
    if (sqlite3_bind_parameter_count(statement) > 1) {
      BindText(statement, 2, hold.record);
    }
    code = sqlite3_step(statement);
    if (code == SQLITE_DONE) *changes = sqlite3_changes(db_.get());
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? Status::Ok() : Failed("change", code);
  }

  static void BindText(sqlite3_stmt* statement, int index,
                       const std::string& text) {
    sqlite3_bind_text(statement, index, text.data(),
                      static_cast<int>(text.size()), SQLITE_TRANSIENT);
  }

  Status ReadIfThere(Row* row) {
    *row = Row{};
    const Status status = OpenDatabase(/*create=*/false);
    if (!status.ok() || db_ == nullptr) return status;
    return Read(row);
  }

  Status TryOnce(const Hold& hold, Take* take) {
    Status status = OpenDatabase(/*create=*/true);
    if (!status.ok()) return status;
    // A look needs no write lock: a waiter does not get into a writer's way.
    if (hold.look_first) {
      Row row;
      status = Read(&row);
      if (IsBusy(status) || (status.ok() && row.found)) return Status::Ok();
      if (!status.ok()) return status;
    }
    int changes = 0;
    status = Change(kInsert, hold, &changes);
    hold.look_first = changes == 0;
    if (IsBusy(status)) return Status::Ok();
    if (changes == 1) *take = Take::kTaken;
    return status.ok() || !IsThere() ? status : Status::Ok();
  }

  // Whoever may not write (another user) may read all the same who holds it.
  bool IsThere() {
    Row row;
    return Read(&row).ok() && row.found;
  }

  // Whether the file is no longer the one at the path.
  bool HasMoved() {
    int moved = 0;
    if (db_ == nullptr) return false;
    sqlite3_file_control(db_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    return moved != 0;
  }

  Status Read(Row* row) {
    *row = Row{};
    sqlite3_stmt* statement = nullptr;
    int code = Prepare(kSelect, &statement);
    // No table yet: somebody has just created the file.
    if ((code & 0xff) == SQLITE_ERROR) return Status::Ok();
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
      row->found = true;
      row->token = Column(statement, 0);
      row->record = Column(statement, 1);
      row->beat = sqlite3_column_int64(statement, 2);
    }
    sqlite3_reset(statement);
    return code == SQLITE_ROW || code == SQLITE_DONE ? Status::Ok()
                                                     : Failed("read", code);
  }

  static std::string Column(sqlite3_stmt* statement, int index) {
    const auto* text =
        reinterpret_cast<const char*>(sqlite3_column_text(statement, index));
    const int size = sqlite3_column_bytes(statement, index);
    return text == nullptr ? std::string()
                           : std::string(text, static_cast<size_t>(size));
  }

  const LockNames names_;
  const bool local_;
  std::mutex mutex_;  // guards the connection
  std::unique_ptr<sqlite3, CloseDatabase> db_;
  std::map<const char*, Statement> statements_;  // of db_: destroyed before it
};

}  // namespace

std::unique_ptr<Backend> MakeSqlite(os::Os& os, const std::string& path,
                                    const Options& options) {
  return std::make_unique<SqliteBackend>(os, path + ".lock.db", options);
}

}  // namespace lockfile
