// What is put into the store comes out of it.
#include "conformance/store/store.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>
#include <string>

#include "conformance/proc/child.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/report/json.h"
#include "conformance/report/sample.h"
#include "conformance/store/bench_run.h"
#include "conformance/store/run_writer.h"
#include "conformance/store/save.h"

namespace locklab::store {
namespace {

using report::RunReport;
using report::ToJson;

void SaveAll(const std::string& dir, const RunReport& report) {
  RunWriter writer(dir);
  writer.Begin(report.context);
  for (const auto& backend : report.backends) writer.Probed(backend);
  if (report.canary) writer.CanaryTried(*report.canary);
  for (const auto& primitive : report.primitives) {
    writer.PrimitiveExamined(primitive);
  }
  for (const auto& backend : report.backends) {
    writer.Measured(backend);
    for (const auto& claim : backend.claims) {
      writer.ClaimExamined(backend.name, claim);
    }
  }
  writer.End(report);
  EXPECT_EQ(writer.error(), "");
}

RunReport Load(const std::string& dir, const std::string& run = "latest") {
  Store store = Store::Open(dir, Mode::kRead);
  return LoadRun(&store, run);
}

// Distributions are not in the JSON.
void ExpectSame(const RunReport& loaded, const RunReport& saved) {
  EXPECT_EQ(ToJson(loaded), ToJson(saved));
  ASSERT_EQ(loaded.backends.size(), saved.backends.size());
  for (size_t i = 0; i < saved.backends.size(); ++i) {
    EXPECT_EQ(loaded.backends[i].distributions, saved.backends[i].distributions)
        << saved.backends[i].name;
  }
}

TEST(StoreTest, GivesBackEverySampleAsItWas) {
  const proc::TempDir dir;
  int count = 0;
  for (const report::Sample& sample : report::Samples()) {
    SCOPED_TRACE(sample.name);
    RunReport report = sample.report;
    report.context.run_id = "run" + std::to_string(++count);
    SaveAll(dir.path(), report);
    ExpectSame(Load(dir.path(), report.context.run_id), report);
  }
  Store store = Store::Open(dir.path(), Mode::kRead);
  store.QuickCheck();
  EXPECT_EQ(ListRuns(&store).size(), static_cast<size_t>(count));
}

// Reports of any content, from a seed.
class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  RunReport Report(int number) {
    RunReport report;
    report.context = Context(number);
    for (int i = Below(4); i > 0; --i) {
      report.primitives.push_back({.claim = Claim(), .carries = Texts()});
    }
    for (int i = Below(4); i > 0; --i) {
      report.backends.push_back(Backend(std::to_string(i) + Text()));
    }
    if (Coin())
      report.canary = {.name = Text(), .caught = Coin(), .reason = Text()};
    report.cut_short = Text();
    report.missing = Texts();
    if (Coin()) report.recommendation = {.backend = Text(), .reason = Text()};
    return report;
  }

 private:
  report::Context Context(int number) {
    report::Context context;
    context.run_id = std::to_string(number) + "-" + Text();
    context.suite_version = Text();
    context.seed = random_();
    context.command_line = Text();
    context.dir = Text();
    context.other_mount = Text();
    context.variant = Text();
    context.profile = Text();
    context.claims_chosen = Below(100);
    context.claims_total = Below(100);
    context.expectations = Texts();
    context.filesystem = {
        .type = Text(), .source = Text(), .options = Text(), .shared = Coin()};
    context.kernel = Text();
    context.host = Text();
    context.processors = Below(1000);
    context.started = Text();
    context.duration_s = Real();
    for (int i = Below(3); i > 0; --i) {
      context.versions.emplace_back(Text(), Text());
    }
    return context;
  }

  report::BackendReport Backend(std::string name) {
    report::BackendReport backend;
    backend.name = std::move(name);
    backend.worth = static_cast<report::Worth>(Below(4));
    backend.reason = Text();
    backend.supported = Coin();
    backend.complete = Coin();
    backend.released_on_crash = Coin();
    for (int i = Below(5); i > 0; --i) backend.claims.push_back(Claim());
    if (Coin()) {
      backend.contention = {.processes = Below(100),
                            .acquisitions = Int(),
                            .violations = Int(),
                            .wait_ns = Percentiles(),
                            .jain = Real()};
    }
    if (Coin()) backend.latency_ns = Percentiles();
    if (Coin()) backend.floor_ns = Int();
    for (int i = Below(3); i > 0; --i) {
      report::Distribution distribution{.of = Text(), .buckets = {}};
      for (int j = Below(20); j > 0; --j) {
        distribution.buckets.emplace_back(Int(), Int());
      }
      backend.distributions.push_back(std::move(distribution));
    }
    for (int i = Below(3); i > 0; --i) {
      backend.crash.push_back({.point = Text(),
                               .waiters = Below(8),
                               .call = Text(),
                               .verdict = static_cast<Verdict>(Below(6)),
                               .reason = Text(),
                               .recovery_ns = {}});
      if (Coin()) backend.crash.back().recovery_ns = Int();
    }
    return backend;
  }

  report::ClaimResult Claim() {
    report::ClaimResult claim;
    claim.id = Text();
    claim.level = static_cast<Level>(Below(3));
    claim.finding = {static_cast<Verdict>(Below(6)), Text(), Text()};
    claim.replay = Text();
    claim.duration_s = Real();
    if (Coin()) {
      claim.expected = {.reason = Text(), .link = Text(), .where = Text()};
    }
    return claim;
  }

  report::Percentiles Percentiles() {
    return {Int(), Int(), Int(), Int(), Int()};
  }
  int Below(int bound) {
    return static_cast<int>(random_() % static_cast<uint64_t>(bound));
  }
  bool Coin() { return Below(2) == 0; }
  int64_t Int() { return static_cast<int64_t>(random_()) >> Below(64); }
  double Real() { return static_cast<double>(Int()) / 1024; }
  std::vector<std::string> Texts() {
    std::vector<std::string> texts(static_cast<size_t>(Below(4)));
    for (std::string& text : texts) text = Text();
    return texts;
  }
  // Of any bytes: NUL, quotes, halves of UTF-8.
  std::string Text() {
    static const std::string kPieces[] = {"plain",
                                          "",
                                          std::string(1, '\0'),
                                          "'; DROP TABLE runs; --",
                                          "\xff\xfe",
                                          "\xc3",
                                          "\n",
                                          "\xe2\x82\xac",
                                          "\xf0\x9f\x94\x92",
                                          "%s?"};
    std::string text;
    for (int i = Below(4); i > 0; --i) text += kPieces[Below(10)];
    return text;
  }

  std::mt19937_64 random_;
};

TEST(StoreTest, GivesBackAnyReport) {
  const uint64_t seed = std::random_device{}();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  Generator generator(seed);
  const proc::TempDir dir;
  for (int i = 0; i < 100; ++i) {
    const RunReport report = generator.Report(i);
    SaveAll(dir.path(), report);
    ExpectSame(Load(dir.path()), report);
    if (HasFailure()) FAIL() << "report " << i << " of seed " << seed;
  }
}

TEST(StoreTest, PacksAnyBuckets) {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  const Buckets buckets = {
      {0, 0}, {1, 5}, {kMax, kMin}, {kMin, kMax}, {-1, -1}};
  EXPECT_EQ(UnpackBuckets(PackBuckets(buckets)), buckets);
  EXPECT_EQ(UnpackBuckets(""), Buckets{});
  EXPECT_EQ(PackBuckets({{255, 3}, {259, 1}}), "\xfe\x03\x06\x08\x02");
  for (const char* bad : {"\x80", "\x02", "\x02\xff",
                          "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01"}) {
    EXPECT_EQ(UnpackBuckets(bad), std::nullopt) << bad;
  }
}

TEST(StoreTest, ChangesItsJournalWhenItMoves) {
  const proc::TempDir dir;
  const auto journal = [&dir](Journal wanted) {
    Store store = Store::Open(dir.path(), Mode::kWrite, wanted);
    return store.database().Get("PRAGMA journal_mode");
  };
  EXPECT_EQ(journal(Journal::kRollback), "delete");
  EXPECT_EQ(journal(Journal::kWal), "wal");
  EXPECT_EQ(journal(Journal::kRollback), "delete");
  const proc::TempDir memory("/dev/shm");
  Store store = Store::Open(memory.path(), Mode::kWrite);
  EXPECT_EQ(store.database().Get("PRAGMA journal_mode"), "wal");
}

TEST(StoreTest, KeepsWhatARunLeftBesideIt) {
  const proc::TempDir dir;
  RunReport report = report::FullReport();
  RunWriter writer(dir.path());
  writer.Begin(report.context);
  const std::string run = writer.DirectoryOf(report.context.run_id);
  std::filesystem::create_directories(run + "/history/link");
  std::ofstream(run + "/history/link/0.log") << "abc";
  std::filesystem::create_symlink("/etc/passwd", run + "/elsewhere");
  writer.End(report);
  EXPECT_EQ(writer.error(), "");
  Store store = Store::Open(dir.path(), Mode::kRead);
  const std::vector<Artifact> expected = {
      {"history/link/0.log", 3,
       "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}};
  EXPECT_EQ(ListArtifacts(&store, "latest"), expected);
}

TEST(StoreTest, TellsRunsApartByTheBeginningsOfTheirIds) {
  const proc::TempDir dir;
  for (const char* id : {"aa11", "aa22", "aa2", "b%"}) {
    RunReport report = report::FullReport();
    report.context.run_id = id;
    SaveAll(dir.path(), report);
  }
  Store store = Store::Open(dir.path(), Mode::kRead);
  EXPECT_EQ(FindRun(&store, "latest"), "b%");
  EXPECT_EQ(FindRun(&store, "aa1"), "aa11");
  EXPECT_EQ(FindRun(&store, "aa2"), "aa2") << "a whole id wins";
  for (const char* which : {"aa", "", "c", "%", "_a11", "aa111"}) {
    try {
      ADD_FAILURE() << which << FindRun(&store, which);
    } catch (const StoreError& error) {
      EXPECT_EQ(error.trouble(), Trouble::kNoRun) << error.what();
    }
  }
}

TEST(StoreTest, JudgesAKilledRunByWhatItHadFound) {
  const proc::TempDir dir;
  RunReport report = report::FullReport();
  ASSERT_FALSE(report.backends.empty());
  proc::Child child = proc::Child::Spawn([&] {
    RunWriter writer(dir.path());
    writer.Begin(report.context);
    writer.Probed(report.backends[0]);
    writer.ClaimExamined(report.backends[0].name,
                         {.id = "exclusion.herd",
                          .level = Level::kMust,
                          .finding = Finding::Fail("two held it"),
                          .replay = "again"});
    raise(SIGKILL);
    return 0;
  });
  child.Wait(proc::In(std::chrono::seconds(30)));
  const RunReport loaded = Load(dir.path());
  EXPECT_EQ(loaded.cut_short, "the run was killed: it never reached its end");
  ASSERT_EQ(loaded.backends.size(), 1u);
  EXPECT_EQ(loaded.backends[0].worth, report::Worth::kUnsafe);
  EXPECT_EQ(loaded.backends[0].reason, "exclusion.herd: two held it");
  Store store = Store::Open(dir.path(), Mode::kRead);
  EXPECT_EQ(ListRuns(&store).at(0).state, RunState::kKilled);
}

TEST(StoreTest, ShowsARunThatStillGoesOn) {
  const proc::TempDir dir;
  RunWriter writer(dir.path());
  writer.Begin(report::FullReport().context);
  Store store = Store::Open(dir.path(), Mode::kRead);
  EXPECT_EQ(ListRuns(&store).at(0).state, RunState::kRunning);
  EXPECT_TRUE(
      LoadRun(&store, "latest").cut_short.starts_with("the run still goes on"));
}

BenchRun MadeBenchRun(const std::string& run_id) {
  BenchRun run;
  run.context.run_id = run_id;
  run.context.host = "here";
  run.context.seed = ~uint64_t{0};
  run.series = {{.backend = "link",
                 .measure = "uncontended",
                 .samples = {1000.5, 1e9, 0.25},
                 .buckets = {{1000, 7}, {2000, 1}}},
                {.backend = "link",
                 .measure = "memory",
                 .unit = "bytes",
                 .samples = {4096}}};
  run.locks = {{"link", "pass", ""}};
  return run;
}

TEST(StoreTest, GivesBackSamplesOfBenchmarks) {
  const proc::TempDir dir;
  RunWriter writer(dir.path());
  BenchRun run = MadeBenchRun("b1");
  writer.BeginBench(run.context);
  writer.Sampled(run);
  run.series[0].samples.push_back(77);
  run.series[0].buckets.emplace_back(3000, 2);
  run.locks[0] = {"link", "fail", "two held it"};
  writer.Sampled(run);
  writer.EndBench(run, "", kExitFailed);
  EXPECT_EQ(writer.error(), "");
  Store store = Store::Open(dir.path(), Mode::kRead);
  const BenchRun loaded = LoadBenchRun(&store, "latest");
  EXPECT_EQ(loaded.series, run.series);
  EXPECT_EQ(loaded.locks, run.locks);
  EXPECT_EQ(loaded.context.host, "here");
  EXPECT_EQ(loaded.context.seed, run.context.seed);
  ASSERT_EQ(ListBenchRuns(&store).size(), 1);
  EXPECT_EQ(ListBenchRuns(&store)[0].exit_code, kExitFailed);
  EXPECT_TRUE(ListRuns(&store).empty()) << "it is no run of check";
  EXPECT_THROW((void)LoadRun(&store, "b1"), StoreError);
}

TEST(StoreTest, KnowsWhatAKilledBenchmarkHadMeasured) {
  const proc::TempDir dir;
  RunWriter(dir.path()).BeginBench(MadeBenchRun("b0").context);
  RunWriter writer(dir.path());
  writer.BeginBench(MadeBenchRun("b1").context);
  writer.Sampled(MadeBenchRun("b1"));
  Store store = Store::Open(dir.path(), Mode::kRead);
  EXPECT_EQ(LoadBenchRun(&store, "b1").series, MadeBenchRun("b1").series);
  EXPECT_THROW((void)LoadBenchRun(&store, "latest"), StoreError)
      << "none has finished";
  EXPECT_THROW((void)LoadBenchRun(&store, "b"), StoreError) << "which?";
}

TEST(StoreTest, BelievesNoImpossibleSample) {
  const proc::TempDir dir;
  const BenchRun run = MadeBenchRun("b1");
  RunWriter writer(dir.path());
  writer.BeginBench(run.context);
  writer.EndBench(run, "", kExitOk);
  for (const char* value : {"0", "-1", "9e999"}) {
    Store store = Store::Open(dir.path(), Mode::kWrite);
    store.database().Exec((std::string("UPDATE samples SET value = ") + value +
                           " WHERE sample = 1")
                              .c_str());
    try {
      (void)LoadBenchRun(&store, "b1");
      ADD_FAILURE() << value;
    } catch (const StoreError& error) {
      EXPECT_EQ(error.trouble(), Trouble::kDamaged) << error.what();
    }
  }
}

TEST(StoreTest, TakesManyWritersAtOnce) {
  const proc::TempDir dir;
  constexpr int kWriters = 6;
  const RunReport sample = report::FullReport();
  const auto report_of = [&sample](int writer) {
    RunReport report = sample;
    report.context.run_id = "writer" + std::to_string(writer);
    return report;
  };
  std::vector<proc::Child> children;
  for (int i = 0; i < kWriters; ++i) {
    children.push_back(proc::Child::Spawn([&, i] {
      // Also who makes the store is decided here.
      SaveAll(dir.path(), report_of(i));
      return testing::Test::HasFailure() ? 1 : 0;
    }));
  }
  for (proc::Child& child : children) {
    const auto end = child.Wait(proc::In(std::chrono::seconds(60)));
    ASSERT_TRUE(end && end->ok()) << (end ? end->Describe() : "hangs");
  }
  for (int i = 0; i < kWriters; ++i) {
    const RunReport report = report_of(i);
    ExpectSame(Load(dir.path(), report.context.run_id), report);
  }
}

TEST(StoreTest, WaitsOnceForAStoreThatIsLockedForGood) {
  constexpr std::chrono::milliseconds kLong(500);
  const proc::TempDir dir;
  const RunReport report = report::FullReport();
  RunWriter writer(dir.path(), Journal::kThatFits, kLong);
  {
    Store other = Store::Open(dir.path(), Mode::kWrite);
    const Transaction transaction(other.database());
    writer.Begin(report.context);
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 100; ++i) writer.CanaryTried(*report.canary);
    EXPECT_LT(std::chrono::steady_clock::now() - start, 20 * kLong);
    EXPECT_NE(writer.error().find("another process has it locked"),
              std::string::npos)
        << writer.error();
  }
  writer.End(report);
  EXPECT_EQ(writer.error(), "");
  ExpectSame(Load(dir.path()), report);
}

}  // namespace
}  // namespace locklab::store
