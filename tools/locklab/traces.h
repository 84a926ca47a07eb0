// --trace: the histories of a run as a timeline.
#ifndef LOCKLAB_TOOLS_LOCKLAB_TRACES_H_
#define LOCKLAB_TOOLS_LOCKLAB_TRACES_H_

#include <cstdint>
#include <string>

#include "conformance/report/report.h"
#include "conformance/report/trace.h"
#include "tools/locklab/command.h"
#include "tools/locklab/formats.h"

namespace locklab::cli {

class TraceFile {
 public:
  // Adds the flags. `this` must outlive `app`.
  void Declare(CLI::App& app);
  // Throws UsageError if the file cannot be made, or is one of `others`.
  void Check(const ReportFiles& others) const;
  [[nodiscard]] bool wanted() const { return !path_.empty(); }

  // Writes what the folders of `histories` hold, one history each. False: not
  // all of it could be read or written, which was said on `context.err`.
  [[nodiscard]] bool Write(const report::RunReport& report,
                           const std::string& histories,
                           Context& context) const;

 private:
  std::string path_;
  uint64_t events_ = report::kTraceEvents;
};

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_TRACES_H_
