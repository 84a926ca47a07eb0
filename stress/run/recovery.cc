#include "stress/run/recovery.h"

#include <unistd.h>

#include <atomic>
#include <exception>

#include "conformance/history/log_writer.h"
#include "conformance/proc/child.h"
#include "conformance/proc/interrupts.h"
#include "conformance/proc/latch.h"
#include "conformance/proc/patience.h"
#include "conformance/proc/shared.h"
#include "conformance/proc/temp_dir.h"

namespace locklab::run {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using history::NowNs;
using proc::Latch;

// What comes at once on a good day.
const auto kSoon = proc::Patient(30s);
constexpr int kNevers = 2;
constexpr int kAsleepMs = 25;

struct Scene {
  std::atomic<int64_t> granted_ns;  // 0: not yet
  std::atomic<bool> failed;
  char message[200];

  void Fail(const Outcome& outcome) {
    outcome.message.copy(message, sizeof message - 1);
    failed = true;
  }
};

int Hold(const SubjectFactory& subject, const std::string& path, Latch* held,
         Scene* scene) {
  const auto lock = subject.Make(path);
  const Outcome outcome = lock->Acquire(kSoon);
  if (!outcome.ok()) scene->Fail(outcome);
  held->Open();
  for (;;) pause();
}

int WaitFor(const SubjectFactory& subject, const std::string& path,
            Latch* waiting, Scene* scene) {
  const auto lock = subject.Make(path);
  lock->Warm();
  waiting->Open();
  const Outcome outcome = lock->Acquire(std::chrono::nanoseconds(-1));
  if (!outcome.ok()) scene->Fail(outcome);
  scene->granted_ns = NowNs();
  // The end kills it; what it holds goes with the directory.
  for (;;) pause();
}

// Returns what hinders it; empty: nothing does.
std::string KillOne(const SubjectFactory& subject, const std::string& dir,
                    std::chrono::milliseconds bound, Recovery* recovery) {
  const proc::TempDir place(dir);
  const std::string path = place / "job";
  proc::Shared<Scene> scene;
  Latch held;
  Latch waiting;
  proc::Child holder = proc::Child::Spawn(
      [&] { return Hold(subject, path, &held, &*scene); }, {.own_group = true});
  if (held.Wait(proc::In(kSoon)) != Latch::kOpen) {
    return "the holder did not come to hold the lock";
  }
  proc::Child waiter = proc::Child::Spawn(
      [&] { return WaitFor(subject, path, &waiting, &*scene); },
      {.own_group = true});
  // Asleep for as long as a lock that lets everybody in takes to say so.
  int asleep = 0;
  const auto waits = [&] {
    if (waiter.Asleep()) ++asleep;
    return asleep >= kAsleepMs || scene->granted_ns != 0;
  };
  if (waiting.Wait(proc::In(kSoon)) != Latch::kOpen ||
      !proc::Eventually(waits, proc::In(kSoon), 1ms)) {
    return "the waiter did not come to wait for the lock";
  }
  if (scene->failed) return scene->message;
  if (scene->granted_ns != 0) return "it was given to two";
  const int64_t killed_ns = NowNs();
  holder.Stop();
  ++recovery->kills;
  proc::Eventually([&] { return scene->granted_ns != 0; }, proc::In(bound));
  if (scene->failed) return scene->message;
  if (scene->granted_ns == 0) return "";
  ++recovery->recovered;
  recovery->next.Record(scene->granted_ns - killed_ns);
  return "";
}

}  // namespace

Recovery MeasureRecovery(const SubjectFactory& subject, const std::string& dir,
                         int kills, std::chrono::milliseconds bound) {
  Recovery recovery;
  try {
    while (recovery.kills < kills && recovery.trouble.empty() &&
           recovery.kills - recovery.recovered < kNevers &&
           proc::Interrupts::Pending() == 0) {
      recovery.trouble = KillOne(subject, dir, bound, &recovery);
    }
  } catch (const std::exception& error) {
    recovery.trouble = error.what();
  }
  return recovery;
}

}  // namespace locklab::run
