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

// Gives claims the result of the contest that was held for their lock, of the
// deaths that were tried and of the scenarios; runs any other contest.
class MeasuredArena : public run::ContentionArena {
 public:
  explicit MeasuredArena(const Contest& contest) : contest_(contest) {}
  void Put(std::string_view subject, ContestResult result) {
    results_.insert_or_assign(std::string(subject), std::move(result));
  }
  void PutDeaths(std::string_view subject, Finding found) {
    deaths_.insert_or_assign(std::string(subject), std::move(found));
  }
  void PutScenarios(std::string_view subject, Finding found) {
    scenarios_.insert_or_assign(std::string(subject), std::move(found));
  }
  std::optional<Finding> Deaths(const SubjectFactory& subject) override {
    return Known(deaths_, subject);
  }
  std::optional<Finding> Scenarios(const SubjectFactory& subject) override {
    return Known(scenarios_, subject);
  }
  // Of another lock than `subject`, or another contest: runs it.
  ContestResult Contend(const SubjectFactory& subject, const std::string& dir,
                        const Contest& contest) override;

 private:
  using Findings = std::map<std::string, Finding, std::less<>>;
  static std::optional<Finding> Known(const Findings& findings,
                                      const SubjectFactory& subject);

  const Contest contest_;
  std::map<std::string, ContestResult, std::less<>> results_;
  Findings deaths_;
  Findings scenarios_;
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
