#include "bench/measure/measure.h"

#include <unistd.h>

#include <array>
#include <chrono>

#include "bench/measure/experiments.h"
#include "conformance/proc/latch.h"
#include "conformance/proc/poll_until.h"

namespace locklab::bench {
namespace {

constexpr auto kTable = std::to_array<Experiment>({
    {"uncontended",
     "acquire and release of a free lock, its floor, and an empty loop",
     Uncontended},
    {"try-held", "a try on a lock that another process holds", TryHeld},
    {"hand-off",
     "from one's release to the other's grant, and bare ones by inotify and a "
     "pipe",
     HandOff},
    {"contended", "8 processes that hold it for 50 us", Contended},
    {"recovery", "from the holder's SIGKILL to a waiter's grant", Recovery},
    {"open-loop", "8 processes, 500 arrivals a second", OpenLoop, false},
    {"break", "to find out whether a holder lives, and to break a dead one's",
     Break, false},
    {"processes", "each acquisition with 1, 2, 4, ... processes", Processes,
     false},
    {"locks", "acquire and release beside 1, 10, ... locks that are held",
     Crowd, false},
    {"resources", "memory, descriptors, system calls and processor time",
     Resources, false},
});

}  // namespace

std::span<const Experiment> Experiments() { return kTable; }

std::optional<proc::Child> HolderOf(const SubjectFactory& subject,
                                    const std::string& path) {
  constexpr auto kSoon = std::chrono::seconds(30);
  proc::Latch held;
  proc::Child holder = proc::Child::Spawn(
      [&] {
        const auto lock = subject.Make(path);
        if (!lock->Acquire(kSoon).ok()) return 1;
        held.Open();
        for (;;) pause();
      },
      {.own_group = true});
  if (held.Wait(proc::In(kSoon)) != proc::Latch::kOpen) return std::nullopt;
  return holder;
}

void AddMedian(const char* measure, const history::Histogram& histogram,
               Sample* sample) {
  const auto median = static_cast<double>(histogram.percentiles().p50);
  if (median <= 0) return;
  sample->values.push_back({.measure = measure,
                            .value = median,
                            .unit = "ns",
                            .distribution = histogram});
}

}  // namespace locklab::bench
