// locklab gate --series=DIR: where a history of runs changed for the worse.
#ifndef LOCKLAB_TOOLS_LOCKLAB_GATE_SERIES_H_
#define LOCKLAB_TOOLS_LOCKLAB_GATE_SERIES_H_

#include <cstdint>
#include <string>

#include "bench/trend/trend.h"
#include "conformance/verdict/exit.h"
#include "tools/locklab/command.h"

namespace locklab::cli {

struct SeriesFlags {
  std::string results;   // --series
  uint64_t last = 200;   // runs to look at
  std::string backends;  // empty: all
  bool insist = false;   // although surroundings are not the same
  bool json = false;     // and not text
  std::string markdown;  // a file; empty: none
  bench::TrendLimits limits = {};
};

// Throws UsageError: no sound store, no such run, surroundings that differ.
[[nodiscard]] Exit GateSeries(const SeriesFlags& flags, Context& context);

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_GATE_SERIES_H_
