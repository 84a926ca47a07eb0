// sample_writer DIR: writes each sample report in each format, and what a
// reader of them should count, for the tests that let other programs read.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "conformance/report/cases.h"
#include "conformance/report/json.h"
#include "conformance/report/junit.h"
#include "conformance/report/markdown.h"
#include "conformance/report/sample.h"
#include "conformance/report/tap.h"

namespace {

using namespace locklab;

std::string Counts(const report::RunReport& run) {
  int tests = 0;
  int outcomes[6] = {};
  for (const report::Suite& suite : report::SuitesOf(run)) {
    for (const report::Case& item : suite.cases) {
      ++tests;
      ++outcomes[static_cast<size_t>(item.outcome)];
    }
  }
  const auto count = [&outcomes](report::Outcome outcome) {
    return outcomes[static_cast<size_t>(outcome)];
  };
  return nlohmann::json{{"tests", tests},
                        {"failed", count(report::Outcome::kFailed)},
                        {"error", count(report::Outcome::kError)},
                        {"skipped", count(report::Outcome::kSkipped)},
                        {"expected", count(report::Outcome::kExpected)},
                        {"exit_code", static_cast<int>(ExitCodeOf(run))}}
      .dump();
}

void Write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: sample_writer DIR\n", stderr);
    return 2;
  }
  std::filesystem::create_directories(argv[1]);
  for (const report::Sample& sample : report::Samples()) {
    const std::string stem = std::string(argv[1]) + "/" + sample.name;
    Write(stem + ".counts", Counts(sample.report));
    Write(stem + ".json", report::ToJson(sample.report));
    Write(stem + ".xml", report::ToJunit(sample.report));
    Write(stem + ".tap", report::ToTap(sample.report));
    Write(stem + ".md", report::ToMarkdown(sample.report));
  }
  return 0;
}
