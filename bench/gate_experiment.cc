// Does the gate find a backend that became 10 % slower, and how often does it
// cry about nothing?
//
//   bazel run //bench:gate_experiment -- --dir=DIR
//
// In each run three sides take samples of a free lock by turns: the base, the
// same again, and the same slowed by --slow; of its time, and of its time over
// that of the bare system calls. The gate of `locklab gate`, with its own
// limits, compares base and same (A against A: an alarm is false) and base and
// slowed (no alarm: it was missed).
//
// --save leaves the samples, --replay judges saved ones again: the same samples
// always give the same counts.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdint>
#include <exception>
#include <fstream>
#include <iostream>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/compare/compare.h"
#include "bench/measure/measure.h"
#include "bench/slowed.h"
#include "conformance/proc/interrupts.h"
#include "conformance/subject/subject.h"

namespace locklab::bench {
namespace {

constexpr size_t kSides = 3;
constexpr std::array<const char*, kSides> kNames = {"base", "same", "slowed"};
enum Side { kBase, kSame, kSlowed };

struct Flags {
  std::string dir = "/dev/shm";
  std::string backend = "link";
  int runs = 100;
  int samples = 64;
  int each_ms = 5;
  double slow = 10;  // %
  uint64_t seed = std::random_device{}() >> 1;
  std::string save;
  std::string replay;
};

// What a slow-down of the lock shows itself in.
constexpr std::array<const char*, 2> kMeasures = {"uncontended", "over-floor"};

// Of one run, by side.
using Run = std::array<SeriesFile, kSides>;

struct Counts {
  int runs = 0;
  int false_alarms = 0;
  int found = 0;
  double noise = 0;
  double slowed = 0;
};

void TakeSample(const SubjectFactory& subject, const Flags& flags,
                SeriesFile* side) {
  const Sample sample = MeasureUncontended(
      subject, flags.dir, std::chrono::milliseconds(flags.each_ms));
  if (!sample.trouble.empty()) throw std::runtime_error(sample.trouble);
  for (const char* measure : kMeasures) {
    for (const Value& value : sample.values) {
      if (value.measure != measure) continue;
      side->At(flags.backend, measure).push_back(value.value);
    }
  }
}

// The order of the sides changes from round to round, so that a drift touches
// all alike.
Run TakeRun(const Flags& flags, std::mt19937_64& random) {
  const auto base = BackendSubject(flags.backend);
  if (base == nullptr) {
    throw std::runtime_error("there is no backend " + flags.backend);
  }
  const Slowed slowed(*base, flags.slow / 100);
  Run run;
  std::array<size_t, kSides> order = {kBase, kSame, kSlowed};
  for (int i = 0; i < flags.samples; ++i) {
    for (size_t left = order.size(); left > 1; --left) {
      std::swap(order[left - 1], order[random() % left]);
    }
    for (const size_t side : order) {
      const SubjectFactory& subject =
          side == kSlowed ? static_cast<const SubjectFactory&>(slowed) : *base;
      TakeSample(subject, flags, &run[side]);
    }
  }
  return run;
}

void Count(const Run& run, Counts* counts) {
  const Compared same = CompareFiles(run[kBase], run[kSame], {});
  const Compared slowed = CompareFiles(run[kBase], run[kSlowed], {});
  ++counts->runs;
  if (same.regressed()) ++counts->false_alarms;
  if (slowed.regressed()) ++counts->found;
  counts->noise += same.noise;
  counts->slowed += slowed.rows.back().comparison.ratio.ratio;
}

// A line a side and measure, in order.
void Save(const Run& run, std::ostream& out) {
  for (size_t side = 0; side < kSides; ++side) {
    for (const Series& series : run[side].series) {
      out << kNames[side] << ' ' << series.backend << ' ' << series.measure;
      for (const double sample : series.samples) {
        out << fmt::format(" {:.5g}", sample);
      }
      out << '\n';
    }
  }
}

std::vector<Run> ReadRuns(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error(path + " cannot be read");
  std::vector<Run> runs;
  size_t count = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string name;
    std::string backend;
    std::string measure;
    words >> name >> backend >> measure;
    const size_t side = count / kMeasures.size() % kSides;
    if (name != kNames[side] ||
        measure != kMeasures[count % kMeasures.size()]) {
      throw std::runtime_error(fmt::format(
          "{}: \"{} {}\" where \"{} {}\" comes", path, name, measure,
          kNames[side], kMeasures[count % kMeasures.size()]));
    }
    if (count++ % (kSides * kMeasures.size()) == 0) runs.emplace_back();
    auto& samples = runs.back()[side].At(backend, measure);
    for (double sample = 0; words >> sample;) samples.push_back(sample);
  }
  if (runs.empty() || count % (kSides * kMeasures.size()) != 0) {
    throw std::runtime_error(path + " ends in the middle");
  }
  return runs;
}

int Say(const Counts& counts) {
  const double runs = counts.runs;
  fmt::print(
      "{} runs: A against A raised {} false alarms; the slow-down was found in "
      "{}\nslowed is {:.3f} x base over the floor, noise floor {:.1f} % (means "
      "of the runs)\n",
      counts.runs, counts.false_alarms, counts.found, counts.slowed / runs,
      100 * counts.noise / runs);
  // Fewer than 2 of 100 may be false; nearly all must be found.
  const bool good =
      counts.false_alarms * 50 < counts.runs && counts.found >= 0.95 * runs;
  fmt::print("{}\n", good ? "passed: fewer than 2 % false, 95 % or more found"
                          : "FAILED: fewer than 2 % may be false, 95 % must be "
                            "found");
  return good ? 0 : 1;
}

int Experiment(const Flags& flags) {
  Counts counts;
  if (!flags.replay.empty()) {
    for (const Run& run : ReadRuns(flags.replay)) Count(run, &counts);
    return Say(counts);
  }
  fmt::print(
      "seed {}: {} on {}, {} runs of {} samples of {} ms a side, slowed "
      "by {} %\n",
      flags.seed, flags.backend, flags.dir, flags.runs, flags.samples,
      flags.each_ms, flags.slow);
  std::ofstream saved;
  if (!flags.save.empty()) saved.open(flags.save);
  std::mt19937_64 random(flags.seed);
  for (int i = 0; i < flags.runs; ++i) {
    const Run run = TakeRun(flags, random);
    Count(run, &counts);
    if (saved.is_open()) Save(run, saved);
    fmt::print(stderr, "run {}: {} false, {} found\n", i + 1,
               counts.false_alarms, counts.found);
  }
  if (saved.is_open() && !saved.flush()) {
    throw std::runtime_error(flags.save + " cannot be written");
  }
  return Say(counts);
}

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app(
      "Does the gate find a slow-down, and does it cry about nothing? Exit "
      "codes: 0 it does and does not, 1 not so, 2 usage.");
  app.add_option("--dir", flags.dir, "Where to lock.")->capture_default_str();
  app.add_option("--backend", flags.backend)->capture_default_str();
  app.add_option("--runs", flags.runs)->check(CLI::Range(1, 100'000));
  app.add_option("--samples", flags.samples, "Of a side in a run.")
      ->check(CLI::Range(1, 100'000));
  app.add_option("--each-ms", flags.each_ms, "How long a sample takes.")
      ->check(CLI::Range(1, 10'000));
  app.add_option("--slow", flags.slow, "Percent.")->check(CLI::Range(0, 1000));
  app.add_option("--seed", flags.seed, "Of the order of the sides.");
  app.add_option("--save", flags.save, "Leave the samples in this file.");
  app.add_option("--replay", flags.replay, "Judge what --save left.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return Experiment(flags);
}

}  // namespace
}  // namespace locklab::bench

int main(int argc, char** argv) {
  try {
    return locklab::bench::Main(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "gate_experiment: " << error.what() << "\n";
    return 1;
  }
}
