// What the harness costs those whom it watches: nanoseconds a recorded event,
// and how often processes that contend get the lock, watched and unwatched.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "conformance/history/log_writer.h"
#include "conformance/proc/barrier.h"
#include "conformance/proc/child.h"
#include "conformance/proc/shared.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/subject/subject.h"
#include "stress/run/contention.h"

namespace locklab::bench {
namespace {

using history::LogWriter;
using history::Op;
using history::Result;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using Seconds = std::chrono::duration<double>;

constexpr auto kTurn = 200ms;  // of watched and unwatched contention

// --- one event --------------------------------------------------------------

// Four events a round, as a turn of a worker records them.
void MeasureEvent(benchmark::State& state, const std::string& dir) {
  constexpr uint32_t kLogOf = 1 << 20;  // a log of 32 MiB, then a new one
  try {
    const proc::TempDir own(dir);
    std::optional<LogWriter> log;
    uint32_t logs = 0;
    const auto renew = [&] {
      if (log) unlink(log->path().c_str());
      log.emplace(history::LogPath(own.path(), logs++), history::LogInfo{});
    };
    renew();
    int64_t events = 0;
    for (auto _ : state) {
      log->Invoke(Op::kAcquire);
      log->Return(Op::kAcquire, Result::kOk, 0, 1);
      log->Invoke(Op::kRelease);
      if (!log->Return(Op::kRelease, Result::kOk)) {
        return Fail(state, "no room for a log in " + own.path());
      }
      events += 4;
      if (log->recorded() >= kLogOf) {
        state.PauseTiming();
        renew();
        state.ResumeTiming();
      }
    }
    state.SetItemsProcessed(events);
    state.counters["ns_per_event"] = benchmark::Counter(
        static_cast<double>(events) * 1e-9,
        benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  } catch (const std::exception& error) {
    Fail(state, error.what());
  }
}

// --- contention for a record lock -------------------------------------------

// fcntl(2) and nothing else.
class BareRecordLock final : public Subject {
 public:
  explicit BareRecordLock(const std::string& path)
      : fd_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {}
  ~BareRecordLock() override { close(fd_); }
  BareRecordLock(const BareRecordLock&) = delete;
  BareRecordLock& operator=(const BareRecordLock&) = delete;

  Outcome Acquire(std::chrono::nanoseconds) override { return Set(F_WRLCK); }
  Outcome Release() override { return Set(F_UNLCK); }
  bool Cycle() { return Acquire(0ms).ok() && Release().ok(); }

 private:
  Outcome Set(short type) {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    if (fcntl(fd_, F_SETLKW, &lock) == 0) return {};
    return {.got = Got::kError, .sys = errno, .message = strerror(errno)};
  }

  const int fd_;
};

class BareRecordLocks final : public SubjectFactory {
 public:
  [[nodiscard]] std::string_view name() const override { return "bare fcntl"; }
  [[nodiscard]] std::unique_ptr<Subject> Make(
      const std::string& path) const override {
    return std::make_unique<BareRecordLock>(path);
  }
};

// Acquisitions a second of `processes` under the harness.
double WatchedRate(const std::string& dir, int processes) {
  run::ContentionPlan plan;
  plan.dir = dir;
  plan.processes = processes;
  plan.duration = kTurn;
  plan.counter_file = false;
  const auto result = run::RunContention(BareRecordLocks(), plan);
  if (result.exclusion.verdict != Verdict::kPass) {
    throw std::runtime_error(result.exclusion.reason);
  }
  const judge::Judgement& judged = result.judgement;
  return static_cast<double>(judged.acquisitions) * 1e9 /
         static_cast<double>(judged.end_ns - judged.start_ns);
}

struct Ring {
  std::atomic<uint32_t> go{0};
  std::atomic<bool> stop{false};
  std::atomic<int64_t> cycles{0};
};

// The same of processes that nobody watches.
double BareRate(const std::string& dir, int processes) {
  const proc::TempDir own(dir);
  proc::Shared<Ring> ring;
  std::vector<proc::Child> children;
  for (int i = 0; i < processes; ++i) {
    children.push_back(proc::Child::Spawn([&] {
      BareRecordLock lock(own / "target");
      proc::FutexWait(ring->go, 0, proc::In(20s));
      int64_t cycles = 0;
      while (!ring->stop.load(std::memory_order_relaxed)) {
        if (!lock.Cycle()) return 1;
        ++cycles;
      }
      ring->cycles.fetch_add(cycles);
      return 0;
    }));
  }
  ring->go = 1;
  const auto start = proc::Clock::now();
  proc::FutexWakeAll(ring->go);
  proc::FutexWait(ring->go, 1, start + kTurn);
  ring->stop = true;
  const Seconds took = proc::Clock::now() - start;
  for (proc::Child& child : children) {
    const auto end = child.Wait(proc::In(20s));
    if (!end || !end->ok()) throw std::runtime_error("a bare process failed");
  }
  return static_cast<double>(ring->cycles.load()) / took.count();
}

// By turns, each compared with its neighbour: see MeasureRatio of uncontended.
void MeasureContention(benchmark::State& state, const std::string& dir,
                       int processes) {
  std::vector<double> bare;
  std::vector<double> watched;
  std::vector<double> ratio;
  try {
    for (auto _ : state) {
      bare.push_back(BareRate(dir, processes));
      watched.push_back(WatchedRate(dir, processes));
      ratio.push_back(watched.back() / bare.back());
      state.SetIterationTime(Seconds(kTurn).count());
    }
  } catch (const std::exception& error) {
    return Fail(state, error.what());
  }
  state.counters["watched_per_s"] = Percentile(watched, 0.5);
  state.counters["bare_per_s"] = Percentile(bare, 0.5);
  state.counters["ratio"] = Percentile(ratio, 0.5);
}

}  // namespace

void RegisterRecording(const std::string& dir) {
  benchmark::RegisterBenchmark("record/event", [=](benchmark::State& state) {
    MeasureEvent(state, dir);
  });
  for (const int processes : {2, 8}) {
    benchmark::RegisterBenchmark(
        ("record/fcntl/" + std::to_string(processes)).c_str(),
        [=](benchmark::State& state) {
          MeasureContention(state, dir, processes);
        })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  }
}

}  // namespace locklab::bench
