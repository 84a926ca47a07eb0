#include "tools/locklab/check/survey.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "bench/measure/latency.h"
#include "conformance/claims/contest.h"
#include "conformance/history/log_reader.h"
#include "conformance/proc/child.h"
#include "conformance/proc/interrupts.h"
#include "conformance/proc/patience.h"
#include "conformance/proc/temp_dir.h"
#include "stress/run/detector.h"
#include "stress/scenarios/trial.h"
#include "tools/locklab/check/contest.h"
#include "tools/locklab/check/deaths.h"
#include "tools/locklab/check/directory.h"
#include "tools/locklab/check/environment.h"
#include "tools/locklab/check/lanes.h"
#include "tools/locklab/check/turn.h"
#include "tools/locklab/flags.h"

namespace locklab::check {
namespace {

using namespace std::chrono_literals;
using report::BackendReport;
using report::ClaimResult;
using report::RunReport;

// Work in seconds, as one lane takes it on a quiet machine: for estimates.
constexpr double kClaimWork = 0.02;
constexpr double kPrimitiveWork = 0.2;

struct TrialRow {
  Trial trial;
  const char* stage;
  double quick_work;
  double full_work;
};
constexpr TrialRow kTrials[] = {
    {Trial::kDeaths, "death in the middle", 0.3, 4},
    {Trial::kScenarios, "scenarios", 0.2, 20},
};

// A lock that is broken by a race is caught by chance: almost always at once.
constexpr uint64_t kCanaryTries = 4;

// A feature that is not found within this long is missing.
const auto kProbeTime = proc::Patient(10s);

// As expectations name what is no backend.
constexpr std::string_view kNoBackend = "-";
constexpr size_t kPrimitive = static_cast<size_t>(-1);

std::chrono::milliseconds LatencyTime(const SurveyPlan& plan) {
  return plan.quick ? 200ms : 3000ms;
}

double Seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

class NoRecorder : public report::Recorder {
 public:
  void Begin(const report::Context&) override {}
  void Probed(const BackendReport&) override {}
  void CanaryTried(const report::Canary&) override {}
  void PrimitiveExamined(const report::Primitive&) override {}
  void ClaimExamined(std::string_view, const ClaimResult&) override {}
  void Measured(const BackendReport&) override {}
  void End(const RunReport&) override {}
};

report::Recorder& OrNone(report::Recorder* recorder) {
  static NoRecorder none;
  return recorder != nullptr ? *recorder : none;
}

template <typename T>
bool Has(const std::vector<T>& list, const T& what) {
  return std::find(list.begin(), list.end(), what) != list.end();
}

// One lock under examination.
struct Entry {
  const cli::NamedSubject* subject = nullptr;
  BackendReport report = {};
  size_t claims_done = 0;
};

// How `dir`, below plan.dir, is reached through the other mount.
std::string Across(const SurveyPlan& plan, const std::string& dir) {
  if (plan.other_mount.empty()) return "";
  return plan.other_mount + dir.substr(dir.rfind('/'));
}

class Surveyor {
 public:
  Surveyor(const SurveyPlan& plan, Progress* progress,
           report::Recorder* recorder)
      : plan_(plan),
        progress_(*progress),
        recorder_(OrNone(recorder)),
        scratch_(plan.dir),
        other_scratch_(Across(plan, scratch_.path())),
        arena_(TheContest()),
        turn_(plan.turn) {
    // Other users take part in some claims.
    chmod(scratch_.path().c_str(), 0755);
    if (plan.keep) scratch_.Keep();
    for (const Claim* claim : plan.claims) {
      (claim->primitive ? primitives_ : claims_).push_back(claim);
    }
  }

  RunReport Run() {
    const auto start = std::chrono::steady_clock::now();
    Describe();
    recorder_.Begin(report_.context);
    turn_.Together();
    Probe();
    progress_.SetTotal(TotalWork());
    if (GoOn()) TryCanary();
    if (GoOn()) ExaminePrimitives();
    for (Entry& entry : entries_) {
      for (const TrialRow& row : kTrials) {
        if (GoOn() && entry.report.supported) Put(row, &entry);
      }
    }
    if (GoOn())
      ExamineClaims([](const Claim& claim) { return !claim.contest; });
    turn_.Alone();
    for (Entry& entry : entries_) {
      if (GoOn() && entry.report.supported) Contend(&entry);
    }
    if (GoOn()) ExamineClaims([](const Claim& claim) { return claim.contest; });
    for (Entry& entry : entries_) {
      if (GoOn() && entry.report.supported && plan_.latency) Time(&entry);
    }
    report_.context.duration_s =
        Seconds(std::chrono::steady_clock::now() - start);
    Finish();
    recorder_.End(report_);
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
    return std::any_of(claims_.begin(), claims_.end(),
                       [](const Claim* claim) { return claim->contest; });
  }
  [[nodiscard]] bool Makes(Trial trial) const {
    return std::any_of(
        claims_.begin(), claims_.end(),
        [trial](const Claim* claim) { return claim->trial == trial; });
  }
  [[nodiscard]] double Work(const TrialRow& row) const {
    return plan_.quick ? row.quick_work : row.full_work;
  }
  [[nodiscard]] Contest TheContest() const {
    return claims::StandardContest(plan_.seed, plan_.quick);
  }
  // Where the history of a contest is left; empty: nowhere.
  [[nodiscard]] std::string HistoryOf(const std::string& name) const {
    if (plan_.histories.empty()) return "";
    return plan_.histories + "/" + history::LogsNameOf(name);
  }
  [[nodiscard]] LanesPlan Lanes() const {
    return {.lanes = plan_.lanes,
            .dir = scratch_.path(),
            .other_dir = other_scratch_,
            .seed = plan_.seed,
            .quick = plan_.quick,
            .deadline = proc::Patient(plan_.claim_deadline)};
  }

  void Describe();
  void Probe();
  [[nodiscard]] double TotalWork() const;
  void TryCanary();
  void ExaminePrimitives();
  void Contend(Entry* entry);
  // Puts a lock to a trial.
  void Put(const TrialRow& row, Entry* entry);
  std::optional<Finding> Try(Trial trial, Entry* entry);
  void ExamineClaims(bool (*wanted)(const Claim& claim));
  bool Found(const Job& job, const Finding& finding, double duration_s);
  void Time(Entry* entry);
  void Finish();
  void Miss();
  void MissClaim(const ClaimResult& result, const cli::NamedSubject* subject);
  [[nodiscard]] bool Examined(const Claim& claim) const;
  [[nodiscard]] std::string Replay(const ClaimResult& claim,
                                   std::string_view backend) const;

  const SurveyPlan& plan_;
  Progress& progress_;
  report::Recorder& recorder_;
  proc::TempDir scratch_;
  const std::string other_scratch_;
  MeasuredArena arena_;
  Turn turn_;
  std::vector<const Claim*> primitives_;
  std::vector<const Claim*> claims_;
  RunReport report_;
  std::vector<Entry> entries_;
};

void Surveyor::Describe() {
  report::Context& context = report_.context;
  context = Environment(plan_.dir);
  context.run_id = plan_.run_id;
  context.command_line = plan_.command_line;
  context.other_mount = plan_.other_mount;
  context.variant = plan_.variant;
  context.seed = plan_.seed;
  context.profile = plan_.quick ? "quick" : "full";
  context.claims_chosen = static_cast<int>(plan_.claims.size());
  context.claims_total = static_cast<int>(Claims().size());
  context.expectations = plan_.expectation_files;
}

void Surveyor::Probe() {
  progress_.Stage("what the directory supports");
  const auto probes = lockfile::probe(scratch_.path());
  for (const cli::NamedSubject& subject : plan_.subjects) {
    Entry entry{.subject = &subject};
    entry.report.name = subject.name;
    entry.report.reason = subject.factory->WhyMissing();
    entry.report.supported = entry.report.reason.empty();
    entry.report.released_on_crash =
        subject.factory->traits().released_on_crash;
    for (const lockfile::Probe& probe : probes) {
      if (probe.backend != subject.backend) continue;
      entry.report.supported = probe.supported;
      entry.report.reason = probe.reason;
    }
    recorder_.Probed(entry.report);
    entries_.push_back(std::move(entry));
  }
}

double Surveyor::TotalWork() const {
  const auto supported = static_cast<double>(
      std::count_if(entries_.begin(), entries_.end(),
                    [](const Entry& e) { return e.report.supported; }));
  const double contest = Seconds(TheContest().duration);
  double each = kClaimWork * static_cast<double>(claims_.size());
  if (HoldsContest()) each += contest;
  for (const TrialRow& row : kTrials) {
    if (Makes(row.trial)) each += Work(row);
  }
  if (plan_.latency) each += Seconds(LatencyTime(plan_));
  return contest + kPrimitiveWork * static_cast<double>(primitives_.size()) +
         supported * each;
}

void Surveyor::TryCanary() {
  progress_.Stage("the canary has to be caught");
  report::Canary& result = report_.canary.emplace();
  const std::string history = HistoryOf("canary");
  for (uint64_t attempt = 0; attempt < kCanaryTries; ++attempt) {
    if (!history.empty()) proc::RemoveTree(history);
    run::Detection detection =
        run::ProveDetector(scratch_.path(), plan_.seed + attempt, history);
    result = {.name = std::move(detection.canary),
              .caught = detection.caught,
              .reason = std::move(detection.reason)};
    if (result.caught || !GoOn() || InTrouble()) break;
  }
  recorder_.CanaryTried(result);
  progress_.Done(Seconds(TheContest().duration));
}

void Surveyor::ExaminePrimitives() {
  if (primitives_.empty()) return;
  progress_.Stage(fmt::format("{} primitives", primitives_.size()));
  const auto any = BackendSubject(lockfile::Backends().front().name);
  std::vector<Job> jobs;
  for (const Claim* claim : primitives_) {
    jobs.push_back({claim, any.get(), kPrimitive});
  }
  LanesPlan lanes = Lanes();
  lanes.lanes = 1;  // they measure
  RunInLanes(lanes, jobs, arena_,
             [this](const Job& job, const Finding& finding, auto took) {
               return Found(job, finding, Seconds(took));
             });
}

void Surveyor::Contend(Entry* entry) {
  if (!HoldsContest()) return;
  progress_.Stage(fmt::format("{}: {} processes contend", entry->report.name,
                              TheContest().processes));
  run::ContentionPlan plan = run::PlanOf(TheContest(), scratch_.path());
  plan.command_line = plan_.command_line;
  plan.keep_history = HistoryOf(entry->report.name);
  const run::ContentionResult result = HoldContest(
      *entry->subject->factory, std::move(plan), [this] { return GoOn(); });
  progress_.Done(Seconds(TheContest().duration));
  if (!GoOn()) return;
  if (result.exclusion.verdict != Verdict::kPass && InTrouble()) return;
  arena_.Put(entry->subject->factory->name(), run::ContestOf(result));
  Report(result, &entry->report);
  recorder_.Measured(entry->report);
}

void Surveyor::Put(const TrialRow& row, Entry* entry) {
  if (!Makes(row.trial)) return;
  progress_.Stage(fmt::format("{}: {}", entry->report.name, row.stage));
  const std::optional<Finding> found = Try(row.trial, entry);
  progress_.Done(Work(row));
  if (!found || !GoOn()) return;
  if (found->verdict != Verdict::kPass && InTrouble()) return;
  arena_.Put(row.trial, entry->subject->factory->name(), *found);
  recorder_.Measured(entry->report);
}

std::optional<Finding> Surveyor::Try(Trial trial, Entry* entry) {
  const SubjectFactory& subject = *entry->subject->factory;
  const auto go_on = [this] { return GoOn(); };
  const bool deaths = trial == Trial::kDeaths;
  const char* subcommand = deaths ? "crash" : "stress";
  const std::string replay =
      cli::CommandOn(subcommand, plan_.dir, plan_.variant) +
      " --backend=" + entry->report.name;
  if (deaths) {
    return TryDeaths(subject,
                     {.dir = scratch_.path(),
                      .replay = replay,
                      .seed = plan_.seed,
                      .quick = plan_.quick},
                     go_on, &entry->report);
  }
  return scenario::TryScenarios(subject,
                                {.dir = scratch_.path(),
                                 .replay = replay,
                                 .seed = plan_.seed,
                                 .quick = plan_.quick},
                                go_on);
}

void Surveyor::ExamineClaims(bool (*wanted)(const Claim& claim)) {
  std::vector<Job> jobs;
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (!entries_[i].report.supported) continue;
    for (const Claim* claim : claims_) {
      if (!wanted(*claim)) continue;
      jobs.push_back({claim, entries_[i].subject->factory.get(), i});
    }
  }
  if (jobs.empty()) return;
  std::stable_partition(jobs.begin(), jobs.end(),
                        [](const Job& job) { return !job.claim->alone; });
  progress_.Stage(fmt::format("{} claims", jobs.size()));
  RunInLanes(Lanes(), jobs, arena_,
             [this](const Job& job, const Finding& finding, auto took) {
               return Found(job, finding, Seconds(took));
             });
}

bool Surveyor::Found(const Job& job, const Finding& finding,
                     double duration_s) {
  Entry* entry = job.tag == kPrimitive ? nullptr : &entries_[job.tag];
  const std::string_view backend =
      entry == nullptr ? kNoBackend : std::string_view(entry->report.name);
  progress_.Done(entry == nullptr ? kPrimitiveWork : kClaimWork);
  progress_.Now(fmt::format("{} {}", backend, job.claim->id));
  const bool bad = finding.verdict == Verdict::kFail ||
                   finding.verdict == Verdict::kInconclusive;
  // A lock is not to blame for a full disk.
  if (bad && InTrouble()) return false;
  ClaimResult result{.id = std::string(job.claim->id),
                     .level = job.claim->level,
                     .finding = finding,
                     .replay = "",
                     .duration_s = duration_s};
  plan_.expectations.Apply(report_.context.filesystem.type, backend, &result);
  if (bad || result.expected) result.replay = Replay(result, backend);
  if (entry != nullptr) {
    recorder_.ClaimExamined(backend, result);
    entry->report.claims.push_back(std::move(result));
    ++entry->claims_done;
    return true;
  }
  report::Primitive primitive{.claim = std::move(result), .carries = {}};
  for (const std::string_view name : NamesIn(job.claim->carries)) {
    primitive.carries.emplace_back(name);
  }
  recorder_.PrimitiveExamined(primitive);
  report_.primitives.push_back(std::move(primitive));
  return true;
}

void Surveyor::Time(Entry* entry) {
  progress_.Stage(fmt::format("{}: latency", entry->report.name));
  const bench::Latency latency = bench::MeasureLatency(
      *entry->subject->factory, scratch_.path(), LatencyTime(plan_));
  progress_.Done(Seconds(LatencyTime(plan_)));
  if (latency.lock_ns.count() == 0) {
    if (!GoOn() || InTrouble()) return;
    entry->report.claims.push_back(
        {.id = "latency",
         .level = Level::kReport,
         .finding = Finding::Inconclusive("not measured: " + latency.error),
         .replay = ""});
    return recorder_.ClaimExamined(entry->report.name,
                                   entry->report.claims.back());
  }
  const auto p = latency.lock_ns.percentiles();
  entry->report.latency_ns =
      report::Percentiles{p.p50, p.p90, p.p99, p.p99_9, p.max};
  AddDistribution(latency.lock_ns, "latency_ns", &entry->report);
  if (latency.floor_ns.count() > 0) {
    entry->report.floor_ns = latency.floor_ns.percentiles().p50;
    AddDistribution(latency.floor_ns, "floor_ns", &entry->report);
  }
  recorder_.Measured(entry->report);
}

// The order of the catalogue, whatever the order in which they were done.
void Surveyor::Finish() {
  const auto rank = [](const ClaimResult& claim) {
    const auto all = Claims();
    return std::find_if(
               all.begin(), all.end(),
               [&claim](const Claim& row) { return row.id == claim.id; }) -
           all.begin();
  };
  for (Entry& entry : entries_) {
    entry.report.complete = GoOn() && entry.claims_done == claims_.size();
    std::stable_sort(
        entry.report.claims.begin(), entry.report.claims.end(),
        [&rank](const auto& a, const auto& b) { return rank(a) < rank(b); });
    report_.backends.push_back(std::move(entry.report));
  }
  if (GoOn()) Miss();
  report::Judge(&report_);
}

// What was required and is not to be had.
void Surveyor::Miss() {
  const Place place{.dir = scratch_.path(), .other_dir = other_scratch_};
  for (const Feature* feature : plan_.required.features) {
    std::string why = WhyMissing(*feature, place, kProbeTime);
    if (!why.empty()) report_.missing.push_back(std::move(why));
  }
  for (const report::Primitive& primitive : report_.primitives) {
    MissClaim(primitive.claim, nullptr);
  }
  for (size_t i = 0; i < entries_.size(); ++i) {
    const BackendReport& backend = report_.backends[i];
    if (!backend.supported && Has(plan_.required.backends, backend.name)) {
      report_.missing.push_back(
          fmt::format("backend {}: {}", backend.name, backend.reason));
    }
    for (const ClaimResult& claim : backend.claims) {
      MissClaim(claim, entries_[i].subject);
    }
  }
  for (const Claim* claim : plan_.required.claims) {
    const bool told = std::any_of(
        report_.missing.begin(), report_.missing.end(),
        [claim](const std::string& missing) {
          return missing.starts_with(fmt::format("claim {} ", claim->id)) ||
                 missing.starts_with(fmt::format("claim {}:", claim->id));
        });
    if (told || Examined(*claim)) continue;
    report_.missing.push_back(fmt::format(
        "claim {}: it was examined of no lock: none of them is supported and "
        "has to keep it",
        claim->id));
  }
}

bool Surveyor::Examined(const Claim& claim) const {
  const auto shows = [&claim](const ClaimResult& result) {
    return result.id == claim.id &&
           result.finding.verdict != Verdict::kUnsupported;
  };
  const auto in_backend = [&shows](const BackendReport& backend) {
    return std::any_of(backend.claims.begin(), backend.claims.end(), shows);
  };
  const auto in_primitive = [&shows](const report::Primitive& primitive) {
    return shows(primitive.claim);
  };
  return std::any_of(report_.backends.begin(), report_.backends.end(),
                     in_backend) ||
         std::any_of(report_.primitives.begin(), report_.primitives.end(),
                     in_primitive);
}

// A lock that is excused misses nothing, as long as another is not.
void Surveyor::MissClaim(const ClaimResult& result,
                         const cli::NamedSubject* subject) {
  const Claim* claim = FindClaim(result.id);
  if (result.finding.verdict != Verdict::kUnsupported ||
      !Has(plan_.required.claims, claim)) {
    return;
  }
  if (subject != nullptr && !ExcuseOf(*claim, *subject->factory).empty()) {
    return;
  }
  report_.missing.push_back(fmt::format(
      "claim {}{}: {}", result.id,
      subject == nullptr ? "" : " of " + subject->name, result.finding.reason));
}

std::string Surveyor::Replay(const ClaimResult& claim,
                             std::string_view backend) const {
  std::string command = plan_.variant.empty()
                            ? "--dir=" + cli::ShellQuote(plan_.dir)
                            : "--fs=" + cli::ShellQuote(plan_.variant);
  command = "locklab check " + command;
  if (!plan_.other_mount.empty() && plan_.variant.empty()) {
    command += " --other-mount=" + cli::ShellQuote(plan_.other_mount);
  }
  if (backend != kNoBackend) command += fmt::format(" --backend={}", backend);
  for (const std::string& file : plan_.expectation_files) {
    command += " --expect=" + cli::ShellQuote(file);
  }
  command += fmt::format(" --filter='^{}$' --seed={}", claim.id, plan_.seed);
  return command + (plan_.quick ? "" : " --profile=full");
}

}  // namespace

RunReport Survey(const SurveyPlan& plan, Progress* progress,
                 report::Recorder* recorder) {
  proc::SweepDead(plan.dir);
  return Surveyor(plan, progress, recorder).Run();
}

}  // namespace locklab::check
