#include "conformance/store/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "conformance/store/schema_texts.h"

namespace locklab::store {
namespace {

// "table runs.run_id TEXT", ...
std::set<std::string> ColumnsOf(Database* database) {
  std::set<std::string> columns;
  Statement statement(
      *database,
      "SELECT m.type || ' ' || m.name || '.' || c.name || ' ' || c.type "
      "FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c "
      "WHERE m.type IN ('table', 'view')");
  while (statement.Step()) columns.insert(statement.Text(0));
  return columns;
}

void RequireColumns(Database* database) {
  Database fresh(":memory:", Database::Access::kCreate);
  fresh.Exec(SchemaSql());
  const std::set<std::string> there = ColumnsOf(database);
  for (const std::string& column : ColumnsOf(&fresh)) {
    if (!there.contains(column)) {
      database->FailDamaged("it has no " + column);
    }
  }
}

}  // namespace

std::span<const Migration> Migrations() {
  // Version 1 is the first.
  static constexpr Migration kSteps[] = {
      {2,
       "CREATE TABLE crash_points ("
       "entry INTEGER PRIMARY KEY, run INTEGER NOT NULL, backend TEXT NOT "
       "NULL, point TEXT NOT NULL, waiters INTEGER NOT NULL, call TEXT NOT "
       "NULL, verdict TEXT NOT NULL, reason TEXT NOT NULL, recovery_ns "
       "INTEGER, FOREIGN KEY (run, backend) REFERENCES backends (run, name) "
       "ON DELETE CASCADE) STRICT;"
       "CREATE INDEX crash_points_of_backend ON crash_points (run, backend)"},
      {3, "ALTER TABLE runs ADD COLUMN variant TEXT NOT NULL DEFAULT ''"},
      {4,
       "ALTER TABLE runs ADD COLUMN kind TEXT NOT NULL DEFAULT 'check';"
       "CREATE TABLE measured (entry INTEGER PRIMARY KEY, run INTEGER NOT "
       "NULL REFERENCES runs ON DELETE CASCADE, backend TEXT NOT NULL, verdict "
       "TEXT NOT NULL, reason TEXT NOT NULL, UNIQUE (run, backend)) STRICT;"
       "CREATE TABLE series (series INTEGER PRIMARY KEY, run INTEGER NOT NULL "
       "REFERENCES runs ON DELETE CASCADE, backend TEXT NOT NULL, measure TEXT "
       "NOT NULL, unit TEXT NOT NULL, buckets BLOB NOT NULL, "
       "UNIQUE (run, backend, measure)) STRICT;"
       "CREATE INDEX series_over_runs ON series (backend, measure, run);"
       "CREATE TABLE samples (series INTEGER NOT NULL REFERENCES series ON "
       "DELETE CASCADE, sample INTEGER NOT NULL, value REAL NOT NULL, "
       "PRIMARY KEY (series, sample)) STRICT, WITHOUT ROWID"},
  };
  return kSteps;
}

const char* SchemaSql() {
  static const std::string sql(SchemaTexts().front().text);
  return sql.c_str();
}

void Migrate(Database* database, std::span<const Migration> migrations,
             int target) {
  Transaction transaction(*database);
  // Another process may have done it while this one waited.
  int64_t version = database->GetInt("PRAGMA user_version");
  for (const Migration& step : migrations) {
    if (step.to != version + 1 || step.to > target) continue;
    database->Exec(step.sql);
    version = step.to;
  }
  if (version < target) {
    database->FailDamaged(fmt::format(
        "its schema is {}, from which no way leads to {}", version, target));
  }
  if (!database->Get("PRAGMA foreign_key_check").empty()) {
    database->FailDamaged("it has rows whose run is missing");
  }
  database->Exec(fmt::format("PRAGMA user_version = {}", version).c_str());
  transaction.Commit();
}

int CheckSchema(Database* database) {
  const auto id = database->GetInt("PRAGMA application_id");
  const auto version = database->GetInt("PRAGMA user_version");
  if (id != kApplicationId) {
    throw StoreError(
        Trouble::kForeign,
        fmt::format("{} is a database of another program (application_id "
                    "{:#x}), not a results store: name another directory",
                    database->path(), id));
  }
  if (version > kSchemaVersion) {
    throw StoreError(
        Trouble::kNewer,
        fmt::format("the results store {} was made by a newer locklab: it has "
                    "schema {}, and this one reads up to {}; use the newer "
                    "locklab",
                    database->path(), version, kSchemaVersion));
  }
  if (version < 1) {
    database->FailDamaged(fmt::format("it says it has schema {}", version));
  }
  if (version == kSchemaVersion) RequireColumns(database);
  return static_cast<int>(version);
}

}  // namespace locklab::store
