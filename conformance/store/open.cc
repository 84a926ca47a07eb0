// Finding, making and opening the database.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "conformance/proc/filesystem.h"
#include "conformance/proc/poll_until.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/store/schema.h"
#include "conformance/store/store.h"
#include "lib/errors.h"

namespace locklab::store {
namespace {

std::string FileIn(const std::string& dir) {
  return dir + "/" + std::string(kFileName);
}

Trouble TroubleOf(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return Trouble::kMissing;
    case EACCES:
    case EPERM:
    case EROFS:
      return Trouble::kReadOnly;
    case ENOSPC:
    case EDQUOT:
      return Trouble::kFull;
    default:
      return Trouble::kOther;
  }
}

[[noreturn]] void FailSystem(const char* what, const std::string& path,
                             int error) {
  throw StoreError(TroubleOf(error),
                   lockfile::Status::Failed(what, path, error).message);
}

// Opening a FIFO would wait for ever, and SQLite takes an empty file for a new
// database. False: there is nothing.
bool IsThere(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return false;
    FailSystem("find the results store", path, errno);
  }
  if (!S_ISREG(info.st_mode)) {
    throw StoreError(
        Trouble::kForeign,
        fmt::format("{} is no file, so it is no results store: remove it, or "
                    "name another directory",
                    path));
  }
  if (info.st_size == 0) {
    throw StoreError(
        Trouble::kDamaged,
        fmt::format("{} is empty, and a results store never is: perhaps a copy "
                    "broke off; restore it, or remove it to begin anew",
                    path));
  }
  return true;
}

// SQLite's name of it: see store.h.
std::string NameOf(Journal journal, const std::string& dir) {
  const bool rollback = journal == Journal::kThatFits
                            ? proc::MayBeShared(proc::FilesystemOf(dir).type)
                            : journal == Journal::kRollback;
  return rollback ? "delete" : "wal";
}

// The mode is a property of the file, and it cannot be changed while others
// have it open: then it stays as it is for now.
void SetJournal(Database* database, const std::string& journal) {
  const auto set = [&] {
    if (database->Get("PRAGMA journal_mode") == journal) return true;
    try {
      return database->Get("PRAGMA journal_mode = " + journal) == journal;
    } catch (const StoreError& error) {
      if (error.trouble() != Trouble::kBusy) throw;
      return false;
    }
  };
  proc::Eventually(set, proc::In(std::chrono::seconds(1)),
                   std::chrono::milliseconds(10));
  // What is committed survives SIGKILL in either mode; of a power cut NORMAL
  // in WAL mode may lose the last rows, but it does not make the disk that is
  // perhaps being measured wait for each of them.
  const bool wal = database->Get("PRAGMA journal_mode") == "wal";
  database->Exec(wal ? "PRAGMA synchronous = NORMAL"
                     : "PRAGMA synchronous = FULL");
}

// Gives `from` the name `to` unless there is one: 0 or an errno.
int MoveIfFree(const std::string& from, const std::string& to) {
  if (syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(),
              1 /* RENAME_NOREPLACE */) == 0) {
    return 0;
  }
  if (errno == EEXIST) return EEXIST;
  if (link(from.c_str(), to.c_str()) == 0) return 0;
  if (errno == EEXIST) return EEXIST;
  // Neither is to be had here: two who begin at the same moment may collide,
  // and SQLite would tell the second that its file was moved.
  return rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

// Made aside and moved into place whole, so that nobody ever sees half of it,
// however many begin at once and whenever they die.
void Create(const std::string& dir, const std::string& journal) try {
  proc::SweepDead(dir);
  const proc::TempDir aside(dir);
  const std::string made = aside / std::string(kFileName);
  {
    Database database(made, Database::Access::kCreate);
    database.Exec("PRAGMA page_size = 4096");
    SetJournal(&database, journal);
    Transaction transaction(database);
    database.Exec(SchemaSql());
    transaction.Commit();
  }
  const int error = MoveIfFree(made, FileIn(dir));
  if (error != 0 && error != EEXIST) {
    FailSystem("make the results store", FileIn(dir), error);
  }
} catch (const std::system_error& error) {
  FailSystem("make a results store in", dir, error.code().value());
}

Database OpenToWrite(const std::string& dir, Journal wanted) {
  const std::string path = FileIn(dir);
  if (mkdir(dir.c_str(), 0777) != 0 && errno != EEXIST) {
    FailSystem("make the results directory", dir, errno);
  }
  // SQLite needs to make files beside it, and says little when it cannot.
  if (access(dir.c_str(), W_OK | X_OK) != 0) {
    FailSystem("write in the results directory", dir, errno);
  }
  const std::string journal = NameOf(wanted, dir);
  if (!IsThere(path)) Create(dir, journal);
  Database database(path, Database::Access::kWrite);
  if (CheckSchema(&database) < kSchemaVersion) {
    Migrate(&database, Migrations(), kSchemaVersion);
    CheckSchema(&database);
  }
  SetJournal(&database, journal);
  // Says at once what would be said when the first run is stored.
  Transaction(database).Commit();
  return database;
}

bool IsEmptyOrMissing(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) != 0 || info.st_size == 0;
}

// A database in WAL mode needs files beside it, which a read-only disk does
// not let SQLite make. Without a log or a journal there is nothing to miss.
bool NobodyCanWrite(const std::string& path) {
  const std::string dir = path.substr(0, path.rfind('/'));
  return IsEmptyOrMissing(path + "-wal") &&
         IsEmptyOrMissing(path + "-journal") && access(dir.c_str(), W_OK) != 0;
}

// A writer that was killed left a journal: whoever may write rolls it back.
void Recover(const std::string& path) {
  Database database(path, Database::Access::kWrite);
  CheckSchema(&database);
}

Database OpenToRead(const std::string& dir) {
  const std::string path = FileIn(dir);
  if (!IsThere(path)) {
    struct stat info {};
    throw StoreError(
        Trouble::kMissing,
        fmt::format("there is no results store in {} ({}): name the directory "
                    "that locklab check --out=DIR wrote to",
                    dir,
                    stat(dir.c_str(), &info) == 0
                        ? "it has no " + std::string(kFileName)
                        : "there is no such directory"));
  }
  try {
    Database database(path, Database::Access::kRead);
    if (CheckSchema(&database) == kSchemaVersion) return database;
  } catch (const StoreError& error) {
    const bool stuck = error.trouble() == Trouble::kReadOnly;
    if (!stuck && !NobodyCanWrite(path)) throw;
    if (stuck && access(dir.c_str(), W_OK) == 0) Recover(path);
    Database database(path, NobodyCanWrite(path) ? Database::Access::kImmutable
                                                 : Database::Access::kRead);
    if (CheckSchema(&database) == kSchemaVersion) return database;
  }
  // An older one: it has to be migrated.
  return OpenToWrite(dir, Journal::kThatFits);
}

}  // namespace

Store Store::Open(const std::string& dir, Mode mode, Journal journal) {
  return {dir,
          mode == Mode::kRead ? OpenToRead(dir) : OpenToWrite(dir, journal)};
}

void Store::QuickCheck() {
  const std::string found = database_.Get("PRAGMA quick_check(1)");
  if (found != "ok") database_.FailDamaged(found);
}

std::string RunDirectory(const std::string& dir, std::string_view run_id) {
  return fmt::format("{}/runs/{}", dir, run_id);
}

}  // namespace locklab::store
