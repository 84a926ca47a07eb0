// Stores that are not as they should be: told clearly, and never worse.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <sstream>
#include <string>

#include "conformance/proc/child.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/report/json.h"
#include "conformance/report/sample.h"
#include "conformance/store/run_writer.h"
#include "conformance/store/schema.h"
#include "conformance/store/store.h"

namespace locklab::store {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using report::RunReport;

RunReport Sample(const std::string& run_id) {
  RunReport report = report::FullReport();
  report.context.run_id = run_id;
  return report;
}

std::string Save(const std::string& dir, const std::string& run_id) {
  RunWriter writer(dir);
  const RunReport report = Sample(run_id);
  writer.Begin(report.context);
  writer.End(report);
  return writer.error();
}

std::string Whole(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void Put(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// What is wrong with reading all of it, if anything.
std::optional<StoreError> Read(const std::string& dir) {
  try {
    Store store = Store::Open(dir, Mode::kRead);
    store.QuickCheck();
    for (const RunSummary& run : ListRuns(&store)) {
      (void)LoadRun(&store, run.run_id);
    }
  } catch (const StoreError& error) {
    return error;
  }
  return std::nullopt;
}

std::optional<StoreError> Write(const std::string& dir) {
  try {
    (void)Store::Open(dir, Mode::kWrite);
  } catch (const StoreError& error) {
    return error;
  }
  return std::nullopt;
}

struct BadCase {
  const char* name;
  std::function<void(const std::string& path)> make;  // of results.db
  Trouble trouble;
  const char* says;
};

void MakeDatabase(const std::string& path, const char* sql) {
  Database database(path, Database::Access::kCreate);
  database.Exec(sql);
}

const BadCase kBadCases[] = {
    {"empty", [](const std::string& path) { Put(path, ""); }, Trouble::kDamaged,
     "is empty"},
    {"text", [](const std::string& path) { Put(path, std::string(9999, 'x')); },
     Trouble::kForeign, "this is no SQLite database"},
    {"a directory", [](const std::string& path) { fs::create_directory(path); },
     Trouble::kForeign, "is no file"},
    {"a FIFO",
     [](const std::string& path) { ASSERT_EQ(mkfifo(path.c_str(), 0600), 0); },
     Trouble::kForeign, "is no file"},
    {"another program's",
     [](const std::string& path) { MakeDatabase(path, "CREATE TABLE t (x)"); },
     Trouble::kForeign, "another program"},
    {"of a newer one",
     [](const std::string& path) {
       MakeDatabase(path, SchemaSql());
       MakeDatabase(path, "PRAGMA user_version = 99");
     },
     Trouble::kNewer, "it has schema 99, and this one reads up to 4"},
    {"of no schema",
     [](const std::string& path) {
       MakeDatabase(path, SchemaSql());
       MakeDatabase(path, "PRAGMA user_version = 0");
     },
     Trouble::kDamaged, "schema 0"},
    {"with other tables",
     [](const std::string& path) {
       MakeDatabase(path, SchemaSql());
       MakeDatabase(path, "DROP TABLE canary; CREATE VIEW canary AS SELECT 1");
     },
     Trouble::kDamaged, "it has no table canary"},
};

TEST(BadStoreTest, IsToldForWhatItIsAndLeftAlone) {
  for (const BadCase& bad : kBadCases) {
    SCOPED_TRACE(bad.name);
    const proc::TempDir dir;
    bad.make(dir / "results.db");
    const std::string before = fs::is_regular_file(dir / "results.db")
                                   ? Whole(dir / "results.db")
                                   : "";
    for (const auto& open : {Read, Write}) {
      const auto error = open(dir.path());
      ASSERT_TRUE(error);
      EXPECT_EQ(error->trouble(), bad.trouble) << error->what();
      EXPECT_NE(std::string(error->what()).find(bad.says), std::string::npos)
          << error->what();
      EXPECT_NE(std::string(error->what()).find(dir.path()), std::string::npos)
          << error->what();
    }
    if (!before.empty()) {
      EXPECT_EQ(Whole(dir / "results.db"), before);
    }
  }
}

TEST(BadStoreTest, AMissingOneIsMissingOnlyToReaders) {
  const proc::TempDir dir;
  EXPECT_EQ(Read(dir / "no")->trouble(), Trouble::kMissing);
  EXPECT_EQ(Read(dir.path())->trouble(), Trouble::kMissing);
  EXPECT_TRUE(fs::is_empty(dir.path())) << "a reader made something";
  EXPECT_FALSE(Write(dir / "new"));
  EXPECT_EQ(Write(dir / "no/parent")->trouble(), Trouble::kMissing);
}

// Every page in turn; then ends that are too early.
TEST(BadStoreTest, DamageIsSeenOrHarmless) {
  const uint64_t seed = std::random_device{}();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  const proc::TempDir dir;
  ASSERT_EQ(Save(dir.path(), "run"), "");
  const std::string path = dir / "results.db";
  const std::string sound = Whole(path);
  constexpr size_t kPage = 4096;
  ASSERT_GT(sound.size(), 10 * kPage);
  int seen = 0;
  int pages = 0;
  for (size_t page = 0; page < sound.size(); page += kPage, ++pages) {
    std::string bad = sound;
    for (size_t i = page; i < page + kPage; ++i) {
      bad[i] = static_cast<char>(random());
    }
    Put(path, bad);
    // In a process of its own: it may neither crash nor hang.
    proc::Child child = proc::Child::Spawn([&] {
      const auto error = Read(dir.path());
      return error ? 1 : 0;
    });
    const auto end = child.Wait(proc::In(20s));
    ASSERT_TRUE(end && end->signal == 0 && end->code <= 1)
        << "page " << page / kPage << ", seed " << seed << ": "
        << (end ? end->Describe() : "hangs");
    seen += end->code;
  }
  EXPECT_EQ(seen, pages) << "random pages were taken for data";
  for (int i = 0; i < 20; ++i) {
    Put(path, sound.substr(0, random() % sound.size()));
    EXPECT_TRUE(Read(dir.path())) << "seed " << seed;
  }
  Put(path, sound);
  EXPECT_FALSE(Read(dir.path()));
}

TEST(BadStoreTest, RemovedWhileItIsWrittenIsALoss) {
  const proc::TempDir dir;
  const RunReport report = Sample("run");
  RunWriter writer(dir.path());
  writer.Begin(report.context);
  EXPECT_EQ(writer.error(), "");
  fs::remove_all(dir.path());
  for (const auto& backend : report.backends) writer.Probed(backend);
  EXPECT_NE(writer.error().find("removed or replaced"), std::string::npos)
      << writer.error();
  writer.End(report);
  EXPECT_NE(writer.error(), "");
  fs::create_directory(dir.path());
}

TEST(BadStoreTest, ARunTwiceIsALossOfTheSecondAlone) {
  const proc::TempDir dir;
  ASSERT_EQ(Save(dir.path(), "run"), "");
  const std::string error = Save(dir.path(), "run");
  EXPECT_NE(error.find("run_id"), std::string::npos) << error;
  EXPECT_FALSE(Read(dir.path()));
}

// Root may do everything; without capabilities it is a user like any other.
int AsOrdinaryUser(const std::function<int()>& body) {
  proc::Child child = proc::Child::Spawn([&] {
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) return 99;
    return body();
  });
  const auto end = child.Wait(proc::In(30s));
  return end && end->signal == 0 ? end->code : -1;
}

TEST(BadStoreTest, OthersMayReadWhatTheyMayNotWrite) {
  // Others have to come by.
  const proc::TempDir dir("/tmp");
  chmod(dir.path().c_str(), 0755);
  const std::string results = dir / "results";
  ASSERT_EQ(Save(results, "run"), "");
  chmod(results.c_str(), 0555);
  chmod((results + "/results.db").c_str(), 0444);
  EXPECT_EQ(AsOrdinaryUser([&] {
              const auto error = Read(results);
              if (error) std::puts(error->what());
              return error ? 1 : 0;
            }),
            0);
  EXPECT_EQ(AsOrdinaryUser([&] {
              const auto error = Write(results);
              if (error) std::puts(error->what());
              return error && error->trouble() == Trouble::kReadOnly ? 0 : 1;
            }),
            0);
  chmod((results + "/results.db").c_str(), 0000);
  EXPECT_EQ(AsOrdinaryUser([&] {
              const auto error = Read(results);
              return error && error->trouble() == Trouble::kReadOnly ? 0 : 1;
            }),
            0);
  chmod(results.c_str(), 0755);
}

// A small filesystem that this test's processes alone see.
class DiskTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(disk_);
    const bool mounted =
        unshare(CLONE_NEWNS) == 0 &&
        mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
        mount("tmpfs", disk_.c_str(), "tmpfs", 0, "size=1m") == 0;
    if (!mounted) GTEST_SKIP() << "mounting is not permitted here";
  }
  void TearDown() override { umount2(disk_.c_str(), MNT_DETACH); }

  void Fill() {
    std::ofstream filler(disk_ + "/filler");
    while (filler.put('f').flush()) {
    }
  }

  proc::TempDir dir_;
  const std::string disk_ = dir_ / "disk";
};

TEST_F(DiskTest, AFullOneLosesNothingThatWasStored) {
  ASSERT_EQ(Save(disk_, "early"), "");
  const RunReport report = Sample("late");
  RunWriter writer(disk_);
  writer.Begin(report.context);
  ASSERT_EQ(writer.error(), "");
  Fill();
  for (const auto& backend : report.backends) {
    writer.Probed(backend);
    for (int i = 0; i < 1000; ++i) {
      for (const auto& claim : backend.claims) {
        writer.ClaimExamined(backend.name, claim);
      }
      if (!writer.error().empty()) break;
    }
  }
  EXPECT_NE(writer.error().find("free some space"), std::string::npos)
      << writer.error();
  writer.End(report);
  EXPECT_NE(writer.error(), "");
  EXPECT_NE(Write(disk_ + "/another")->what(), std::string());
  EXPECT_FALSE(Read(disk_));
  Store store = Store::Open(disk_, Mode::kRead);
  EXPECT_EQ(ToJson(LoadRun(&store, "early")), ToJson(Sample("early")));
  EXPECT_EQ(ListRuns(&store).at(1).state, RunState::kRunning);
  // What could not be stored in time is stored at the end, if there is room.
  fs::remove(disk_ + "/filler");
  writer.End(report);
  EXPECT_EQ(writer.error(), "");
  EXPECT_EQ(ToJson(LoadRun(&store, "late")), ToJson(report));
}

TEST_F(DiskTest, AReadOnlyOneCanBeRead) {
  ASSERT_EQ(Save(disk_, "run"), "");
  ASSERT_EQ(
      mount("none", disk_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr),
      0);
  const auto read = Read(disk_);
  EXPECT_FALSE(read) << read->what();
  const auto write = Write(disk_);
  ASSERT_TRUE(write);
  EXPECT_EQ(write->trouble(), Trouble::kReadOnly) << write->what();
}

}  // namespace
}  // namespace locklab::store
