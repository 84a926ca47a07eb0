#include "conformance/store/schema.h"

#include <gtest/gtest.h>

#include <string>

#include "conformance/proc/temp_dir.h"
#include "conformance/store/store.h"

namespace locklab::store {
namespace {

Database Fresh(const proc::TempDir& dir) {
  Database database(dir / "results.db", Database::Access::kCreate);
  database.Exec(SchemaSql());
  return database;
}

TEST(SchemaTest, SaysWhatItIs) {
  const proc::TempDir dir;
  Database database = Fresh(dir);
  EXPECT_EQ(CheckSchema(&database), kSchemaVersion);
  EXPECT_EQ(database.GetInt("PRAGMA application_id"), kApplicationId);
  EXPECT_EQ(Migrations().size(), size_t{kSchemaVersion - 1});
}

TEST(SchemaTest, DocumentsEveryTable) {
  const std::string sql = SchemaSql();
  size_t at = 0;
  int tables = 0;
  while ((at = sql.find("CREATE TABLE", at)) != std::string::npos) {
    const size_t line = sql.rfind('\n', at - 2) + 1;
    EXPECT_EQ(sql.substr(line, 3), "-- ") << sql.substr(at, 40);
    ++tables;
    ++at;
  }
  EXPECT_GT(tables, 10);
}

TEST(SchemaTest, MissesWhatIsMissing) {
  const proc::TempDir dir;
  Database database = Fresh(dir);
  database.Exec("ALTER TABLE claims RENAME COLUMN evidence TO proof");
  try {
    CheckSchema(&database);
    FAIL();
  } catch (const StoreError& error) {
    EXPECT_EQ(error.trouble(), Trouble::kDamaged);
    EXPECT_NE(std::string(error.what()).find("claims.evidence"),
              std::string::npos)
        << error.what();
  }
}

// Steps that are yet to come.
constexpr Migration kSteps[] = {
    {5, "ALTER TABLE runs ADD COLUMN weather TEXT NOT NULL DEFAULT 'fair'"},
    {6, "UPDATE runs SET weather = 'dry'"},
    {7, "CREATE TABLE rooms (number INTEGER) STRICT"},
};

// What a store of version 1 was: the same without the crash points, without the
// filesystems of the lab, and without benchmarks.
TEST(SchemaTest, TakesAnOldStoreToWhatANewOneIs) {
  const proc::TempDir dir;
  const std::string all =
      "SELECT group_concat(name || ' ' || type) FROM (SELECT * FROM "
      "pragma_table_info('crash_points'))";
  Database database = Fresh(dir);
  const std::string columns = database.Get(all.c_str());
  database.Exec("DROP TABLE crash_points");
  database.Exec("ALTER TABLE runs DROP COLUMN variant");
  database.Exec("ALTER TABLE runs DROP COLUMN kind");
  database.Exec("DROP TABLE samples; DROP TABLE series; DROP TABLE measured");
  database.Exec("PRAGMA user_version = 1");
  EXPECT_EQ(CheckSchema(&database), 1);
  Migrate(&database, Migrations(), kSchemaVersion);
  EXPECT_EQ(CheckSchema(&database), kSchemaVersion);
  EXPECT_EQ(database.Get(all.c_str()), columns);
  EXPECT_EQ(database.Get("SELECT name FROM sqlite_schema WHERE type = 'index' "
                         "AND tbl_name = 'crash_points'"),
            "crash_points_of_backend");
  EXPECT_EQ(database.Get("SELECT name FROM sqlite_schema WHERE type = 'index' "
                         "AND tbl_name = 'series' AND sql IS NOT NULL"),
            "series_over_runs");
}

TEST(SchemaTest, MigratesStepByStep) {
  const proc::TempDir dir;
  Database database = Fresh(dir);
  Migrate(&database, kSteps, 6);
  EXPECT_EQ(database.GetInt("PRAGMA user_version"), 6);
  EXPECT_EQ(database.Get("SELECT count(*) FROM sqlite_schema "
                         "WHERE name = 'rooms'"),
            "0");
  Migrate(&database, kSteps, 7);
  EXPECT_EQ(database.GetInt("PRAGMA user_version"), 7);
  EXPECT_EQ(database.Get("SELECT count(*) FROM rooms"), "0");
  // Somebody else was quicker.
  Migrate(&database, kSteps, 7);
}

constexpr Migration kBroken[] = {
    {5, "CREATE TABLE half (number INTEGER) STRICT"},
    {6, "INSERT INTO no_such_table VALUES (1)"},
};
constexpr Migration kOrphaning[] = {
    {5, "INSERT INTO missing (run, what) VALUES (7, 'a run')"},
};

TEST(SchemaTest, MigratesWhollyOrNotAtAll) {
  for (const std::span<const Migration> steps :
       {std::span<const Migration>(kBroken),
        std::span<const Migration>(kOrphaning),
        std::span<const Migration>(kSteps, 2)}) {
    const proc::TempDir dir;
    Database database = Fresh(dir);
    database.Exec("PRAGMA foreign_keys = OFF");
    const std::string before =
        database.Get("SELECT group_concat(sql) FROM sqlite_schema");
    EXPECT_THROW(Migrate(&database, steps, 5 + (steps.size() > 1 ? 2 : 0)),
                 StoreError);
    EXPECT_EQ(database.GetInt("PRAGMA user_version"), kSchemaVersion);
    EXPECT_EQ(database.Get("SELECT group_concat(sql) FROM sqlite_schema"),
              before);
  }
}

TEST(SchemaTest, HasNoWayFromNowhere) {
  const proc::TempDir dir;
  Database database = Fresh(dir);
  EXPECT_THROW(Migrate(&database, {}, kSchemaVersion + 1), StoreError);
  EXPECT_EQ(database.GetInt("PRAGMA user_version"), kSchemaVersion);
}

}  // namespace
}  // namespace locklab::store
