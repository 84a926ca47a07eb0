#include "bench/measure/latency.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <system_error>
#include <utility>

#include "bench/floor.h"
#include "conformance/proc/child.h"
#include "conformance/proc/interrupts.h"
#include "conformance/proc/shared.h"
#include "conformance/proc/temp_dir.h"

namespace locklab::bench {
namespace {

using namespace std::chrono_literals;
using proc::Clock;

constexpr int kBatch = 32;
constexpr int kWarmUp = 8;

// A histogram's buckets that are not empty: each by its largest value.
struct Buckets {
  size_t count;
  std::pair<int64_t, int64_t> at[history::Histogram::kBuckets];
};

// What the measuring process leaves.
struct Box {
  std::atomic<bool> done;
  Buckets lock_ns;
  Buckets floor_ns;
  Buckets empty_ns;
  char error[512];
};

void Put(const history::Histogram& histogram, Buckets* buckets) {
  histogram.ForEach([buckets](int64_t value, int64_t count) {
    buckets->at[buckets->count++] = {value, count};
  });
}

history::Histogram HistogramOf(const Buckets& buckets) {
  history::Histogram histogram;
  for (size_t i = 0; i < buckets.count; ++i) {
    histogram.Add(buckets.at[i].first, buckets.at[i].second);
  }
  return histogram;
}

int64_t Since(Clock::time_point start) {
  return std::chrono::nanoseconds(Clock::now() - start).count();
}

// One acquire and release; false: the error was noted.
bool Cycle(Subject& subject, Box* box) {
  for (const Outcome& outcome : {subject.Acquire(0ns), subject.Release()}) {
    if (outcome.ok()) continue;
    std::strncpy(box->error, outcome.message.c_str(), sizeof box->error - 1);
    return false;
  }
  return true;
}

// Turn by turn, so that what disturbs one disturbs the other as well.
bool Measure(Subject& subject, Floor* floor, Clock::time_point end, Box* box) {
  history::Histogram lock_ns;
  history::Histogram floor_ns;
  history::Histogram empty_ns;
  for (int i = 0; i < kWarmUp; ++i) {
    if (!Cycle(subject, box)) return false;
  }
  do {
    for (int i = 0; i < kBatch; ++i) {
      const auto start = Clock::now();
      if (!Cycle(subject, box)) return false;
      lock_ns.Record(Since(start));
    }
    for (int i = 0; floor != nullptr && i < kBatch; ++i) {
      const auto start = Clock::now();
      if (!floor->Cycle()) {
        floor = nullptr;  // then there is none to show
        floor_ns = {};
        break;
      }
      floor_ns.Record(Since(start));
    }
    for (int i = 0; i < kBatch; ++i) {
      const auto start = Clock::now();
      empty_ns.Record(Since(start));
    }
  } while (Clock::now() < end);
  Put(lock_ns, &box->lock_ns);
  Put(floor_ns, &box->floor_ns);
  Put(empty_ns, &box->empty_ns);
  return true;
}

}  // namespace

Latency MeasureLatency(const SubjectFactory& subject, const std::string& dir,
                       std::chrono::milliseconds duration) {
  try {
    const proc::TempDir lock_dir(dir);
    const proc::TempDir floor_dir(dir);
    proc::Shared<Box> box;
    proc::Child child = proc::Child::Spawn(
        [&] {
          const auto lock = subject.Make(lock_dir / "job");
          const auto floor = MakeFloor(subject.name(), floor_dir.path());
          box->done = Measure(*lock, floor.get(), proc::In(duration), &*box);
          return 0;
        },
        {.own_group = true});
    // A slow filesystem may need long for one batch.
    const auto deadline = proc::In(duration + 30s);
    while (!child.Wait(std::min(deadline, proc::In(50ms)))) {
      if (proc::Interrupts::Pending() != 0) return {.error = "interrupted"};
      if (Clock::now() >= deadline) return {.error = "it took too long"};
    }
    if (!box->done) {
      return {.error = box->error[0] != '\0' ? box->error
                                             : "the measuring process died"};
    }
    return {.lock_ns = HistogramOf(box->lock_ns),
            .floor_ns = HistogramOf(box->floor_ns),
            .empty_ns = HistogramOf(box->empty_ns)};
  } catch (const std::system_error& error) {
    return {.error = error.what()};
  }
}

}  // namespace locklab::bench
