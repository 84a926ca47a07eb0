// The contest that each lock is put to, once: several claims judge it.
#ifndef LOCKLAB_TOOLS_LOCKLAB_CHECK_CONTEST_H_
#define LOCKLAB_TOOLS_LOCKLAB_CHECK_CONTEST_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "conformance/history/histogram.h"
#include "conformance/report/report.h"
#include "stress/run/contention.h"

namespace locklab::check {

// Gives claims the result of the contest that was held for their lock, and of
// the trials that were made of it; runs any other contest.
class MeasuredArena : public run::ContentionArena {
 public:
  explicit MeasuredArena(const Contest& contest) : contest_(contest) {}
  void Put(std::string_view subject, ContestResult result) {
    results_.insert_or_assign(std::string(subject), std::move(result));
  }
  void Put(Trial trial, std::string_view subject, Finding found) {
    tried_.insert_or_assign({trial, std::string(subject)}, std::move(found));
  }
  std::optional<Finding> Tried(Trial trial,
                               const SubjectFactory& subject) override;
  // Of another lock than `subject`, or another contest: runs it.
  ContestResult Contend(const SubjectFactory& subject, const std::string& dir,
                        const Contest& contest) override;

 private:
  const Contest contest_;
  std::map<std::string, ContestResult, std::less<>> results_;
  std::map<std::pair<Trial, std::string>, Finding> tried_;
};

// Holds it, for longer where a slow filesystem does not get enough done to
// judge by, as long as `go_on` says so.
[[nodiscard]] run::ContentionResult HoldContest(
    const SubjectFactory& subject, run::ContentionPlan plan,
    const std::function<bool()>& go_on);

// Adds what was measured of a lock to its report, unless it is empty.
void AddDistribution(const history::Histogram& histogram, const char* of,
                     report::BackendReport* backend);

// What a report says of it.
void Report(const run::ContentionResult& result,
            report::BackendReport* backend);

}  // namespace locklab::check

#endif  // LOCKLAB_TOOLS_LOCKLAB_CHECK_CONTEST_H_
