// A writer may die at any moment: what others stored is whole, and of its own
// run there is a beginning.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <string>

#include "conformance/proc/child.h"
#include "conformance/proc/poll_until.h"
#include "conformance/proc/shared.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/report/json.h"
#include "conformance/report/sample.h"
#include "conformance/store/run_writer.h"
#include "conformance/store/store.h"

namespace locklab::store {
namespace {

using namespace std::chrono_literals;
using report::RunReport;

constexpr int kClaims = 60;
// Begin, the claims of two backends, and End.
constexpr uint64_t kTold = 2 * kClaims + 2;

RunReport Plan(const std::string& run_id) {
  RunReport report;
  report.context.run_id = run_id;
  for (const char* name : {"link", "flock"}) {
    report::BackendReport backend;
    backend.name = name;
    backend.complete = true;
    for (int i = 0; i < kClaims; ++i) {
      backend.claims.push_back({.id = "claim." + std::to_string(i),
                                .level = Level::kMust,
                                .finding = Finding::Pass("seen by " + run_id),
                                .replay = ""});
    }
    report.backends.push_back(std::move(backend));
  }
  report.canary = report::Canary{.name = "bird", .caught = true, .reason = ""};
  Judge(&report);
  return report;
}

// Tells through `told` how much is stored for certain.
int Write(const std::string& dir, Journal journal, const RunReport& report,
          std::atomic<int>* told) {
  RunWriter writer(dir, journal);
  writer.Begin(report.context);
  ++*told;
  for (const auto& backend : report.backends) writer.Probed(backend);
  writer.CanaryTried(*report.canary);
  for (const auto& backend : report.backends) {
    for (const auto& claim : backend.claims) {
      writer.ClaimExamined(backend.name, claim);
      ++*told;
    }
  }
  writer.End(report);
  ++*told;
  return writer.error().empty() ? 0 : 1;
}

// How much of `plan` the run that was killed has; -1: it is no beginning.
int PrefixOf(const RunReport& found, const RunReport& plan) {
  int count = 1;  // Begin
  bool ended = false;
  for (const auto& backend : plan.backends) {
    const report::BackendReport* same = nullptr;
    for (const auto& candidate : found.backends) {
      if (candidate.name == backend.name) same = &candidate;
    }
    const size_t size = same == nullptr ? 0 : same->claims.size();
    if (ended && size > 0) return -1;
    for (size_t i = 0; i < size; ++i) {
      if (i >= backend.claims.size() ||
          same->claims[i].id != backend.claims[i].id ||
          same->claims[i].finding.reason != backend.claims[i].finding.reason) {
        return -1;
      }
    }
    ended = size < backend.claims.size();
    count += static_cast<int>(size);
  }
  return count;
}

struct Kills {
  int in_time = 0;
  int too_late = 0;
};

// When a writer dies: so long after it told of so many things.
struct Death {
  int told = 0;
  std::chrono::microseconds later{0};
};

// One life of a writer; checks what it left.
void KillOne(const std::string& dir, Journal journal, const std::string& run_id,
             Death death, Kills* kills) {
  const proc::Shared<std::atomic<int>> told(1);
  const RunReport plan = Plan(run_id);
  proc::Child child =
      proc::Child::Spawn([&] { return Write(dir, journal, plan, &*told); });
  proc::Eventually([&] { return told->load() >= death.told || child.Poll(); },
                   proc::In(60s), 20us);
  const auto end = child.Wait(proc::In(death.later));
  child.Stop();
  end ? ++kills->too_late : ++kills->in_time;
  if (end) {
    EXPECT_TRUE(end->ok()) << end->Describe();
  }
  const int certain = told->load();
  Store store = [&] {
    try {
      return Store::Open(dir, Mode::kRead);
    } catch (const StoreError& error) {
      // It was killed before there was a store.
      EXPECT_EQ(error.trouble(), Trouble::kMissing) << error.what();
      EXPECT_EQ(certain, 0);
      return Store::Open(dir, Mode::kWrite, journal);
    }
  }();
  store.QuickCheck();
  std::string found;
  for (const RunSummary& run : ListRuns(&store)) {
    if (run.run_id == run_id) found = RunStateName(run.state);
  }
  if (found.empty()) {
    EXPECT_EQ(certain, 0) << "a run is gone";
    return;
  }
  const RunReport loaded = LoadRun(&store, run_id);
  if (found == "finished") {
    EXPECT_EQ(ToJson(loaded), ToJson(plan));
    return;
  }
  EXPECT_EQ(found, "killed");
  EXPECT_EQ(loaded.cut_short, "the run was killed: it never reached its end");
  const int prefix = PrefixOf(loaded, plan);
  EXPECT_GE(prefix, std::max(certain, 1)) << "something stored is lost";
  EXPECT_LE(prefix, certain + 1) << "more than was in flight";
}

class KilledTest : public testing::TestWithParam<Journal> {};

// In each journal mode; LOCKLAB_KILLS makes it a shorter or longer test.
int KillsWanted() {
  const char* kills = std::getenv("LOCKLAB_KILLS");
  return kills == nullptr ? 100 : std::atoi(kills);
}

TEST_P(KilledTest, LosesNothingButWhatWasInFlight) {
  const int wanted = KillsWanted();
  ASSERT_GT(wanted, 0) << "LOCKLAB_KILLS has to be a number of kills";
  const uint64_t seed = std::random_device{}();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  const proc::TempDir dir;
  Kills kills;
  KillOne(dir.path(), GetParam(), "whole", {.told = 0, .later = 60s}, &kills);
  {
    Store store = Store::Open(dir.path(), Mode::kRead);
    EXPECT_EQ(store.database().Get("PRAGMA journal_mode"),
              GetParam() == Journal::kWal ? "wal" : "delete");
  }
  std::map<std::string, std::string> earlier;
  for (int i = 0; i < wanted && !HasFailure(); ++i) {
    const std::string id = "run" + std::to_string(i) + ".";
    const Death death = {.told = static_cast<int>(random() % kTold),
                         .later = std::chrono::microseconds(random() % 1000)};
    KillOne(dir.path(), GetParam(), id, death, &kills);
    Store store = Store::Open(dir.path(), Mode::kRead);
    for (const auto& [run, json] : earlier) {
      ASSERT_EQ(ToJson(LoadRun(&store, run)), json) << run << ", after " << id;
    }
    for (const RunSummary& run : ListRuns(&store)) {
      // A sample of them, or the test would take the square of its length.
      if (run.run_id == id && i % 10 == 0) {
        earlier[id] = ToJson(LoadRun(&store, id));
      }
    }
  }
  std::printf("%d killed in time, %d too late\n", kills.in_time,
              kills.too_late);
  EXPECT_GE(kills.in_time, wanted / 2)
      << "hardly a writer was killed while it wrote";
}

INSTANTIATE_TEST_SUITE_P(Journals, KilledTest,
                         testing::Values(Journal::kWal, Journal::kRollback));

}  // namespace
}  // namespace locklab::store
