// Many runs in one table: which lock is worth what on which filesystem.
#ifndef LOCKLAB_CONFORMANCE_REPORT_MATRIX_H_
#define LOCKLAB_CONFORMANCE_REPORT_MATRIX_H_

#include <span>
#include <string>
#include <vector>

#include "conformance/report/report.h"
#include "conformance/report/text.h"

namespace locklab::report {

// Of several runs in one place (Context::place) the one that was begun last, of
// those that were not cut short and examined all claims, if there are such;
// otherwise in the order given.
[[nodiscard]] std::vector<RunReport> LatestOfEach(
    std::vector<RunReport> reports);

// A row for each report, a column for each backend; below it why those that are
// not safe are not, and which lock to use where. Empty if there are no reports.
[[nodiscard]] std::string MatrixText(std::span<const RunReport> reports,
                                     const TextStyle& style);
[[nodiscard]] std::string MatrixMarkdown(std::span<const RunReport> reports);
// One document:
//   {schema_version: 1, filesystems: [{name, type, source, shared, mounts,
//    kernel, processors, profile, partial, cut_short, run_id, started,
//    backends: [{name, verdict, reason, expected, latency_ns: {p50, p99} or
//    null, wait_ns: {p50, p99} or null}],
//    recommendation: {backend, reason} or null}]}
[[nodiscard]] std::string MatrixJson(std::span<const RunReport> reports);

}  // namespace locklab::report

#endif  // LOCKLAB_CONFORMANCE_REPORT_MATRIX_H_
