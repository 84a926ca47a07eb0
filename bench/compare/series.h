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

namespace locklab::bench {

inline constexpr int kSeriesSchema = 1;

// Nanoseconds, in the order in which they were taken: less is better.
struct Series {
  std::string backend;  // "link"
  std::string measure;  // "uncontended"
  std::vector<double> samples = {};

  bool operator==(const Series&) const = default;
};

// Of a lock: whether what was measured was judged correct.
struct Correctness {
  std::string backend;
  std::string verdict;  // as VerdictName
  std::string reason;

  bool operator==(const Correctness&) const = default;
};

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
  std::vector<double>& At(std::string_view backend, std::string_view measure);
  [[nodiscard]] const Series* Find(std::string_view backend,
                                   std::string_view measure) const;

  bool operator==(const SeriesFile&) const = default;
};

// Says which file, what is wrong with it, and what to do.
class SeriesError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

[[nodiscard]] std::string ToJson(const SeriesFile& file);
// `name` is for messages. Throws SeriesError: it is no such file, it is of a
// newer schema, a sample is not a positive finite number.
[[nodiscard]] SeriesFile FromJson(std::string_view text,
                                  const std::string& name);
// Throws SeriesError, also if it cannot be read.
[[nodiscard]] SeriesFile ReadSeries(const std::string& path);

}  // namespace locklab::bench

#endif  // LOCKLAB_BENCH_COMPARE_SERIES_H_
