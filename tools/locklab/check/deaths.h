// Deaths at the steps of each lock's operations: a claim judges them.
#ifndef LOCKLAB_TOOLS_LOCKLAB_CHECK_DEATHS_H_
#define LOCKLAB_TOOLS_LOCKLAB_CHECK_DEATHS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "conformance/report/report.h"
#include "conformance/subject/subject.h"
#include "conformance/verdict/verdict.h"

namespace locklab::check {

struct DeathsPlan {
  std::string dir;  // to make the experiments in
  // How failures are to be seen again: "locklab crash --dir=D --backend=link".
  std::string replay;
  uint64_t seed = 0;
  bool quick = true;  // a sample, and no point after the first that fails
};

// Lets a process die at the steps of the lock's operations; adds the points to
// the report. What follows from them; nullopt: none was reached, since the
// lock's calls cannot be stopped at, or `go_on` said so. Main thread only.
std::optional<Finding> TryDeaths(const SubjectFactory& subject,
                                 const DeathsPlan& plan,
                                 const std::function<bool()>& go_on,
                                 report::BackendReport* backend);

}  // namespace locklab::check

#endif  // LOCKLAB_TOOLS_LOCKLAB_CHECK_DEATHS_H_
