#include "tools/locklab/check/survey.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "conformance/canary/canary.h"
#include "conformance/claims/contest.h"
#include "conformance/proc/child.h"
#include "conformance/proc/interrupts.h"
#include "conformance/proc/temp_dir.h"
#include "stress/run/contention.h"
#include "tools/locklab/check/directory.h"
#include "tools/locklab/check/environment.h"
#include "tools/locklab/check/lanes.h"
#include "tools/locklab/check/latency.h"
#include "tools/locklab/flags.h"

namespace locklab::check {
namespace {

using namespace std::chrono_literals;
using report::BackendReport;
using report::RunReport;

// Work in seconds, as one lane takes it on a quiet machine: for estimates.
constexpr double kClaimWork = 0.02;

// A lock that is broken by a race is caught by chance: almost always at once.
constexpr uint64_t kCanaryTries = 4;

// How many times as long a contest may last where the disk is slow.
constexpr int kMostStretch = 16;

std::chrono::milliseconds LatencyTime(const SurveyPlan& plan) {
  return plan.quick ? 200ms : 3000ms;
}

double Seconds(std::chrono::milliseconds time) {
  return std::chrono::duration<double>(time).count();
}

// Gives claims the result of the contest that was held for their lock; runs
// any other.
class MeasuredArena : public run::ContentionArena {
 public:
  void Put(std::string_view subject, ContestResult result) {
    results_.insert_or_assign(std::string(subject), std::move(result));
  }
  ContestResult Contend(const SubjectFactory& subject, const std::string& dir,
                        const Contest& contest) override {
    const auto known = results_.find(subject.name());
    if (known != results_.end()) return known->second;
    return ContentionArena::Contend(subject, dir, contest);
  }

 private:
  std::map<std::string, ContestResult, std::less<>> results_;
};

// One lock under examination.
struct Entry {
  std::unique_ptr<SubjectFactory> subject;
  BackendReport report;
  size_t claims_done = 0;
};

class Surveyor {
 public:
  Surveyor(const SurveyPlan& plan, Progress* progress)
      : plan_(plan), progress_(*progress), scratch_(plan.dir) {
    // Other users take part in some claims.
    chmod(scratch_.path().c_str(), 0755);
    if (plan.keep) scratch_.Keep();
  }

  RunReport Run() {
    const auto start = std::chrono::steady_clock::now();
    report_.context = Environment(plan_.dir);
    report_.context.seed = plan_.seed;
    report_.context.profile = plan_.quick ? "quick" : "full";
    Probe();
    progress_.SetTotal(TotalWork());
    if (GoOn()) TryCanary();
    for (Entry& entry : entries_) {
      if (GoOn() && entry.report.supported) Contend(&entry);
    }
    if (GoOn()) ExamineClaims();
    for (Entry& entry : entries_) {
      if (GoOn() && entry.report.supported && plan_.whole) Time(&entry);
    }
    Finish();
    const std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - start;
    report_.context.duration_s = took.count();
    return std::move(report_);
  }

 private:
  bool GoOn() {
    const int signal = proc::Interrupts::Pending();
    if (signal != 0 && report_.cut_short.empty()) {
      report_.cut_short = "interrupted by " + proc::SignalName(signal);
    }
    return report_.cut_short.empty();
  }

  // After something went wrong: was it the lock, or the disk?
  bool InTrouble() {
    std::string trouble = TroubleIn(scratch_.path());
    if (trouble.empty()) return false;
    report_.cut_short = std::move(trouble);
    return true;
  }

  [[nodiscard]] bool HoldsContest() const {
    return std::any_of(plan_.claims.begin(), plan_.claims.end(),
                       [](const Claim* claim) { return claim->contest; });
  }

  [[nodiscard]] double TotalWork() const {
    const auto supported = static_cast<double>(
        std::count_if(entries_.begin(), entries_.end(),
                      [](const Entry& e) { return e.report.supported; }));
    double each = kClaimWork * static_cast<double>(plan_.claims.size());
    if (HoldsContest()) each += Seconds(ContestTime());
    if (plan_.whole) each += Seconds(LatencyTime(plan_));
    return supported * each + Seconds(ContestTime());
  }

  [[nodiscard]] Contest TheContest() const {
    return claims::StandardContest(plan_.seed, plan_.quick);
  }
  [[nodiscard]] std::chrono::milliseconds ContestTime() const {
    return TheContest().duration;
  }

  void Probe();
  void TryCanary();
  run::ContentionResult HoldContest(const Entry& entry);
  void Contend(Entry* entry);
  void ExamineClaims();
  bool Found(const Job& job, Finding finding);
  void Time(Entry* entry);
  void Finish();
  [[nodiscard]] std::string Replay(const std::string& backend,
                                   const std::string& claim) const;

  const SurveyPlan& plan_;
  Progress& progress_;
  proc::TempDir scratch_;
  MeasuredArena arena_;
  RunReport report_;
  std::vector<Entry> entries_;
};

void Surveyor::Probe() {
  progress_.Stage("what the directory supports");
  const auto probes = lockfile::probe(scratch_.path());
  for (const lockfile::BackendRow* backend : plan_.backends) {
    Entry entry;
    entry.subject = BackendSubject(backend->name);
    entry.report.name = backend->name;
    for (const lockfile::Probe& probe : probes) {
      if (probe.backend->name != backend->name) continue;
      entry.report.supported = probe.supported;
      entry.report.reason = probe.reason;
    }
    entries_.push_back(std::move(entry));
  }
}

// A slow filesystem gets more time, until enough has been done to judge by.
run::ContentionResult Surveyor::HoldContest(const Entry& entry) {
  run::ContentionPlan plan = run::PlanOf(TheContest(), scratch_.path());
  plan.command_line = plan_.command_line;
  plan.floor = 10 * plan.processes;
  if (!plan_.out.empty()) {
    plan.keep_history = plan_.out + "/history/" + entry.report.name;
  }
  for (int stretch = 1;; stretch *= 4) {
    if (!plan.keep_history.empty()) proc::RemoveTree(plan.keep_history);
    run::ContentionResult result = run::RunContention(*entry.subject, plan);
    if (result.acquisitions >= plan.floor || stretch == kMostStretch ||
        !GoOn()) {
      return result;
    }
    plan.duration *= 4;
    plan.deadline += plan.duration;
  }
}

void Surveyor::Contend(Entry* entry) {
  if (!HoldsContest()) return;
  progress_.Stage(fmt::format("{}: {} processes contend", entry->report.name,
                              TheContest().processes));
  const run::ContentionResult result = HoldContest(*entry);
  progress_.Done(Seconds(ContestTime()));
  if (!GoOn()) return;
  if (result.exclusion.verdict != Verdict::kPass && InTrouble()) return;
  arena_.Put(entry->report.name, run::ContestOf(result));
  const history::Percentiles wait = result.judgement.wait.percentiles();
  entry->report.contention = report::Contention{
      .processes = result.processes,
      .acquisitions = result.acquisitions,
      .violations = std::max(result.violations, result.witness_violations),
      .wait_ns = {wait.p50, wait.p90, wait.p99, wait.p99_9, wait.max},
      .jain = result.judgement.jain};
}

void Surveyor::ExamineClaims() {
  std::vector<Job> jobs;
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (!entries_[i].report.supported) continue;
    for (const Claim* claim : plan_.claims) {
      jobs.push_back({claim, entries_[i].subject.get(), i});
    }
  }
  if (jobs.empty()) return;
  progress_.Stage(fmt::format("{} claims", jobs.size()));
  RunInLanes({.dir = scratch_.path(), .seed = plan_.seed, .quick = plan_.quick},
             jobs, arena_, [this](const Job& job, const Finding& finding) {
               return Found(job, finding);
             });
}

bool Surveyor::Found(const Job& job, Finding finding) {
  Entry& entry = entries_[job.tag];
  progress_.Done(kClaimWork);
  progress_.Now(fmt::format("{} {}", entry.report.name, job.claim->id));
  const bool bad = finding.verdict == Verdict::kFail ||
                   finding.verdict == Verdict::kInconclusive;
  // A lock is not to blame for a full disk.
  if (bad && InTrouble()) return false;
  report::ClaimResult result{.id = std::string(job.claim->id),
                             .level = job.claim->level,
                             .finding = std::move(finding),
                             .replay = ""};
  if (bad) result.replay = Replay(entry.report.name, result.id);
  entry.report.claims.push_back(std::move(result));
  ++entry.claims_done;
  return true;
}

void Surveyor::Time(Entry* entry) {
  progress_.Stage(fmt::format("{}: latency", entry->report.name));
  const Latency latency =
      MeasureLatency(*entry->subject, scratch_.path(), LatencyTime(plan_));
  progress_.Done(Seconds(LatencyTime(plan_)));
  entry->report.latency_ns = latency.lock_ns;
  entry->report.floor_ns = latency.floor_ns;
  if (latency.lock_ns || !GoOn() || InTrouble()) return;
  entry->report.claims.push_back(
      {.id = "latency",
       .level = Level::kReport,
       .finding = Finding::Inconclusive("not measured: " + latency.error),
       .replay = ""});
}

// The order of the catalogue, whatever the order in which they were done.
void Surveyor::Finish() {
  const auto rank = [](const report::ClaimResult& claim) {
    const auto all = Claims();
    return std::find_if(
               all.begin(), all.end(),
               [&claim](const Claim& row) { return row.id == claim.id; }) -
           all.begin();
  };
  for (Entry& entry : entries_) {
    entry.report.complete = GoOn() && entry.claims_done == plan_.claims.size();
    std::stable_sort(
        entry.report.claims.begin(), entry.report.claims.end(),
        [&rank](const auto& a, const auto& b) { return rank(a) < rank(b); });
    report_.backends.push_back(std::move(entry.report));
  }
  report::Judge(&report_);
}

std::string Surveyor::Replay(const std::string& backend,
                             const std::string& claim) const {
  return fmt::format(
      "locklab check --dir={} --backend={} --filter='^{}$' "
      "--seed={}{}",
      cli::ShellQuote(plan_.dir), backend, claim, plan_.seed,
      plan_.quick ? "" : " --profile=full");
}

void Surveyor::TryCanary() {
  const canary::Canary& bird = canary::StandardCanary();
  progress_.Stage(fmt::format("the canary {} has to be caught", bird.name));
  report::Canary& result = report_.canary.emplace();
  result.name = bird.name;
  for (uint64_t attempt = 0; attempt < kCanaryTries; ++attempt) {
    const uint64_t seed = plan_.seed + attempt;
    const auto subject = bird.make(seed);
    const run::ContentionResult contention = run::RunContention(
        *subject, run::PlanOf(claims::StandardContest(seed, /*quick=*/true),
                              scratch_.path()));
    result.caught = contention.exclusion.verdict == Verdict::kFail;
    result.reason = contention.exclusion.reason;
    if (result.caught || !GoOn() || InTrouble()) break;
  }
  progress_.Done(Seconds(ContestTime()));
}

}  // namespace

RunReport Survey(const SurveyPlan& plan, Progress* progress) {
  proc::SweepDead(plan.dir);
  return Surveyor(plan, progress).Run();
}

}  // namespace locklab::check
