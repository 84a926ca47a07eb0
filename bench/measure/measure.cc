#include "bench/measure/measure.h"

#include <array>

#include "bench/measure/experiments.h"

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
