// One process and a lock that nobody else wants.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>

#include "bench/measure/experiments.h"
#include "bench/measure/latency.h"
#include "conformance/history/log_writer.h"
#include "conformance/proc/child.h"
#include "conformance/proc/interrupts.h"
#include "conformance/proc/shared.h"
#include "conformance/proc/temp_dir.h"

namespace locklab::bench {
namespace {

using namespace std::chrono_literals;  // NOLINT

constexpr auto kSoon = 30s;

struct Tries {
  static constexpr size_t kMost = 2000;
  std::atomic<size_t> count;
  std::atomic<bool> wrong;
  std::array<int64_t, kMost> ns;
};

int Try(const SubjectFactory& subject, const std::string& path, Tries* tries) {
  constexpr int kWarmUp = 8;
  const auto lock = subject.Make(path);
  const auto end = proc::In(30ms);
  for (size_t i = 0; i < Tries::kMost + kWarmUp; ++i) {
    const int64_t start = history::NowNs();
    const Outcome outcome = lock->Acquire(0ns);
    const int64_t took = history::NowNs() - start;
    if (outcome.got != Got::kTimeout) {
      tries->wrong = true;
      return 1;
    }
    if (i < kWarmUp) continue;
    tries->ns[tries->count++] = took;
    if (proc::Clock::now() > end) break;
  }
  return 0;
}

// --- beside many others -----------------------------------------------------

struct Beside {
  static constexpr size_t kSizes = 6;  // 1, 10, ... 100,000
  static constexpr size_t kTurns = 200;
  std::array<std::atomic<size_t>, kSizes> count;
  std::array<std::array<int64_t, kTurns>, kSizes> ns;
};

// Kernel locks need a descriptor each.
void AllowManyFiles() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Ends early, and well, where there cannot be as many, or not in time.
int HoldAndMeasure(const SubjectFactory& subject, const std::string& dir,
                   proc::TimePoint end, size_t sizes, Beside* beside) {
  AllowManyFiles();
  std::vector<std::unique_ptr<Subject>> held;
  const auto lock = subject.Make(dir + "/job");
  size_t wanted = 1;
  for (size_t size = 0; size < sizes; ++size, wanted *= 10) {
    while (held.size() < wanted) {
      held.push_back(subject.Make(fmt::format("{}/{}", dir, held.size())));
      if (!held.back()->Acquire(0ns).ok() || proc::Clock::now() > end) return 0;
    }
    for (int64_t& ns : beside->ns[size]) {
      const int64_t start = history::NowNs();
      if (!lock->Acquire(0ns).ok() || !lock->Release().ok()) return 1;
      ns = history::NowNs() - start;
    }
    beside->count[size] = Beside::kTurns;
  }
  return 0;
}

}  // namespace

Sample MeasureUncontended(const SubjectFactory& subject, const std::string& dir,
                          std::chrono::milliseconds duration) {
  const Latency latency = MeasureLatency(subject, dir, duration);
  if (latency.lock_ns.count() == 0) return Trouble(latency.error);
  Sample sample;
  AddMedian("uncontended", latency.lock_ns, &sample);
  AddMedian("floor", latency.floor_ns, &sample);
  AddMedian("empty-loop", latency.empty_ns, &sample);
  const auto lock = static_cast<double>(latency.lock_ns.percentiles().p50);
  const auto floor = static_cast<double>(latency.floor_ns.percentiles().p50);
  // Both were taken by turns: what disturbed one disturbed the other as well.
  if (lock > 0 && floor > 0) {
    sample.values.push_back(
        {.measure = "over-floor", .value = lock / floor, .unit = "x"});
  }
  return sample;
}

Sample Uncontended(const SubjectFactory& subject, const std::string& dir,
                   const Effort&) {
  return MeasureUncontended(subject, dir, 40ms);
}

Sample TryHeld(const SubjectFactory& subject, const std::string& dir,
               const Effort&) {
  const proc::TempDir place(dir);
  const std::string path = place / "job";
  proc::Shared<Tries> tries;
  const auto holder = HolderOf(subject, path);
  if (!holder) return Trouble("the holder did not come to hold the lock");
  proc::Child child = proc::Child::Spawn(
      [&] { return Try(subject, path, &*tries); }, {.own_group = true});
  (void)child.Wait(proc::In(kSoon));
  if (tries->wrong) {
    return Wrong(Finding::Fail("a try on a held lock was not refused"));
  }
  if (tries->count == 0) return Trouble("no try ended");
  history::Histogram histogram;
  for (size_t i = 0; i < tries->count; ++i) histogram.Record(tries->ns[i]);
  Sample sample;
  AddMedian("try-held", histogram, &sample);
  return sample;
}

Sample Crowd(const SubjectFactory& subject, const std::string& dir,
             const Effort& effort) {
  const proc::TempDir place(dir);
  proc::Shared<Beside> beside;
  const auto patience = effort.full ? 60s : 5s;
  const size_t sizes = effort.full ? Beside::kSizes : 4;
  proc::Child child = proc::Child::Spawn(
      [&] {
        return HoldAndMeasure(subject, place.path(), proc::In(patience), sizes,
                              &*beside);
      },
      {.own_group = true});
  const auto deadline = proc::In(patience + kSoon);
  while (!child.Wait(std::min(deadline, proc::In(50ms)))) {
    if (proc::Interrupts::Pending() != 0) return Trouble("interrupted");
    if (proc::Clock::now() >= deadline) break;
  }
  Sample sample;
  size_t locks = 1;
  for (size_t size = 0; size < sizes; ++size, locks *= 10) {
    if (beside->count[size] == 0) break;
    history::Histogram histogram;
    for (const int64_t ns : beside->ns[size]) histogram.Record(ns);
    AddMedian(fmt::format("locks/{}", locks).c_str(), histogram, &sample);
  }
  if (sample.values.empty()) return Trouble("no lock could be held");
  return sample;
}

}  // namespace locklab::bench
