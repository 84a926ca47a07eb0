#include "conformance/store/database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <cstring>
#include <limits>

#include "lib/errors.h"

namespace locklab::store {
namespace {

struct Advice {
  Trouble trouble;
  const char* text;
};

constexpr const char* kWhenDamaged =
    "restore it from a copy, or save what is left with "
    "`sqlite3 results.db .recover`";

int ErrnoOf(sqlite3* db) {
  return db == nullptr ? 0 : sqlite3_system_errno(db);
}

// SQLite calls many things an input or output error.
int BasicCode(sqlite3* db, int code) {
  const int basic = code & 0xff;
  if (basic != SQLITE_IOERR && basic != SQLITE_CANTOPEN) return basic;
  switch (ErrnoOf(db)) {
    case ENOSPC:
    case EDQUOT:
      return SQLITE_FULL;
    case EACCES:
    case EPERM:
    case EROFS:
      return SQLITE_READONLY;
    default:
      return basic;
  }
}

Advice AdviceFor(sqlite3* db, int code) {
  switch (BasicCode(db, code)) {
    case SQLITE_CORRUPT:
      return {Trouble::kDamaged, kWhenDamaged};
    case SQLITE_NOTADB:
      return {Trouble::kForeign,
              "this is no SQLite database: name the directory that locklab "
              "check --out=DIR wrote to"};
    case SQLITE_FULL:
      return {Trouble::kFull, "free some space and run it again"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Trouble::kBusy,
              "another process has it locked: wait for its end, or find it "
              "with `fuser results.db`"};
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return {Trouble::kReadOnly,
              "check the permissions of the file and of its directory"};
    default:
      return {Trouble::kOther, "check the disk and the directory"};
  }
}

// A missing errno says nothing; a present one says more than SQLite does.
std::string Because(sqlite3* db, int code) {
  std::string why = sqlite3_errstr(code);
  const int sys = ErrnoOf(db);
  const int basic = code & 0xff;
  if (sys != 0 && (basic == SQLITE_IOERR || basic == SQLITE_CANTOPEN ||
                   basic == SQLITE_FULL || basic == SQLITE_READONLY)) {
    why +=
        fmt::format(": {} ({})", std::strerror(sys), lockfile::ErrnoName(sys));
  }
  return why;
}

std::string UriOf(const std::string& path, const char* parameters) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#') {
      uri += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    } else {
      uri += c;
    }
  }
  return uri + parameters;
}

int FlagsFor(Database::Access access) {
  switch (access) {
    case Database::Access::kImmutable:
      return SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
    case Database::Access::kRead:
      return SQLITE_OPEN_READONLY;
    case Database::Access::kCreate:
      return SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    case Database::Access::kWrite:
      break;
  }
  return SQLITE_OPEN_READWRITE;
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Statement::Statement(Database& database, std::string_view sql)
    : database_(&database) {
  sqlite3_stmt* raw = nullptr;
  const int code =
      sqlite3_prepare_v2(database.db_.get(), sql.data(),
                         static_cast<int>(sql.size()), &raw, nullptr);
  statement_.reset(raw);
  Check(code);
}

void Statement::Check(int code) {
  if (code != SQLITE_OK) database_->Fail(code);
}

void Statement::Reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

bool Statement::Step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  database_->Fail(code);
}

void Statement::BindOne(int index, std::nullopt_t) {
  Check(sqlite3_bind_null(statement_.get(), index));
}
void Statement::BindOne(int index, int64_t value) {
  Check(sqlite3_bind_int64(statement_.get(), index, value));
}
void Statement::BindOne(int index, double value) {
  Check(sqlite3_bind_double(statement_.get(), index, value));
}
void Statement::BindOne(int index, std::string_view text) {
  // A null pointer would be NULL.
  Check(sqlite3_bind_text64(statement_.get(), index,
                            text.empty() ? "" : text.data(), text.size(),
                            SQLITE_TRANSIENT, SQLITE_UTF8));
}
void Statement::BindOne(int index, Blob blob) {
  Check(sqlite3_bind_blob64(statement_.get(), index,
                            blob.bytes.empty() ? "" : blob.bytes.data(),
                            blob.bytes.size(), SQLITE_TRANSIENT));
}

int64_t Statement::Int(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}
double Statement::Real(int column) const {
  if (IsNull(column)) return std::numeric_limits<double>::quiet_NaN();
  return sqlite3_column_double(statement_.get(), column);
}
std::string Statement::Text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return bytes == nullptr ? std::string()
                          : std::string(static_cast<const char*>(bytes),
                                        static_cast<size_t>(size));
}
bool Statement::IsNull(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

void Database::Close::operator()(sqlite3* db) const { sqlite3_close_v2(db); }

Database::Database(const std::string& path, Access access) : path_(path) {
  const std::string name =
      access == Access::kImmutable ? UriOf(path, "?immutable=1") : path;
  sqlite3* raw = nullptr;
  const int code =
      sqlite3_open_v2(name.c_str(), &raw, FlagsFor(access), nullptr);
  db_.reset(raw);
  if (code != SQLITE_OK) Fail(code);
  sqlite3_extended_result_codes(raw, 1);
  SetPatience(kPatience);
  // What is in the file was perhaps not written by us.
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  Exec("PRAGMA cell_size_check = ON; PRAGMA foreign_keys = ON");
}

void Database::SetPatience(std::chrono::milliseconds patience) {
  sqlite3_busy_timeout(db_.get(), static_cast<int>(patience.count()));
}

void Database::Exec(const char* sql) {
  const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) Fail(code);
}

std::string Database::Get(std::string_view sql) {
  Statement statement(*this, sql);
  return statement.Step() ? statement.Text(0) : "";
}

int64_t Database::GetInt(std::string_view sql) {
  Statement statement(*this, sql);
  return statement.Step() ? statement.Int(0) : 0;
}

int64_t Database::last_rowid() const {
  return sqlite3_last_insert_rowid(db_.get());
}

bool Database::HasMoved() const {
  int moved = 0;
  const int code =
      sqlite3_file_control(db_.get(), nullptr, SQLITE_FCNTL_HAS_MOVED, &moved);
  return code == SQLITE_OK && moved != 0;
}

void Database::Fail(int code) const {
  const Advice advice = AdviceFor(db_.get(), code);
  std::string why = Because(db_.get(), code);
  // A constraint or an unknown column: only SQLite knows which.
  const int basic = code & 0xff;
  if (basic == SQLITE_ERROR || basic == SQLITE_CONSTRAINT) {
    why = sqlite3_errmsg(db_.get());
  }
  throw StoreError(advice.trouble,
                   fmt::format("cannot use the results store {}: {}; {}", path_,
                               why, advice.text));
}

void Database::FailDamaged(const std::string& why) const {
  throw StoreError(Trouble::kDamaged,
                   fmt::format("the results store {} is damaged: {}; {}", path_,
                               why, kWhenDamaged));
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.Exec("ROLLBACK");
  } catch (const StoreError&) {
    // SQLite has rolled back by itself after some errors.
  }
}

void Transaction::Commit() {
  database_.Exec("COMMIT");
  open_ = false;
  if (database_.HasMoved()) {
    throw StoreError(
        Trouble::kMissing,
        fmt::format("the results store {} was removed or replaced while it was "
                    "written: what is written now is lost; leave it in place",
                    database_.path()));
  }
}

}  // namespace locklab::store
