// SQLite as the store uses it: errors are exceptions, text is of any bytes,
// every change is a transaction.
//
// Threads: one Database is used by one thread at a time. Fork: a child must
// not use, close or destroy its parent's Database; children that end through
// _exit (proc::Child) may inherit it.
#ifndef LOCKLAB_CONFORMANCE_STORE_DATABASE_H_
#define LOCKLAB_CONFORMANCE_STORE_DATABASE_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "conformance/store/store_error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace locklab::store {

// How long a step waits for another process that has the database locked.
inline constexpr std::chrono::seconds kPatience{30};

struct Blob {
  std::string_view bytes;
};

class Database;

// One statement; its columns are read after Step() returned true.
class Statement {
 public:
  Statement(Database& database, std::string_view sql);
  // All parameters, in their order; what was bound before is forgotten.
  template <typename... T>
  Statement& Bind(const T&... values) {
    Reset();
    int index = 0;
    (BindOne(++index, values), ...);
    return *this;
  }
  // False: there are no more rows.
  bool Step();

  [[nodiscard]] int64_t Int(int column) const;
  [[nodiscard]] bool Bool(int column) const { return Int(column) != 0; }
  // NULL is not a number, as it was not when it was bound.
  [[nodiscard]] double Real(int column) const;
  [[nodiscard]] std::string Text(int column) const;  // or blob
  [[nodiscard]] bool IsNull(int column) const;

 private:
  void Reset();
  void BindOne(int index, std::nullopt_t);
  void BindOne(int index, int64_t value);
  void BindOne(int index, int value) { BindOne(index, int64_t{value}); }
  void BindOne(int index, bool value) { BindOne(index, int64_t{value}); }
  void BindOne(int index, double value);
  void BindOne(int index, std::string_view text);
  void BindOne(int index, const std::string& text) {
    BindOne(index, std::string_view(text));
  }
  void BindOne(int index, const char* text) {
    BindOne(index, std::string_view(text));
  }
  void BindOne(int index, Blob blob);
  template <typename T>
  void BindOne(int index, const std::optional<T>& value) {
    value ? BindOne(index, *value) : BindOne(index, std::nullopt);
  }
  void Check(int code);

  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  Database* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Database {
 public:
  enum class Access {
    kRead,
    kWrite,
    kCreate,     // makes the file if it is not there
    kImmutable,  // nobody else can change it: it lies on a read-only disk
  };
  // Throws StoreError, as all of it does.
  Database(const std::string& path, Access access);

  // How long each step waits for others from now on; kPatience before that.
  void SetPatience(std::chrono::milliseconds patience);

  // One or more statements without parameters and results.
  void Exec(const char* sql);
  // One statement with parameters and no results.
  template <typename... T>
  void Run(std::string_view sql, const T&... values) {
    Statement statement(*this, sql);
    statement.Bind(values...);
    while (statement.Step()) {
    }
  }
  // The first column of the first row, as text; "" if there is none.
  std::string Get(std::string_view sql);
  int64_t GetInt(std::string_view sql);
  [[nodiscard]] int64_t last_rowid() const;

  // Whether the file at the path is no longer the one that is open.
  [[nodiscard]] bool HasMoved() const;
  [[nodiscard]] const std::string& path() const { return path_; }
  // Throws the StoreError that stands for an SQLite result code.
  [[noreturn]] void Fail(int code) const;
  [[noreturn]] void FailDamaged(const std::string& why) const;

 private:
  friend class Statement;
  struct Close {
    void operator()(sqlite3* db) const;
  };
  std::string path_;
  std::unique_ptr<sqlite3, Close> db_;
};

// Everything in it or nothing. Takes the write lock at once, so that it cannot
// find out at its end that another was quicker.
class Transaction {
 public:
  explicit Transaction(Database& database) : database_(database) {
    database_.Exec("BEGIN IMMEDIATE");
  }
  // Rolls back what was not committed.
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  // Throws StoreError, also when the database was removed or replaced: then
  // what was written can be found by nobody.
  void Commit();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace locklab::store

#endif  // LOCKLAB_CONFORMANCE_STORE_DATABASE_H_
