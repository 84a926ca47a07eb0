#include "tools/locklab/bundles.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "conformance/bundle/bundle.h"
#include "conformance/report/plain.h"
#include "conformance/report/report.h"
#include "conformance/report/text.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/terminal.h"

namespace locklab::cli {
namespace {

using bundle::Verification;

std::string VerdictsOf(const report::RunReport& report) {
  std::string out;
  for (const report::BackendReport& backend : report.backends) {
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", backend.name,
                       WorthName(backend.worth));
  }
  return out.empty() ? "none" : out;
}

void PrintText(const Verification& verified, const std::string& path,
               Context& context) {
  const report::RunReport& report = verified.report;
  const int width = WidthOf(context.out);
  const auto line = [&context, width](const std::string& text) {
    context.out.stream << report::Wrap(report::OneLine(text), width, 2) << "\n";
  };
  line(fmt::format("bundle {} ({} bytes)", path, verified.bytes));
  context.out.stream << "sha256 " << verified.digest << "\n";
  line(fmt::format("run {} by locklab {}, seed {}, started {} on {} ({})",
                   report.context.run_id, report.context.suite_version,
                   report.context.seed, report.context.started,
                   report.context.dir, report.context.filesystem.type));
  line("command " + report.context.command_line);
  line("verdicts " + VerdictsOf(report));
  line(fmt::format("judged again: {} histories with {} events",
                   verified.histories, verified.events));
  if (report.context.suite_version != kSuiteVersion) {
    line(
        fmt::format("note: this is locklab {}, whose claims and rules may be "
                    "others",
                    kSuiteVersion));
  }
  for (const std::string& discrepancy : verified.discrepancies) {
    line("does not follow: " + discrepancy);
  }
  context.out.stream << (verified.discrepancies.empty()
                             ? "the verdicts follow\n"
                             : "the verdicts do NOT follow\n");
}

void PrintJson(const Verification& verified, Context& context) {
  const nlohmann::ordered_json json = {
      {"schema_version", 1},
      {"sha256", verified.digest},
      {"bytes", verified.bytes},
      {"run_id", verified.report.context.run_id},
      {"suite_version", verified.report.context.suite_version},
      {"seed", verified.report.context.seed},
      {"histories", verified.histories},
      {"events", verified.events},
      {"follows", verified.discrepancies.empty()},
      {"discrepancies", verified.discrepancies}};
  context.out.stream << json.dump(
                            2, ' ', false,
                            nlohmann::ordered_json::error_handler_t::replace)
                     << "\n";
}

}  // namespace

int VerifyBundle(const std::string& path, bool json, Context& context) {
  Verification verified;
  try {
    verified = bundle::Verify(path);
  } catch (const bundle::BundleError& error) {
    throw UsageError(report::OneLine(fmt::format("--verify={}", error.what())));
  }
  if (json) {
    PrintJson(verified, context);
  } else {
    PrintText(verified, path, context);
  }
  return verified.discrepancies.empty() ? kExitOk : kExitFailed;
}

}  // namespace locklab::cli
