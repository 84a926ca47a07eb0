#include "tools/locklab/stress_report.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "conformance/proc/duration.h"
#include "conformance/report/text.h"
#include "tools/locklab/faults.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/terminal.h"

namespace locklab::cli {
namespace {

using run::ContentionPlan;
using run::ContentionResult;
using scenario::Course;
using scenario::CourseResult;
using scenario::FailedRound;
using Json = nlohmann::ordered_json;

// Below that what is said of all contenders is said of few.
constexpr double kActive = 0.9;

std::string Time(int64_t ns) { return ns == 0 ? "-" : report::ShortTime(ns); }

double Seconds(const judge::Judgement& judgement) {
  return static_cast<double>(judgement.end_ns - judgement.start_ns) / 1e9;
}

double Each(int64_t value, const ContentionResult& result) {
  return result.acquisitions == 0
             ? 0
             : static_cast<double>(value) /
                   static_cast<double>(result.acquisitions);
}

double Rate(const ContentionResult& result) {
  const double seconds = Seconds(result.judgement);
  return seconds > 0 ? static_cast<double>(result.acquisitions) / seconds : 0;
}

// Of the mean.
double SlowestShare(const ContentionResult& result) {
  const judge::Judgement& judgement = result.judgement;
  if (judgement.acquisitions == 0) return 0;
  int64_t slowest = judgement.acquisitions;
  for (const judge::ActorSummary& actor : judgement.actors) {
    slowest = std::min(slowest, actor.acquisitions);
  }
  if (static_cast<int>(judgement.actors.size()) < result.contenders) return 0;
  return static_cast<double>(slowest) * result.contenders /
         static_cast<double>(judgement.acquisitions);
}

int64_t Violations(const ContentionResult& result) {
  return std::max(result.violations, result.witness_violations);
}

// What is not so in the plan as the scenario has it, as flags.
std::string Parameters(const Course& course) {
  const ContentionPlan& plan = course.plan;
  const ContentionPlan usual = scenario::PlanOf(*course.scenario);
  std::string text;
  const auto add = [&text](bool differs, const std::string& flag) {
    if (differs) text += " " + flag;
  };
  add(plan.processes != usual.processes,
      fmt::format("--processes={}", plan.processes));
  add(plan.threads != usual.threads, fmt::format("--threads={}", plan.threads));
  add(plan.locks != usual.locks, fmt::format("--locks={}", plan.locks));
  add(plan.hold != usual.hold, "--hold=" + plan.hold.Describe());
  add(plan.think != usual.think, "--think=" + plan.think.Describe());
  add(plan.timeout != usual.timeout, "--timeout=" + plan.timeout.Describe());
  add(plan.rate != usual.rate, fmt::format("--rate={}", plan.rate));
  add(!plan.poisson, "--arrivals=fixed");
  add(plan.counter_file != usual.counter_file,
      fmt::format("--counter={}", plan.counter_file ? "on" : "off"));
  return text;
}

std::string Describe(const ContentionPlan& plan) {
  std::string text = fmt::format("{} processes", plan.processes);
  if (plan.threads > 1) text += fmt::format(" of {} threads", plan.threads);
  if (plan.locks > 1) text += fmt::format(", {} locks", plan.locks);
  text += ", hold " + plan.hold.Describe();
  if (plan.think != run::Delay()) text += ", think " + plan.think.Describe();
  if (plan.timeout != run::Delay()) {
    text += ", give up after " + plan.timeout.Describe();
  }
  if (plan.rate > 0) {
    text += fmt::format(", {} arrivals a second, {}", plan.rate,
                        plan.poisson ? "poisson" : "fixed");
  }
  return text;
}

// --- text -------------------------------------------------------------------

// Of the first column: that of the longest name.
size_t NamesWidth(const StressRun& run) {
  size_t width = 8;
  for (const Course& course : run.plan.courses) {
    width = std::max(width, course.backend.size());
  }
  return width;
}

void PrintWaits(const Course& course, const CourseResult& result, size_t width,
                std::ostream& out) {
  const ContentionResult& total = result.total;
  const judge::Judgement& judgement = total.judgement;
  const auto wait = judgement.wait.percentiles();
  fmt::print(out,
             "{:<{}} {:>8.0f} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>6.3f} "
             "{:>6.3f}{} {:>6.3f} {:>6.3f} {:>5}\n",
             course.backend, width, Rate(total), Time(wait.p50), Time(wait.p99),
             Time(wait.p99_9), Time(wait.p99_99), Time(wait.max),
             Time(judgement.hand_off.percentiles().p50), judgement.hold_share,
             judgement.active_share,
             judgement.active_share < kActive ? "!" : " ", judgement.jain,
             SlowestShare(total), Violations(total));
}

void PrintWaitsHead(size_t width, std::ostream& out) {
  fmt::print(out,
             "{:<{}} {:>8} {:^44} {:>9} {:>6} {:>6}  {:>6} {:>6} {:>5}\n"
             "{:<{}} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>6} {:>6}  "
             "{:>6} {:>6} {:>5}\n",
             "", width, "", "wait", "hand-off", "share", "all", "", "slow/",
             "two", "backend", width, "locks/s", "p50", "p99", "p99.9",
             "p99.99", "max", "p50", "held", "active", "jain", "mean", "held");
}

void PrintCosts(const Course& course, const CourseResult& result, size_t width,
                std::ostream& out) {
  const ContentionResult& total = result.total;
  const judge::Judgement& judgement = total.judgement;
  fmt::print(
      out,
      "{:<{}} {:>9} {:>8} {:>8.2f} {:>8.2f} {:>9} {:>9} {:>8} {:>8} {:>8}\n",
      course.backend, width,
      Time(static_cast<int64_t>(Each(total.usage.cpu_ns, total))),
      result.calls ? fmt::format("{:.1f}", *result.calls) : "-",
      Each(total.usage.slept, total), Each(total.usage.preempted, total),
      Time(judgement.hold.percentiles().p50),
      Time(judgement.reacquire.percentiles().p50), judgement.longest_streak,
      judgement.timeouts, judgement.acquire_errors + judgement.release_errors);
}

void PrintCostsHead(size_t width, std::ostream& out) {
  fmt::print(out,
             "{:<{}} {:^37} {:>9} {:>9} {:>8} {:>8} {:>8}\n"
             "{:<{}} {:>9} {:>8} {:>8} {:>8} {:>9} {:>9} {:>8} {:>8} {:>8}\n",
             "", width, "for each acquisition:", "hold", "reacquire", "longest",
             "failed", "", "backend", width, "cpu", "syscalls", "sleeps",
             "preempt", "p50", "p50", "streak", "tries", "errors");
}

// Courses of one scenario stand together.
template <typename Visit>
void ForEachOf(const StressRun& run, const scenario::Scenario& scenario,
               const Visit& visit) {
  for (size_t i = 0; i < run.plan.courses.size(); ++i) {
    const Course& course = run.plan.courses[i];
    const CourseResult& result = run.result.courses[i];
    if (course.scenario == &scenario) visit(course, result);
  }
}

void PrintScenario(const StressRun& run, const Course& first, Console& out) {
  const scenario::Scenario& scenario = *first.scenario;
  std::ostream& to = out.stream;
  const size_t width = NamesWidth(run);
  fmt::print(to, "\n{}: {}\n\n", scenario.name, Describe(first.plan));
  PrintWaitsHead(width, to);
  bool idle = false;
  ForEachOf(run, scenario, [&](const Course& c, const CourseResult& r) {
    if (r.rounds == 0) return;
    PrintWaits(c, r, width, to);
    idle |= r.total.judgement.active_share < kActive;
  });
  if (idle) {
    fmt::print(to,
               "!: for more than a tenth of the time not all of them were at "
               "it: what is said of fairness is not sure\n");
  }
  fmt::print(to, "\n");
  PrintCostsHead(width, to);
  ForEachOf(run, scenario, [&](const Course& c, const CourseResult& r) {
    if (r.rounds > 0) PrintCosts(c, r, width, to);
  });
  ForEachOf(run, scenario, [&](const Course& c, const CourseResult& r) {
    if (!r.excuse.empty()) {
      fmt::print(to, "{:<{}} unsupported: {}\n", c.backend, width, r.excuse);
    } else if (scenario.metrics != nullptr && r.rounds > 0) {
      fmt::print(to, "{}\n",
                 report::Wrap(fmt::format("{:<{}} {}", c.backend, width,
                                          scenario.metrics(c.plan, r.total)),
                              WidthOf(out), width + 1));
    }
  });
  ForEachOf(run, scenario, [&](const Course& c, const CourseResult& r) {
    PrintFaults(c.backend, r.total, to);
  });
}

void PrintTrouble(const StressRun& run, const Course& course,
                  const CourseResult& result, Console& out) {
  for (const FailedRound& failure : result.failures) {
    fmt::print(out.stream, "\n{}\n{}",
               report::Wrap(
                   fmt::format("fail {} {} ({}), round {}: {}", course.backend,
                               course.scenario->name, failure.what,
                               failure.round + 1, failure.finding.reason),
                   WidthOf(out), 2),
               failure.finding.evidence);
    if (!failure.history.empty()) {
      fmt::print(out.stream, "  history: {}\n", failure.history);
    }
    fmt::print(out.stream, "  replay: {}\n",
               ReplayOf(run, course, failure.seed));
  }
  const Finding worst = result.Worst();
  if (result.failed > 0) {
    fmt::print(out.stream, "{} {}: {} of {} rounds failed\n", course.backend,
               course.scenario->name, result.failed, result.rounds);
  } else if (worst.verdict == Verdict::kInconclusive) {
    fmt::print(
        out.stream, "\n{}\n",
        report::Wrap(fmt::format("inconclusive {} {}: {}", course.backend,
                                 course.scenario->name, worst.reason),
                     WidthOf(out), 2));
  } else if (result.rounds > 0 &&
             result.total.fairness.verdict == Verdict::kFail) {
    fmt::print(out.stream, "\n{}\n",
               report::Wrap(fmt::format("not fair: {} {}: {}", course.backend,
                                        course.scenario->name,
                                        result.total.fairness.reason),
                            WidthOf(out), 2));
  }
}

// --- JSON -------------------------------------------------------------------

Json PercentilesJson(const history::Histogram& histogram) {
  const auto p = histogram.percentiles();
  return {{"count", histogram.count()},
          {"p50", p.p50},
          {"p90", p.p90},
          {"p99", p.p99},
          {"p99_9", p.p99_9},
          {"p99_99", p.p99_99},
          {"max", p.max}};
}

Json FindingJson(const Finding& finding) {
  return {{"verdict", std::string(VerdictName(finding.verdict))},
          {"reason", finding.reason},
          {"evidence", finding.evidence}};
}

Json PlanJson(const ContentionPlan& plan) {
  return {{"processes", plan.processes},
          {"threads", plan.threads},
          {"locks", plan.locks},
          {"hold", plan.hold.Describe()},
          {"think", plan.think.Describe()},
          {"timeout", plan.timeout.Describe()},
          {"rate", plan.rate},
          {"arrivals", plan.poisson ? "poisson" : "fixed"},
          {"counter", plan.counter_file}};
}

Json MetricsJson(const CourseResult& result) {
  const ContentionResult& total = result.total;
  const judge::Judgement& judgement = total.judgement;
  Json metrics = {
      {"duration_s", Seconds(judgement)},
      {"acquisitions", total.acquisitions},
      {"acquisitions_per_s", Rate(total)},
      {"violations", Violations(total)},
      {"failed_tries", judgement.timeouts},
      {"errors", judgement.acquire_errors + judgement.release_errors},
      {"wait_ns", PercentilesJson(judgement.wait)},
      {"hand_off_ns", PercentilesJson(judgement.hand_off)},
      {"hold_ns", PercentilesJson(judgement.hold)},
      {"recovery_ns", PercentilesJson(judgement.recovery)},
      {"reacquire_ns", PercentilesJson(judgement.reacquire)},
      {"hold_share", judgement.hold_share},
      {"active_share", judgement.active_share},
      {"jain", judgement.jain},
      {"slowest_of_mean", SlowestShare(total)},
      {"longest_streak", judgement.longest_streak},
      {"cpu_ns_per_acquisition", Each(total.usage.cpu_ns, total)},
      {"sleeps_per_acquisition", Each(total.usage.slept, total)},
      {"preemptions_per_acquisition", Each(total.usage.preempted, total)},
      {"syscalls_per_acquisition", result.calls ? Json(*result.calls) : Json()},
      {"lost_updates", total.lost_updates},
      {"stale_reads", total.stale_reads}};
  if (total.response.count() > 0) {
    metrics["response_ns"] = PercentilesJson(total.response);
    metrics["backlog"] = total.backlog;
  }
  return metrics;
}

Json FaultsJson(const run::FaultReport& faults) {
  Json json = Json::array();
  for (const run::FaultCount& count : faults.kinds) {
    Json at;
    for (size_t i = 0; i < run::kStages; ++i) {
      if (count.at[i] == 0) continue;
      at[std::string(run::StageName(static_cast<run::Stage>(i)))] = count.at[i];
    }
    json.push_back({{"kind", std::string(run::RowOf(count.kind).name)},
                    {"due", count.due},
                    {"proven", count.done},
                    {"at", std::move(at)},
                    {"excuse", count.excuse}});
  }
  return json;
}

Json CourseJson(const StressRun& run, const Course& course,
                const CourseResult& result) {
  Json failures = Json::array();
  for (const FailedRound& failure : result.failures) {
    failures.push_back({{"round", failure.round},
                        {"seed", failure.seed},
                        {"what", failure.what},
                        {"finding", FindingJson(failure.finding)},
                        {"history", failure.history},
                        {"replay", ReplayOf(run, course, failure.seed)}});
  }
  const Finding worst = result.Worst();
  Json json = {{"backend", course.backend},
               {"scenario", std::string(course.scenario->name)},
               {"verdict", std::string(VerdictName(worst.verdict))},
               {"reason", worst.reason},
               {"parameters", PlanJson(course.plan)},
               {"rounds", result.rounds},
               {"failed_rounds", result.failed},
               {"failures", std::move(failures)}};
  if (result.rounds > 0) {
    json["findings"] = {{"exclusion", FindingJson(result.total.exclusion)},
                        {"coherence", FindingJson(result.total.coherence)},
                        {"progress", FindingJson(result.total.progress)},
                        {"fairness", FindingJson(result.total.fairness)},
                        {"survival", FindingJson(result.total.survival)},
                        {"purpose", FindingJson(result.purpose)}};
    json["metrics"] = MetricsJson(result);
    json["faults"] = FaultsJson(result.total.faults);
  }
  return json;
}

Json RecoveriesJson(const StressRun& run) {
  Json recoveries = Json::array();
  for (const auto& [backend, recovery] : run.recoveries) {
    recoveries.push_back({{"backend", backend},
                          {"kills", recovery.kills},
                          {"recovered", recovery.recovered},
                          {"next_ns", PercentilesJson(recovery.next)},
                          {"trouble", recovery.trouble}});
  }
  return recoveries;
}

}  // namespace

std::string ReplayOf(const StressRun& run, const Course& course,
                     uint64_t seed) {
  return fmt::format(
      "{} --backend={} --scenario={}{}{} --duration={} --seed={}",
      CommandOn("stress", run.dir, run.variant), course.backend,
      course.scenario->name, Parameters(course), FaultParameters(course.plan),
      proc::DurationText(std::min(run.plan.round, run.plan.duration)), seed);
}

Exit CodeOf(const StressRun& run) {
  bool any = false;
  Exit code = kExitOk;
  for (const CourseResult& course : run.result.courses) {
    any |= course.rounds > 0;
    const Verdict verdict = course.Worst().verdict;
    if (verdict == Verdict::kFail) return kExitFailed;
    if (verdict == Verdict::kInconclusive) code = kExitInconclusive;
  }
  if (!run.result.complete || !run.canary.caught) return kExitInconclusive;
  return any ? code : kExitNothingRan;
}

void PrintStressText(const StressRun& run, Console& out) {
  std::vector<const scenario::Scenario*> seen;
  for (const Course& course : run.plan.courses) {
    if (std::find(seen.begin(), seen.end(), course.scenario) != seen.end()) {
      continue;
    }
    seen.push_back(course.scenario);
    PrintScenario(run, course, out);
  }
  int64_t failed = 0;
  int64_t rounds = 0;
  for (size_t i = 0; i < run.plan.courses.size(); ++i) {
    PrintTrouble(run, run.plan.courses[i], run.result.courses[i], out);
    failed += run.result.courses[i].failed;
    rounds += run.result.courses[i].rounds;
  }
  const std::string canary = fmt::format(
      "canary {}: {}: {}", run.canary.canary,
      run.canary.caught ? "caught" : "GOT AWAY, so that nothing is proven",
      run.canary.reason);
  fmt::print(out.stream, "\n{}\n{} rounds in {:.1f} s, {} failed{}\n",
             report::Wrap(canary, WidthOf(out), 2), rounds, run.duration_s,
             failed, run.result.complete ? "" : "; cut short by a signal");
}

void PrintStressJson(const StressRun& run, Exit code, std::ostream& out) {
  Json courses = Json::array();
  for (size_t i = 0; i < run.plan.courses.size(); ++i) {
    courses.push_back(
        CourseJson(run, run.plan.courses[i], run.result.courses[i]));
  }
  Json document = {{"schema_version", 1},
                   {"suite_version", std::string(kSuiteVersion)},
                   {"dir", run.dir},
                   {"seed", run.plan.seed},
                   {"duration_s", run.duration_s},
                   {"complete", run.result.complete},
                   {"canary",
                    {{"name", run.canary.canary},
                     {"caught", run.canary.caught},
                     {"reason", run.canary.reason}}},
                   {"courses", std::move(courses)},
                   {"exit_code", static_cast<int>(code)}};
  if (!run.recoveries.empty()) {
    document["recoveries"] = RecoveriesJson(run);
    document["missing"] = run.missing;
  }
  out << document.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

}  // namespace locklab::cli
