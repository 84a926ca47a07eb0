#include "bench/measure/measure.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <system_error>

#include "bench/measure/latency.h"
#include "conformance/history/log_writer.h"
#include "conformance/proc/child.h"
#include "conformance/proc/latch.h"
#include "conformance/proc/shared.h"
#include "conformance/proc/temp_dir.h"
#include "stress/run/contention.h"
#include "stress/run/recovery.h"

namespace locklab::bench {
namespace {

using namespace std::chrono_literals;

constexpr auto kSoon = 30s;

Sample Trouble(std::string why) { return {.trouble = std::move(why)}; }

Sample Uncontended(const SubjectFactory& subject, const std::string& dir,
                   uint64_t) {
  const Latency latency = MeasureLatency(subject, dir, 40ms);
  if (latency.lock_ns.count() == 0) return Trouble(latency.error);
  const auto median = [](const history::Histogram& histogram) {
    return static_cast<double>(histogram.percentiles().p50);
  };
  Sample sample;
  sample.values.emplace_back("uncontended", median(latency.lock_ns));
  if (latency.floor_ns.count() > 0) {
    sample.values.emplace_back("floor", median(latency.floor_ns));
  }
  return sample;
}

// --- a try on a held lock ---------------------------------------------------

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

Sample TryHeld(const SubjectFactory& subject, const std::string& dir,
               uint64_t) {
  const proc::TempDir place(dir);
  const std::string path = place / "job";
  proc::Latch held;
  proc::Shared<Tries> tries;
  const proc::Child holder = proc::Child::Spawn(
      [&] {
        const auto lock = subject.Make(path);
        if (!lock->Acquire(kSoon).ok()) return 1;
        held.Open();
        for (;;) pause();
      },
      {.own_group = true});
  if (held.Wait(proc::In(kSoon)) != proc::Latch::kOpen) {
    return Trouble("the holder did not come to hold the lock");
  }
  proc::Child child = proc::Child::Spawn(
      [&] { return Try(subject, path, &*tries); }, {.own_group = true});
  (void)child.Wait(proc::In(kSoon));
  if (tries->wrong) {
    return {.correct = Finding::Fail("a try on a held lock was not refused")};
  }
  const size_t count = tries->count;
  if (count == 0) return Trouble("no try ended");
  std::sort(tries->ns.begin(),
            tries->ns.begin() + static_cast<std::ptrdiff_t>(count));
  return {.values = {{"try-held", static_cast<double>(tries->ns[count / 2])}}};
}

// --- many, and a death ------------------------------------------------------

Sample Contended(const SubjectFactory& subject, const std::string& dir,
                 uint64_t seed) {
  run::ContentionPlan plan;
  plan.dir = dir;
  plan.duration = 200ms;
  plan.deadline = kSoon;
  plan.hold = run::Delay::Parse("50us");
  plan.seed = seed;
  const run::ContentionResult result = run::RunContention(subject, plan);
  for (const Finding* finding :
       {&result.exclusion, &result.coherence, &result.progress}) {
    if (finding->verdict == Verdict::kFail) return {.correct = *finding};
    if (finding->verdict != Verdict::kPass) return Trouble(finding->reason);
  }
  const judge::Judgement& judgement = result.judgement;
  const auto wait = judgement.wait.percentiles();
  const auto nanoseconds =
      static_cast<double>(judgement.end_ns - judgement.start_ns);
  return {.values = {
              {"contended-wait-p50", static_cast<double>(wait.p50)},
              {"contended-wait-p99", static_cast<double>(wait.p99)},
              {"contended-each",
               nanoseconds / static_cast<double>(result.acquisitions)},
          }};
}

// Two take turns, so that each wait is one hand-off.
Sample HandOff(const SubjectFactory& subject, const std::string& dir,
               uint64_t seed) {
  run::ContentionPlan plan;
  plan.dir = dir;
  plan.processes = 2;
  plan.duration = 100ms;
  plan.deadline = kSoon;
  plan.hold = run::Delay::Parse("200us");
  plan.counter_file = false;
  plan.seed = seed;
  const run::ContentionResult result = run::RunContention(subject, plan);
  if (result.exclusion.verdict == Verdict::kFail) {
    return {.correct = result.exclusion};
  }
  const auto hand_off = result.judgement.hand_off.percentiles();
  if (hand_off.p50 == 0) return Trouble("the lock was not handed on");
  return {.values = {{"hand-off", static_cast<double>(hand_off.p50)}}};
}

Sample Recovery(const SubjectFactory& subject, const std::string& dir,
                uint64_t) {
  const run::Recovery recovery = run::MeasureRecovery(subject, dir, 3, 5s);
  if (!recovery.trouble.empty()) return Trouble(recovery.trouble);
  if (recovery.recovered < recovery.kills || recovery.kills == 0) {
    return Trouble("a dead holder's lock did not come free");
  }
  return {.values = {{"recovery",
                      static_cast<double>(recovery.next.percentiles().p50)}}};
}

constexpr auto kTable = std::to_array<Experiment>({
    {"uncontended", "acquire and release of a free lock, and its floor",
     Uncontended},
    {"try-held", "a try on a lock that another process holds", TryHeld},
    {"hand-off", "from one's release to the other's grant", HandOff},
    {"contended", "8 processes that hold it for 50 us", Contended},
    {"recovery", "from the holder's SIGKILL to a waiter's grant", Recovery},
});

}  // namespace

std::span<const Experiment> Experiments() { return kTable; }

}  // namespace locklab::bench
