// The schema of the store, and the way from older ones to it.
#ifndef LOCKLAB_CONFORMANCE_STORE_SCHEMA_H_
#define LOCKLAB_CONFORMANCE_STORE_SCHEMA_H_

#include <span>
#include <string>

#include "conformance/store/database.h"

namespace locklab::store {

// PRAGMA user_version of schema.sql.
inline constexpr int kSchemaVersion = 4;
// PRAGMA application_id of schema.sql: "LKLB".
inline constexpr int kApplicationId = 0x4c4b4c42;

// One step: what makes a store of version `to - 1` one of version `to`.
struct Migration {
  int to;
  const char* sql;
};
// THE TABLE, oldest first.
[[nodiscard]] std::span<const Migration> Migrations();

// schema.sql as it was when the program was built.
[[nodiscard]] const char* SchemaSql();

// Takes an older store to version `target` in one transaction: all of it or
// nothing. Another process may be at it at the same time. Throws StoreError.
void Migrate(Database* database, std::span<const Migration> migrations,
             int target);

// Throws StoreError unless the database is a store of kSchemaVersion or older,
// with the tables and columns that it must have. Returns its version.
int CheckSchema(Database* database);

}  // namespace locklab::store

#endif  // LOCKLAB_CONFORMANCE_STORE_SCHEMA_H_
