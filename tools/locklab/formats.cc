#include "tools/locklab/formats.h"

#include <fmt/format.h>
#include <fmt/ostream.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "conformance/report/json.h"
#include "conformance/report/junit.h"
#include "conformance/report/markdown.h"
#include "conformance/report/tap.h"
#include "conformance/report/text.h"
#include "conformance/report/write_file.h"
#include "lib/errors.h"
#include "tools/locklab/flags.h"

namespace locklab::cli {
namespace {

std::string ToPlainText(const report::RunReport& report) {
  return report::ToText(report, {});
}

std::string ToStepSummary(const report::RunReport& report) {
  return report::ToMarkdown(report);
}

constexpr std::string_view kStdout = "-";

// Two names of one file that is yet to be made.
std::string Place(const std::string& path) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  return error ? path : absolute.lexically_normal().string();
}

// Why no file can be made at `path`; empty: it can, as far as one can see.
std::string Obstacle(const std::string& path) {
  const std::string parent =
      std::filesystem::path(Place(path)).parent_path().string();
  struct stat status {};
  if (stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return "it is a directory: name a file";
  }
  if (stat(parent.c_str(), &status) != 0) {
    return lockfile::Status::Failed("find the directory", parent, errno)
        .message;
  }
  if (access(parent.c_str(), W_OK | X_OK) != 0) {
    return lockfile::Status::Failed("write in", parent, errno).message;
  }
  return "";
}

}  // namespace

std::span<const ReportFormat> ReportFormats() {
  static constexpr ReportFormat kTable[] = {
      {"text", "Write the tables that a terminal shows.", ToPlainText},
      {"json", "Write JSON: all that was found (report --schema).",
       report::ToJson},
      {"junit", "Write JUnit's XML, for CI services.", report::ToJunit},
      {"tap", "Write the Test Anything Protocol, for prove(1).", report::ToTap},
      {"markdown", "Write the summary of a CI step, less than 1 MiB.",
       ToStepSummary},
  };
  return kTable;
}

void ReportFiles::Declare(CLI::App& app) {
  for (const ReportFormat& format : ReportFormats()) {
    app.add_option_function<std::string>(
           fmt::format("--{}", format.name),
           [this, &format](const std::string& path) {
             wanted_.push_back({&format, path});
           },
           fmt::format("{} \"-\": to standard output.", format.doc))
        ->type_name("FILE");
  }
}

void ReportFiles::CheckOther(std::string_view flag,
                             const std::string& path) const {
  std::string obstacle = Obstacle(path);
  if (path == kStdout) obstacle = "it is not for standard output: name a file";
  for (const Wanted& wanted : wanted_) {
    if (Place(wanted.path) != Place(path)) continue;
    obstacle = fmt::format("--{} is to go there, too: give each its own file",
                           wanted.format->name);
  }
  if (obstacle.empty()) return;
  throw UsageError(fmt::format("{}={}: {}", flag, path, obstacle));
}

void ReportFiles::Check(std::string_view printed) const {
  for (const Wanted& wanted : wanted_) {
    // Text gives way, since nobody has to ask for it.
    if (wanted.path == kStdout && printed != "text") {
      throw UsageError(
          fmt::format("--{}=- and --format={} both go to standard output, "
                      "which takes one report: drop one, or name a file",
                      wanted.format->name, printed));
    }
    const auto same = std::count_if(
        wanted_.begin(), wanted_.end(), [&wanted](const Wanted& other) {
          return Place(other.path) == Place(wanted.path);
        });
    if (same > 1) {
      throw UsageError(fmt::format(
          "--{}={}: another report is to go there, too: give each its own file",
          wanted.format->name, wanted.path));
    }
    const std::string obstacle =
        wanted.path == kStdout ? "" : Obstacle(wanted.path);
    if (!obstacle.empty()) {
      throw UsageError(fmt::format("--{}={}: {}", wanted.format->name,
                                   wanted.path, obstacle));
    }
  }
}

bool ReportFiles::ToStdout() const {
  return std::any_of(wanted_.begin(), wanted_.end(), [](const Wanted& wanted) {
    return wanted.path == kStdout;
  });
}

bool ReportFiles::Write(const report::RunReport& report,
                        Context& context) const {
  bool all = true;
  for (const Wanted& wanted : wanted_) {
    const std::string text = wanted.format->write(report);
    if (wanted.path == kStdout) {
      context.out.stream << text;
      continue;
    }
    const std::string error = report::WriteFile(wanted.path, text);
    if (error.empty()) continue;
    fmt::print(context.err.stream, "locklab: --{}={}: {}\n",
               wanted.format->name, wanted.path, error);
    all = false;
  }
  return all;
}

}  // namespace locklab::cli
