#include "tools/locklab/traces.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <vector>

#include "conformance/history/log_format.h"
#include "conformance/history/log_reader.h"
#include "conformance/report/write_file.h"
#include "tools/locklab/flags.h"

namespace locklab::cli {
namespace {

namespace fs = std::filesystem;

struct History {
  std::string name;  // of its lock
  std::vector<std::string> logs;
};

// Throws history::HistoryError.
std::vector<History> HistoriesIn(const std::string& dir) {
  std::vector<History> found;
  std::error_code error;
  for (fs::directory_iterator it(dir, error), end; !error && it != end;
       it.increment(error)) {
    std::vector<std::string> logs = history::LogsIn(it->path().string());
    if (logs.empty()) continue;
    found.push_back({it->path().filename().string(), std::move(logs)});
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw history::HistoryError(dir, error.message());
  }
  std::sort(found.begin(), found.end(),
            [](const History& a, const History& b) { return a.name < b.name; });
  return found;
}

}  // namespace

void TraceFile::Declare(CLI::App& app) {
  app.add_option("--trace", path_,
                 "Write the histories as a timeline, to be opened in "
                 "https://ui.perfetto.dev.")
      ->type_name("FILE");
  AddNumber(app, "--trace-events", &events_,
            "How many events of each history --trace shows, around its first "
            "violation if there is one; 0: all.",
            0, INT64_MAX);
}

void TraceFile::Check(const ReportFiles& others) const {
  if (wanted()) others.CheckOther("--trace", path_);
}

bool TraceFile::Write(const report::RunReport& report,
                      const std::string& histories, Context& context) const {
  bool all = true;
  const auto say = [&](std::string_view what) {
    fmt::print(context.err.stream, "locklab: --trace={}: {}\n", path_, what);
    all = false;
  };
  try {
    const std::vector<History> found = HistoriesIn(histories);
    if (found.empty()) {
      say("the run left no histories: none of its claims let several "
          "processes contend");
      return false;
    }
    const std::string error = report::StreamFile(path_, [&](std::ostream& out) {
      report::TraceWriter trace(out, static_cast<int64_t>(events_));
      for (const History& history : found) {
        try {
          trace.Add(history.name, history.logs);
        } catch (const history::HistoryError& damaged) {
          say(damaged.what());
        }
      }
      trace.Finish(
          {{"program", fmt::format("locklab {}", report.context.suite_version)},
           {"run", report.context.run_id},
           {"command", report.context.command_line},
           {"directory", report.context.dir},
           {"filesystem", report.context.filesystem.type},
           {"seed", fmt::to_string(report.context.seed)}});
    });
    if (!error.empty()) say(error);
  } catch (const history::HistoryError& error) {
    say(error.what());
  }
  return all;
}

}  // namespace locklab::cli
