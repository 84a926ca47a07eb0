#include "tools/locklab/compare_peers.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "conformance/proc/duration.h"
#include "conformance/proc/interrupts.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/report/text.h"
#include "stress/adapters/adapter.h"
#include "stress/run/detector.h"
#include "stress/run/recovery.h"
#include "tools/locklab/check/progress.h"
#include "tools/locklab/stress_report.h"
#include "tools/locklab/terminal.h"

namespace locklab::cli {
namespace {

using run::Recovery;
using scenario::CampaignPlan;
using scenario::CampaignResult;
using std::chrono_literals::operator""s;

constexpr int kKills = 10;
constexpr std::chrono::milliseconds kBound = 3s;

std::string DefaultBackends() {
  std::string list;
  for (const auto& row : lockfile::Backends()) {
    list += fmt::format("{}{}", list.empty() ? "" : ",", row.name);
  }
  for (const auto& row : adapters::Adapters()) {
    list += fmt::format(",adapter:{}", row.name);
  }
  return list;
}

// One of each subject, until an interrupt.
std::vector<Recovery> KillHolders(const Peers& peers, const std::string& dir,
                                  check::Progress* progress) {
  std::vector<Recovery> recoveries(peers.subjects.size());
  for (size_t i = 0; i < recoveries.size(); ++i) {
    const NamedSubject& subject = peers.subjects[i];
    if (proc::Interrupts::Pending() != 0) break;
    progress->Stage(fmt::format("{}: holders are killed", subject.name));
    recoveries[i] = run::MeasureRecovery(*subject.factory, dir, kKills, kBound);
    progress->Done(1.0 / static_cast<double>(recoveries.size()));
  }
  return recoveries;
}

std::string Time(int64_t ns) { return ns == 0 ? "-" : report::ShortTime(ns); }

std::string RecoveryText(const Recovery& recovery) {
  if (!recovery.trouble.empty()) return "not seen";
  if (recovery.kills == 0) return "-";
  if (recovery.recovered < recovery.kills) {
    return fmt::format("never in {}", proc::DurationText(kBound));
  }
  const auto next = recovery.next.percentiles();
  return fmt::format("{} ({})", Time(next.p50), Time(next.max));
}

int64_t Violations(const scenario::CourseResult& course) {
  return std::max(course.total.violations, course.total.witness_violations);
}

void PrintRow(const std::string& name, size_t width,
              const scenario::CourseResult& course, const Recovery& recovery,
              std::ostream& out) {
  const judge::Judgement& judgement = course.total.judgement;
  const auto wait = judgement.wait.percentiles();
  const double seconds =
      static_cast<double>(judgement.end_ns - judgement.start_ns) / 1e9;
  fmt::print(
      out, "{:<{}} {:>8.0f} {:>5.0f} % {:>8} {:>8} {:>8} {:>6.3f} {:>5}  {}\n",
      name, width,
      static_cast<double>(judgement.acquisitions) / std::max(seconds, 1e-9),
      100 * judgement.hold_share, Time(wait.p50), Time(wait.p99),
      Time(wait.max), judgement.jain, Violations(course),
      RecoveryText(recovery));
}

// The courses of one scenario after another, each in the order of the peers.
void PrintTable(const Peers& peers, const CampaignPlan& plan,
                const CampaignResult& result,
                const std::vector<Recovery>& recoveries, std::ostream& out) {
  size_t width = std::string_view("backend").size();
  for (const NamedSubject& subject : peers.subjects) {
    width = std::max(width, subject.name.size());
  }
  const size_t count = peers.subjects.size();
  for (size_t i = 0; i < result.courses.size(); ++i) {
    const NamedSubject& subject = peers.subjects[i % count];
    if (i % count == 0) {
      fmt::print(out,
                 "\n{:<{}} {:>8} {:>7} {:^26} {:>6} {:>5}  {}\n"
                 "{:<{}} {:>8} {:>7} {:>8} {:>8} {:>8} {:>6} {:>5}  {}\n",
                 plan.courses[i].scenario->name, width, "", "share", "wait", "",
                 "two", "holder killed:", "backend", width, "locks/s", "held",
                 "p50", "p99", "max", "jain", "held", "next after p50 (max)");
    } else if (subject.backend == nullptr &&
               peers.subjects[i % count - 1].backend != nullptr) {
      out << "\n";
    }
    PrintRow(subject.name, width, result.courses[i], recoveries[i % count],
             out);
  }
}

void PrintRest(const Peers& peers, const CampaignPlan& plan,
               const CampaignResult& result,
               const std::vector<Recovery>& recoveries, Console& out) {
  const auto print = [&](const std::string& text) {
    fmt::print(out.stream, "{}\n", report::Wrap(text, WidthOf(out), 2));
  };
  out.stream << "\n";
  for (size_t i = 0; i < result.courses.size(); ++i) {
    const Finding worst = result.courses[i].Worst();
    if (worst.verdict == Verdict::kPass) continue;
    print(fmt::format("{} {}: {}", VerdictName(worst.verdict),
                      plan.courses[i].backend, worst.reason));
  }
  for (size_t i = 0; i < recoveries.size(); ++i) {
    if (recoveries[i].trouble.empty()) continue;
    print(fmt::format("{}: its holder was to be killed, but: {}",
                      peers.subjects[i].name, recoveries[i].trouble));
  }
  for (const std::string& line : peers.missing) print("not there: " + line);
  print(
      "Behind an adapter each call takes a round trip to another process, "
      "which those of the library do not.");
}

Exit CodeOf(const CampaignResult& result) {
  if (result.courses.empty()) return kExitNothingRan;
  Exit code = result.complete ? kExitOk : kExitInconclusive;
  for (const scenario::CourseResult& course : result.courses) {
    if (Violations(course) > 0) return kExitFailed;
    if (course.Worst().verdict != Verdict::kPass) code = kExitInconclusive;
  }
  return code;
}

}  // namespace

Peers FindPeers(const std::string& backends, uint64_t seed) {
  Peers peers;
  for (NamedSubject& subject :
       ParseSubjects(backends.empty() ? DefaultBackends() : backends, seed)) {
    const std::string why = subject.factory->WhyMissing();
    if (why.empty()) {
      peers.subjects.push_back(std::move(subject));
    } else {
      peers.missing.push_back(fmt::format("{}: {}", subject.name, why));
    }
  }
  return peers;
}

int ComparePeers(const Peers& peers, CampaignPlan campaign, bool json,
                 Context& context) {
  StressRun run;
  run.plan = std::move(campaign);
  run.missing = peers.missing;
  CampaignPlan& plan = run.plan;
  std::vector<Recovery> recoveries;
  if (!plan.courses.empty()) {
    const auto start = std::chrono::steady_clock::now();
    run.dir = plan.courses.front().plan.dir;
    if (!json) {
      fmt::print(context.out.stream,
                 "seed {}: locklab {} on {}, {} each, in rounds of {}\n",
                 plan.seed, kSuiteVersion, run.dir,
                 proc::DurationText(plan.duration),
                 proc::DurationText(plan.round));
      context.out.stream.flush();
    }
    const proc::Interrupts interrupts;
    check::Progress progress(context.err);
    progress.SetTotal(2);
    double done = 0;
    plan.count_calls = false;
    plan.progress = [&](const std::string& what, double share) {
      progress.Done(share - std::exchange(done, share));
      progress.Stage(what);
    };
    proc::SweepDead(run.dir);
    run.canary = run::ProveDetector(run.dir, plan.seed);
    run.result = scenario::RunCampaign(plan);
    recoveries = KillHolders(peers, run.dir, &progress);
    if (proc::Interrupts::Take() != 0) run.result.complete = false;
    const std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - start;
    run.duration_s = took.count();
  }
  if (json) {
    for (size_t i = 0; i < recoveries.size(); ++i) {
      run.recoveries.push_back({peers.subjects[i].name, recoveries[i]});
    }
    PrintStressJson(run, CodeOf(run.result), context.out.stream);
    return CodeOf(run.result);
  }
  PrintTable(peers, plan, run.result, recoveries, context.out.stream);
  PrintRest(peers, plan, run.result, recoveries, context.out);
  return CodeOf(run.result);
}

}  // namespace locklab::cli
