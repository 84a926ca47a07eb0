#include "bench/bench.h"

#include <algorithm>
#include <atomic>
#include <cmath>

namespace locklab::bench {
namespace {

std::atomic<bool> failed{false};

}  // namespace

double Percentile(std::vector<double>& samples, double share) {
  if (samples.empty()) return 0;
  std::sort(samples.begin(), samples.end());
  const auto last = static_cast<double>(samples.size() - 1);
  return samples[static_cast<size_t>(std::lround(last * share))];
}

void Fail(benchmark::State& state, const std::string& why) {
  failed = true;
  state.SkipWithError(why.c_str());
}

bool AnyFailed() { return failed; }

}  // namespace locklab::bench
