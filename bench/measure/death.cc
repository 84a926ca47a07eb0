// Locks whose holder is dead.
#include <array>
#include <atomic>
#include <chrono>

#include "bench/measure/experiments.h"
#include "conformance/history/log_writer.h"
#include "conformance/proc/child.h"
#include "conformance/proc/shared.h"
#include "conformance/proc/temp_dir.h"
#include "stress/run/recovery.h"

namespace locklab::bench {
namespace {

using namespace std::chrono_literals;  // NOLINT

constexpr auto kSoon = 30s;
constexpr int kDeaths = 10;

// What the examining process leaves.
struct Examined {
  std::array<int64_t, kDeaths> life_ns;
  std::array<int64_t, kDeaths> break_ns;
  std::atomic<int> lives;
  std::atomic<int> breaks;
  std::atomic<bool> thought_alive;
};

int Examine(const SubjectFactory& subject, const std::string& path,
            Examined* examined) {
  const auto lock = subject.Make(path);
  Inspector* inspector = lock->inspector();
  if (inspector == nullptr) return 1;
  int64_t start = history::NowNs();
  const lockfile::Liveness life = inspector->HolderLife();
  const int64_t took = history::NowNs() - start;
  if (life.life == lockfile::Life::kAlive) examined->thought_alive = true;
  if (life.life != lockfile::Life::kDead) return 1;
  examined->life_ns[static_cast<size_t>(examined->lives++)] = took;
  bool broke = false;
  start = history::NowNs();
  const Outcome outcome = inspector->Break(&broke);
  const int64_t broke_ns = history::NowNs() - start;
  if (!outcome.ok() || !broke) return 1;
  examined->break_ns[static_cast<size_t>(examined->breaks++)] = broke_ns;
  return 0;
}

}  // namespace

Sample Recovery(const SubjectFactory& subject, const std::string& dir,
                const Effort&) {
  const run::Recovery recovery = run::MeasureRecovery(subject, dir, 3, 5s);
  if (!recovery.trouble.empty()) return Trouble(recovery.trouble);
  if (recovery.recovered < recovery.kills || recovery.kills == 0) {
    return Trouble("a dead holder's lock did not come free");
  }
  Sample sample;
  AddMedian("recovery", recovery.next, &sample);
  return sample;
}

// The kernel frees its own locks: there is nobody dead to be found, and nothing
// to break.
Sample Break(const SubjectFactory& subject, const std::string& dir,
             const Effort&) {
  if (subject.traits().released_on_crash || subject.remote()) return {};
  if (subject.Make(dir + "/none")->inspector() == nullptr) return {};
  const proc::TempDir place(dir);
  proc::Shared<Examined> examined;
  for (int i = 0; i < kDeaths; ++i) {
    const std::string path = place / ("job" + std::to_string(i));
    auto holder = HolderOf(subject, path);
    if (!holder) return Trouble("the lock was not had");
    holder->Stop();
    proc::Child child =
        proc::Child::Spawn([&] { return Examine(subject, path, &*examined); },
                           {.own_group = true});
    (void)child.Wait(proc::In(kSoon));
  }
  if (examined->thought_alive) {
    return Wrong(Finding::Fail("a dead holder was taken for alive"));
  }
  history::Histogram life;
  history::Histogram breaks;
  for (int i = 0; i < examined->lives; ++i) {
    life.Record(examined->life_ns[static_cast<size_t>(i)]);
  }
  for (int i = 0; i < examined->breaks; ++i) {
    breaks.Record(examined->break_ns[static_cast<size_t>(i)]);
  }
  Sample sample;
  AddMedian("liveness", life, &sample);
  AddMedian("break", breaks, &sample);
  if (sample.values.empty()) {
    return Trouble("no holder could be proven to be dead");
  }
  return sample;
}

}  // namespace locklab::bench
