#include "bench/sqlite_floor.h"

#include <sqlite3.h>

#include <iterator>

namespace locklab::bench {
namespace {

// As the library has it: one connection that syncs, one table with one row.
constexpr char kSetUp[] =
    "PRAGMA journal_mode=DELETE; PRAGMA synchronous=NORMAL;"
    "CREATE TABLE locks (name TEXT PRIMARY KEY, token TEXT NOT NULL, "
    "record TEXT NOT NULL, beat INTEGER NOT NULL)";

// Take it. Give it back.
constexpr const char* kStatements[] = {
    "INSERT OR IGNORE INTO locks VALUES('lock', "
    "'0123456789abcdef0123456789abcdef', "
    "'lockfile1 token=0123456789abcdef0123456789abcdef "
    "host=some-host.0123456789abcdef boot=01234567-89ab-cdef-0123-456789abcdef "
    "pidns=4026531836 timens=4026531834 pid=1234567 start=123456789 "
    "tid=1234567 since=1234567890 lease=0', 0)",
    "DELETE FROM locks WHERE token = '0123456789abcdef0123456789abcdef'",
};

class SqliteFloor final : public Floor {
 public:
  explicit SqliteFloor(const std::string& path) {
    code_ = sqlite3_open(path.c_str(), &db_);
    if (code_ == SQLITE_OK) {
      code_ = sqlite3_exec(db_, kSetUp, nullptr, nullptr, nullptr);
    }
    for (size_t i = 0; code_ == SQLITE_OK && i < std::size(kStatements); ++i) {
      code_ =
          sqlite3_prepare_v2(db_, kStatements[i], -1, &prepared_[i], nullptr);
    }
  }
  ~SqliteFloor() override {
    for (sqlite3_stmt* statement : prepared_) sqlite3_finalize(statement);
    sqlite3_close(db_);
  }
  SqliteFloor(const SqliteFloor&) = delete;
  SqliteFloor& operator=(const SqliteFloor&) = delete;

  bool Cycle() override {
    if (code_ != SQLITE_OK) return false;
    for (sqlite3_stmt* statement : prepared_) {
      const int code = sqlite3_step(statement);
      sqlite3_reset(statement);
      if (code == SQLITE_DONE) continue;
      code_ = code;
      return false;
    }
    return true;
  }

  [[nodiscard]] std::string Complaint() const override {
    return code_ == SQLITE_OK ? "" : sqlite3_errstr(code_);
  }

 private:
  sqlite3* db_ = nullptr;
  sqlite3_stmt* prepared_[std::size(kStatements)] = {};
  int code_ = SQLITE_OK;
};

}  // namespace

std::unique_ptr<Floor> MakeSqliteFloor(const std::string& dir) {
  return std::make_unique<SqliteFloor>(dir + "/resource.lock.db");
}

}  // namespace locklab::bench
