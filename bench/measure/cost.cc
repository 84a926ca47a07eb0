// What a lock takes of the machine beside time.
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <memory>
#include <vector>

#include "bench/measure/experiments.h"
#include "conformance/proc/child.h"
#include "conformance/proc/shared.h"
#include "conformance/proc/temp_dir.h"
#include "stress/crash/stepper.h"

namespace locklab::bench {
namespace {

using namespace std::chrono_literals;  // NOLINT

constexpr auto kSoon = 30s;
constexpr size_t kObjects = 64;
constexpr int kTurns = 200;
constexpr int kNever = 1'000'000;  // calls of one acquire and release

struct Bill {
  std::atomic<bool> done;
  double bytes;        // of the heap, each lock that is held
  double descriptors;  // the same
  double cpu_ns;       // user and system, each acquire and release
};

double OpenFiles() {
  const auto count =
      std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                    std::filesystem::directory_iterator());
  return static_cast<double>(count);
}

double HeapBytes() { return static_cast<double>(mallinfo2().uordblks); }

double CpuNs() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 +
         static_cast<double>(now.tv_nsec);
}

bool Cycle(Subject& lock) {
  return lock.Acquire(0ns).ok() && lock.Release().ok();
}

int Count(const SubjectFactory& subject, const std::string& dir, Bill* bill) {
  const auto lock = subject.Make(dir + "/job");
  // What a process has once, whatever the number of its locks.
  for (int i = 0; i < 8; ++i) {
    if (!Cycle(*lock)) return 1;
  }
  const double before_ns = CpuNs();
  for (int i = 0; i < kTurns; ++i) {
    if (!Cycle(*lock)) return 1;
  }
  bill->cpu_ns = (CpuNs() - before_ns) / kTurns;
  std::vector<std::unique_ptr<Subject>> held;
  held.reserve(kObjects);
  const double files = OpenFiles();
  const double bytes = HeapBytes();
  for (size_t i = 0; i < kObjects; ++i) {
    held.push_back(subject.Make(fmt::format("{}/{}", dir, i)));
    if (!held.back()->Acquire(0ns).ok()) return 1;
  }
  bill->bytes = (HeapBytes() - bytes) / kObjects;
  bill->descriptors = (OpenFiles() - files) / kObjects;
  bill->done = true;
  return 0;
}

// As the kernel sees them, with ptrace(2): SQLite's, too. 0: they cannot be
// counted here.
int CallsOf(const SubjectFactory& subject, const std::string& path) {
  if (!crash::MayTrace()) return 0;
  proc::Child child = proc::Child::Spawn(
      [&] {
        const auto lock = subject.Make(path);
        if (!Cycle(*lock)) return 1;
        crash::LetParentLead();
        crash::MarkEdge(getpid());
        const bool ok = Cycle(*lock);
        crash::MarkEdge(getpid());
        return ok ? 0 : 1;
      },
      {.own_group = true});
  const crash::Step step = crash::LeadToDeath(
      child.pid(), kNever, /*after=*/false, proc::In(kSoon), [] {});
  if (!step.ended) return 0;
  const auto ended = child.Wait(proc::In(kSoon));
  return ended && ended->ok() ? step.calls : 0;
}

}  // namespace

// Of the process that uses the lock: a lock behind an adapter has its costs
// elsewhere.
Sample Resources(const SubjectFactory& subject, const std::string& dir,
                 const Effort&) {
  if (subject.remote()) return {};
  const proc::TempDir place(dir);
  proc::Shared<Bill> bill;
  proc::Child child =
      proc::Child::Spawn([&] { return Count(subject, place.path(), &*bill); },
                         {.own_group = true});
  (void)child.Wait(proc::In(kSoon));
  if (!bill->done) return Trouble("the lock was not had");
  Sample sample;
  const auto add = [&sample](const char* measure, double value,
                             const char* unit) {
    // 0 needs no row: a lock without a descriptor has none to show.
    if (value <= 0) return;
    sample.values.push_back({.measure = measure, .value = value, .unit = unit});
  };
  add("memory", bill->bytes, "bytes");
  add("descriptors", bill->descriptors, "descriptors");
  add("cpu", bill->cpu_ns, "ns");
  const proc::TempDir other(dir);
  add("system-calls", CallsOf(subject, other / "job"), "calls");
  return sample;
}

}  // namespace locklab::bench
