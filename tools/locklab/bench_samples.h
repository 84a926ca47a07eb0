// Samples of what locks cost, as `locklab bench` and `gate` take them: by this
// program, or by turns with another build of it.
#ifndef LOCKLAB_TOOLS_LOCKLAB_BENCH_SAMPLES_H_
#define LOCKLAB_TOOLS_LOCKLAB_BENCH_SAMPLES_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "bench/compare/compare.h"
#include "bench/measure/measure.h"
#include "conformance/report/report.h"
#include "tools/locklab/check/progress.h"
#include "tools/locklab/command.h"
#include "tools/locklab/subjects.h"

namespace locklab::cli {

// What is measured, where, and how often.
struct SampleFlags {
  std::string dir;
  std::string backends;
  std::string experiments;
  std::string profile = "quick";
  std::string other;  // --vs
  uint64_t samples = stats::kFewestSamples;
  uint64_t seed = std::random_device{}() >> 1;
  std::string variant;
  std::string out;
  std::string out_base;
};
void AddSampleFlags(CLI::App& app, SampleFlags* flags);

// The experiments that are asked for. Throws UsageError.
std::vector<const bench::Experiment*> ParseExperiments(
    const SampleFlags& flags);

report::Context ContextOf(const std::string& dir, const SampleFlags& flags,
                          const Context& context);

// Takes one sample of each experiment on each lock, in `dir`, and adds it to
// `file`. Ends early when the user interrupts (proc::Interrupts).
void TakeSample(const std::vector<NamedSubject>& subjects,
                const std::vector<const bench::Experiment*>& experiments,
                const std::string& dir, const bench::Effort& effort,
                bench::SeriesFile* file);

struct Sides {
  bench::SeriesFile base;
  bench::SeriesFile candidate;
};
// Samples of the program --vs and of this one, as many pairs as --samples, each
// by a process of its own. Throws UsageError if one cannot take any. Ends early
// when the user interrupts.
Sides TakePairs(const std::string& dir, const SampleFlags& flags,
                const Context& context, check::Progress* progress);

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_BENCH_SAMPLES_H_
