// SQLite itself, on this filesystem, with several processes.
#include <sqlite3.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "conformance/claims/families.h"
#include "conformance/claims/fs_kit.h"
#include "conformance/proc/barrier.h"

namespace locklab::claims {
namespace {

constexpr int kWriters = 4;

// For whoever is alone: it has nobody to wait for but itself, where a
// filesystem keeps a process from what the same process has locked.
const auto kAlone = proc::Patient(500ms);

// Waits shortly and often: SQLite's own handler sleeps up to 100 ms at once.
int OnBusy(void* deadline, int) {
  if (proc::Clock::now() > *static_cast<proc::TimePoint*>(deadline)) return 0;
  std::this_thread::sleep_for(300us);
  return 1;
}

// A connection whose calls end the body where they fail.
class Database {
 public:
  explicit Database(const std::string& path) {
    const int code = sqlite3_open(path.c_str(), &raw_);
    if (code != SQLITE_OK) Fail(Message("open", code));
    sqlite3_busy_handler(raw_, OnBusy, &deadline_);
    Run("PRAGMA synchronous=OFF");
  }
  ~Database() { sqlite3_close(raw_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Gives the first column of the last row.
  std::string Run(const std::string& sql, nanoseconds patience = kSoon) {
    deadline_ = proc::In(patience);
    std::string value;
    const int code =
        sqlite3_exec(raw_, sql.c_str(), KeepFirst, &value, nullptr);
    if (code != SQLITE_OK) Fail(Message(sql, code));
    return value;
  }

 private:
  static int KeepFirst(void* value, int columns, char** texts, char**) {
    if (columns > 0 && texts[0] != nullptr) {
      *static_cast<std::string*>(value) = texts[0];
    }
    return 0;
  }

  [[nodiscard]] std::string Message(const std::string& what, int code) const {
    return "SQLite: " + what + ": " + sqlite3_errmsg(raw_) + " (" +
           sqlite3_errstr(code) + ")";
  }

  sqlite3* raw_ = nullptr;
  proc::TimePoint deadline_;
};

// What the writers have in common.
struct Desk {
  proc::Barrier start;
  std::atomic<bool> failed;
  char reason[512];
};

// Each reads the counter and writes it back, increased.
int Write(const std::string& path, int increments, Desk* desk) {
  try {
    Database database(path);
    if (!desk->start.ArriveAndWait(proc::In(kSoon))) return 1;
    for (int i = 0; i < increments; ++i) {
      database.Run("BEGIN IMMEDIATE");
      const std::string value = database.Run("SELECT value FROM counter");
      // Without it all of these would fit into one turn on the processor.
      std::this_thread::sleep_for(50us);
      database.Run("UPDATE counter SET value=" +
                   std::to_string(std::stoll(value) + 1));
      database.Run("COMMIT");
    }
    return 0;
  } catch (const Finding& finding) {
    if (!desk->failed.exchange(true)) {
      finding.reason.copy(desk->reason, sizeof desk->reason - 1);
    }
    return 1;
  }
}

// Dies within a transaction, which must then not have been.
void DieWriting(const std::string& path) {
  Observer victim([&path](int64_t) -> int64_t {
    static Database database(path);
    database.Run("BEGIN IMMEDIATE");
    database.Run("UPDATE counter SET value=1000000");
    return 0;
  });
  victim.Ask(0);
  victim.Kill();
}

Finding Count(const ClaimContext& context, const std::string& mode) {
  const std::string path = context.dir + "/count.db";
  const std::string there = OtherSide(context) + "/count.db";
  const bool wal = mode == "wal";
  {
    Database database(path);
    const std::string got = database.Run("PRAGMA journal_mode=" + mode, kAlone);
    if (got != mode) {
      Unsupported("SQLite keeps to the journal mode \"" + got + "\" here");
    }
    database.Run("CREATE TABLE counter(value); INSERT INTO counter VALUES(0)",
                 kAlone);
  }
  Step("a process dies within a transaction");
  DieWriting(path);
  const int increments = context.quick ? 25 : 1000;
  Step("processes increment a counter");
  const proc::Shared<Desk> desk;
  desk->start.Init(kWriters);
  std::vector<proc::Child> writers;
  for (int i = 0; i < kWriters; ++i) {
    // Memory is not shared between mounts, so that a WAL cannot be.
    const std::string& side = i % 2 == 0 || wal ? path : there;
    writers.push_back(
        proc::Child::Spawn([&] { return Write(side, increments, &*desk); }));
  }
  std::string trouble;
  for (proc::Child& writer : writers) {
    const auto end = writer.Wait(proc::kForever);
    if (!end->ok()) trouble = end->Describe();
  }
  if (desk->failed) Fail(desk->reason);
  if (!trouble.empty()) Inconclusive("a process that used SQLite " + trouble);
  Database database(path);
  const std::string sound = database.Run("PRAGMA integrity_check");
  Expect(sound == "ok", "SQLite's database is corrupt: " + sound);
  const int all = kWriters * increments;
  const std::string value = database.Run("SELECT value FROM counter");
  Expect(value == std::to_string(all),
         std::to_string(kWriters) + " processes incremented SQLite's counter " +
             std::to_string(all) + " times, and it is " + value);
  return Finding::Pass(std::to_string(kWriters) + " processes, " +
                       std::to_string(all) +
                       " transactions, none lost; one that died left nothing");
}

Finding SqliteLocking(const ClaimContext& context) {
  return Count(context, "delete");
}

Finding SqliteWal(const ClaimContext& context) { return Count(context, "wal"); }

constexpr auto kRows = std::to_array<Claim>({
    {.id = "fs.sqlite_locking_works",
     .level = Level::kMust,
     .statement = "processes that count in one SQLite database lose no "
                  "increment, also after one died in a transaction",
     .source = "sqlite.org/lockingv3.html; sqlite.org/howtocorrupt.html, 2.1",
     .excuse = nullptr,
     .body = SqliteLocking,
     .primitive = true,
     .carries = "sqlite"},
    {.id = "fs.sqlite_wal_works",
     .level = Level::kReport,
     .statement = "the same with a write-ahead log, whose index is memory that "
                  "processes share",
     .source = "sqlite.org/wal.html: not over a network filesystem",
     .excuse = nullptr,
     .body = SqliteWal,
     .primitive = true},
});

}  // namespace

std::span<const Claim> FsSqliteClaims() { return kRows; }

}  // namespace locklab::claims
