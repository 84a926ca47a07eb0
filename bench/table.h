// One table instead of a list: each backend beside its floor, as medians over
// the repetitions of one run.
#ifndef LOCKLAB_BENCH_TABLE_H_
#define LOCKLAB_BENCH_TABLE_H_

#include <benchmark/benchmark.h>

#include <map>
#include <string>
#include <vector>

namespace locklab::bench {

class TableReporter : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context& context) override;
  void ReportRuns(const std::vector<Run>& runs) override;

  // Markdown: a row for each backend that was measured.
  [[nodiscard]] std::string Table() const;

 private:
  // Of the repetitions; 0: not measured.
  [[nodiscard]] double Median(const std::string& what) const;

  // "uncontended/link/ratio/lock_ns" -> one a repetition.
  std::map<std::string, std::vector<double>> samples_;
};

}  // namespace locklab::bench

#endif  // LOCKLAB_BENCH_TABLE_H_
