// Which lock to use, of those that were examined.
#ifndef LOCKLAB_CONFORMANCE_REPORT_RECOMMEND_H_
#define LOCKLAB_CONFORMANCE_REPORT_RECOMMEND_H_

#include <optional>

#include "conformance/report/report.h"

namespace locklab::report {

// Of the backends of a judged report: the safe one with the fewest failed
// claims; of these one that the kernel frees, unless other hosts may share the
// filesystem and nobody looked from there; of these the quickest under
// contention. nullopt: the run was partial or did not reach its end, so that
// nothing can be recommended yet.
[[nodiscard]] std::optional<Recommendation> Recommend(const RunReport& report);

}  // namespace locklab::report

#endif  // LOCKLAB_CONFORMANCE_REPORT_RECOMMEND_H_
