#include <atomic>

#include "bench/bench.h"

namespace locklab::bench {
namespace {

std::atomic<bool> failed{false};

}  // namespace

void Fail(benchmark::State& state, const std::string& why) {
  failed = true;
  state.SkipWithError(why.c_str());
}

bool AnyFailed() { return failed; }

}  // namespace locklab::bench
