// Hand-off: how long after the holder invoked release() does acquire() return
// in the one process that waits for it. Beside it, in the same set-up, a bare
// hand-off: one process unlinks a file, the other sits in read(2) on inotify.
#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "bench/bench.h"
#include "conformance/proc/barrier.h"
#include "conformance/proc/child.h"
#include "conformance/proc/poll_until.h"
#include "conformance/proc/shared.h"
#include "conformance/proc/temp_dir.h"
#include "lib/lock_file.h"

namespace locklab::bench {
namespace {

using namespace std::chrono_literals;  // NOLINT
using proc::Clock;
using proc::In;
using proc::TimePoint;

constexpr auto kPatience = 20s;  // of one step of one hand-off
constexpr auto kSettle = 150us;  // from "asleep" to "deep in the wait"

// What goes from one process to the other. Each process makes its own, after
// the fork. A call that fails throws std::system_error.
class Baton {
 public:
  virtual ~Baton() = default;
  virtual void Take() = 0;     // it is free
  virtual void Release() = 0;  // to the one who waits
  virtual void Await() = 0;    // blocks until it was released
  virtual void Drop() = 0;     // after Await
};

// The lock, and the floor that it takes turns with.
using Batons = std::array<std::unique_ptr<Baton>, 2>;
using MakeBatons = std::function<Batons()>;

class LockBaton final : public Baton {
 public:
  LockBaton(const std::string& path, const std::string& backend)
      : lock_(path, Of(backend)) {}
  void Take() override { lock_.acquire(0s); }
  void Release() override { lock_.release(); }
  void Await() override { lock_.acquire(); }
  void Drop() override { lock_.release(); }

 private:
  static lockfile::Options Of(const std::string& backend) {
    lockfile::Options options;
    options.backend = backend;
    return options;
  }

  lockfile::LockFile lock_;
};

void Check(int result, const char* what) {
  if (result >= 0) return;
  throw std::system_error(errno, std::generic_category(), what);
}

class InotifyBaton final : public Baton {
 public:
  explicit InotifyBaton(std::string path)
      : path_(std::move(path)), watch_(inotify_init1(IN_CLOEXEC)) {
    Check(watch_, "inotify_init1");
  }
  ~InotifyBaton() override { close(watch_); }
  InotifyBaton(const InotifyBaton&) = delete;
  InotifyBaton& operator=(const InotifyBaton&) = delete;

  void Take() override {
    const int fd = open(path_.c_str(), O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    Check(fd, "open");
    close(fd);
  }
  void Release() override { Check(unlink(path_.c_str()), "unlink"); }
  void Await() override {
    // What the last removal told of after the wait had ended on its first
    // event: it must not end this one.
    while (proc::PollUntil(watch_, POLLIN, TimePoint::min()) != 0) Read();
    Check(inotify_add_watch(watch_, path_.c_str(), IN_ATTRIB | IN_DELETE_SELF),
          "inotify_add_watch");
    Read();
  }
  void Drop() override {}

 private:
  void Read() {
    std::array<char, 4096> events;
    Check(static_cast<int>(read(watch_, events.data(), events.size())), "read");
  }

  const std::string path_;
  const int watch_;
};

// Two processes take turns: even numbers are the holder's, odd the waiter's.
struct Board {
  std::atomic<uint32_t> turn{0};
  std::atomic<uint32_t> awaits{0};  // the turn in which the waiter waits
  std::atomic<bool> stop{false};
  std::atomic<bool> failed{false};
  std::atomic<int64_t> got_ns{0};

  void Pass(uint32_t next) {
    turn.store(next);
    proc::FutexWakeAll(turn);
  }
  // False: the other one has failed or is gone.
  bool AwaitTurn(uint32_t mine) {
    const TimePoint deadline = In(kPatience);
    for (uint32_t now = turn.load(); now != mine; now = turn.load()) {
      if (failed || Clock::now() > deadline) return false;
      proc::FutexWait(turn, now, std::min(deadline, In(100ms)));
    }
    return !failed;
  }
};

int RunWaiter(Board& board, const MakeBatons& make) {
  try {
    const Batons batons = make();
    for (uint32_t turn = 1;; turn += 2) {
      if (!board.AwaitTurn(turn)) return 1;
      if (board.stop) return 0;
      Baton* baton = batons[turn / 2 % batons.size()].get();
      board.awaits = turn;
      baton->Await();
      board.got_ns = Clock::now().time_since_epoch().count();
      baton->Drop();
      board.Pass(turn + 1);
    }
  } catch (const std::exception& error) {
    fprintf(stderr, "waiter: %s\n", error.what());
    board.failed = true;
    return 1;
  }
}

// The letter that says what the kernel has the process do: 'S' sleeps.
char StateOf(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(stat, text);
  const size_t end = text.rfind(')');
  return end == std::string::npos || end + 2 >= text.size() ? '?'
                                                            : text[end + 2];
}

// Whether the waiter has come to sleep in its wait.
bool WaitsNow(const Board& board, uint32_t turn, pid_t waiter) {
  const auto waits = [&] {
    return board.failed || (board.awaits == turn && StateOf(waiter) == 'S');
  };
  return proc::Eventually(waits, In(kPatience), 20us) && !board.failed;
}

// One hand-off; negative: the waiter failed.
std::chrono::nanoseconds HandOver(Board& board, Baton& baton, uint32_t turn,
                                  pid_t waiter) {
  baton.Take();
  board.Pass(turn + 1);
  if (!WaitsNow(board, turn + 1, waiter)) return -1ns;
  std::this_thread::sleep_for(kSettle);
  if (!WaitsNow(board, turn + 1, waiter)) return -1ns;
  const auto released = Clock::now().time_since_epoch();
  baton.Release();
  if (!board.AwaitTurn(turn + 2)) return -1ns;
  return std::chrono::nanoseconds(board.got_ns) - released;
}

void Report(benchmark::State& state, std::array<std::vector<double>, 2>& ns) {
  auto& [lock, floor] = ns;
  state.counters["p50_ns"] = Percentile(lock, 0.50);
  state.counters["p99_ns"] = Percentile(lock, 0.99);
  state.counters["floor_p50_ns"] = Percentile(floor, 0.50);
  state.counters["floor_p99_ns"] = Percentile(floor, 0.99);
  state.counters["ratio"] = Percentile(lock, 0.50) / Percentile(floor, 0.50);
}

void Measure(benchmark::State& state, const MakeBatons& make) {
  proc::Shared<Board> board;
  proc::Child waiter =
      proc::Child::Spawn([&] { return RunWaiter(*board, make); });
  std::array<std::vector<double>, 2> samples_ns;
  uint32_t turn = 0;
  try {
    const Batons batons = make();
    for (auto _ : state) {
      for (size_t i = 0; i < batons.size(); ++i, turn += 2) {
        const auto took = HandOver(*board, *batons[i], turn, waiter.pid());
        if (took < 0ns) return Fail(state, "the waiter failed or hangs");
        samples_ns[i].push_back(static_cast<double>(took.count()));
      }
      state.SetIterationTime(samples_ns[0].back() * 1e-9);
    }
    board->stop = true;
    board->Pass(turn + 1);
    waiter.Wait(In(kPatience));
  } catch (const std::exception& error) {
    return Fail(state, error.what());
  }
  Report(state, samples_ns);
}

}  // namespace

void RegisterHandoff(const std::string& dir, int handoffs) {
  for (const lockfile::BackendRow& row : lockfile::Backends()) {
    const std::string backend(row.name);
    benchmark::RegisterBenchmark(
        ("handoff/" + backend).c_str(),
        [=](benchmark::State& state) {
          const proc::TempDir own(dir);
          Measure(state, [&] {
            return Batons{
                std::make_unique<LockBaton>(own / "resource", backend),
                std::make_unique<InotifyBaton>(own / "bare")};
          });
        })
        ->UseManualTime()
        ->Iterations(handoffs);
  }
}

}  // namespace locklab::bench
