// What locklab bench leaves: samples by lock and measure, where and with what
// they were taken, and whether the locks were correct meanwhile. A file, JSON.
#ifndef LOCKLAB_BENCH_COMPARE_SERIES_H_
#define LOCKLAB_BENCH_COMPARE_SERIES_H_

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conformance/report/report.h"
#include "conformance/store/bench_run.h"

namespace locklab::bench {

inline constexpr int kSeriesSchema = 1;

// Of a lock and a measure: samples in the order in which they were taken, their
// unit, and the distribution that they are medians or percentiles of.
using store::Series;
// Of a lock: whether what was measured was judged correct.
using store::Correctness;

struct SeriesFile {
  std::string suite_version = {};
  std::string command_line = {};
  std::string started = {};  // UTC
  uint64_t seed = 0;
  // What has to be the same, or numbers cannot be compared: "host", "kernel",
  // "processors", "filesystem", "suite".
  std::vector<std::pair<std::string, std::string>> environment = {};
  std::vector<Series> series = {};
  std::vector<Correctness> locks = {};

  // Makes it if there is none yet.
  Series& SeriesAt(std::string_view backend, std::string_view measure);
  std::vector<double>& At(std::string_view backend, std::string_view measure) {
    return SeriesAt(backend, measure).samples;
  }
  [[nodiscard]] const Series* Find(std::string_view backend,
                                   std::string_view measure) const;

  bool operator==(const SeriesFile&) const = default;
};

// Says which file, what is wrong with it, and what to do.
class SeriesError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// "24.2 us", "13 calls": three digits.
[[nodiscard]] std::string ShowValue(double value, const std::string& unit);

[[nodiscard]] std::string ToJson(const SeriesFile& file);
// `name` is for messages. Throws SeriesError: it is no such file, it is of a
// newer schema, a sample is not a positive finite number.
[[nodiscard]] SeriesFile FromJson(std::string_view text,
                                  const std::string& name);
// Without samples and locks: of a run in `context`.
[[nodiscard]] SeriesFile HeaderOf(const report::Context& context);
// Of a run that a results store has.
[[nodiscard]] SeriesFile FromRun(const store::BenchRun& run);
// Throws SeriesError, also if it cannot be read.
[[nodiscard]] SeriesFile ReadSeries(const std::string& path);

}  // namespace locklab::bench

#endif  // LOCKLAB_BENCH_COMPARE_SERIES_H_
