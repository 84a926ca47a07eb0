// What two lots of samples say of each other, as `locklab compare`, `gate` and
// `bench --vs` print it.
#ifndef LOCKLAB_TOOLS_LOCKLAB_BENCH_PAIRS_H_
#define LOCKLAB_TOOLS_LOCKLAB_BENCH_PAIRS_H_

#include <CLI/CLI.hpp>
#include <string>

#include "bench/compare/compare.h"
#include "tools/locklab/bench_samples.h"
#include "tools/locklab/command.h"

namespace locklab::cli {

// What of a difference matters, and how it is told.
struct LimitFlags {
  double max_regression = 5;  // %
  double alpha = 0.01;
  bool insist = false;
  std::string markdown;
  std::string format = "text";
};
// All but --insist and --format, which not every subcommand has.
void AddLimitFlags(CLI::App& app, LimitFlags* flags);
// Throws UsageError.
bench::Limits LimitsOf(const LimitFlags& flags);

// Compares and prints. With `gate` the exit code is the verdict, and what was
// taken in other surroundings is refused (UsageError) without --insist.
Exit Say(const bench::SeriesFile& base, const bench::SeriesFile& candidate,
         const LimitFlags& flags, bool gate, Context& context);

// Takes the pairs that `what` asks for, keeps them where it says, and compares.
Exit RunPairs(const SampleFlags& what, const LimitFlags& limits, bool gate,
              Context& context);

// Writes what the flag asks for; an empty path: nothing. Throws UsageError.
void WriteForFlag(const char* flag, const std::string& path,
                  const std::string& text);

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_BENCH_PAIRS_H_
