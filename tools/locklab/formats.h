// The formats in which a report can be written, and the flags that ask for
// them: the same for every subcommand that has a report.
#ifndef LOCKLAB_TOOLS_LOCKLAB_FORMATS_H_
#define LOCKLAB_TOOLS_LOCKLAB_FORMATS_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/report/report.h"
#include "tools/locklab/command.h"

namespace locklab::cli {

struct ReportFormat {
  std::string_view name;  // the flag is --NAME=FILE
  std::string_view doc;   // one line
  // A pure function of a judged report.
  std::string (*write)(const report::RunReport& report);
};

// THE TABLE.
[[nodiscard]] std::span<const ReportFormat> ReportFormats();

// Where to write a report, in which formats.
class ReportFiles {
 public:
  // One flag a format. `this` must outlive `app`.
  void Declare(CLI::App& app);

  // Throws UsageError if two reports would go to one place, or one to a place
  // that is not to be had: before a run takes its time. `printed` is what
  // --format asks for.
  void Check(std::string_view printed = "text") const;
  // The same of a file that is no report: `flag` names `path`.
  void CheckOther(std::string_view flag, const std::string& path) const;

  [[nodiscard]] bool empty() const { return wanted_.empty(); }
  // One of them is to go to standard output ("-"), where nothing else may.
  [[nodiscard]] bool ToStdout() const;

  // Writes all of them, each whole or not at all. False: one could not be
  // written, which was said on `context.err`; the others were tried.
  [[nodiscard]] bool Write(const report::RunReport& report,
                           Context& context) const;

 private:
  struct Wanted {
    const ReportFormat* format;
    std::string path;  // "-": standard output
  };
  std::vector<Wanted> wanted_;
};

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_FORMATS_H_
