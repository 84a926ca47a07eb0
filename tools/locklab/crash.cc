// locklab crash: a process dies at every step of every operation. Do the
// others get on?
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "conformance/proc/child.h"
#include "conformance/proc/interrupts.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/report/text.h"
#include "stress/crash/enumerate.h"
#include "tools/locklab/check/directory.h"
#include "tools/locklab/check/progress.h"
#include "tools/locklab/commands.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/subjects.h"
#include "tools/locklab/terminal.h"

namespace locklab::cli {
namespace {

using crash::Chapter;
using crash::Enumeration;
using crash::Fate;
using crash::Operation;
using crash::Point;
using Json = nlohmann::ordered_json;

struct Flags {
  std::string dir;
  std::string variant;
  std::string backends;
  std::string operations;
  std::string waiters = "0,1,3";
  std::string faults = "death";
  std::string points;
  std::string format = "text";
  std::string engine = "auto";
  uint64_t repeat = 1;
  uint64_t sample = 0;
  uint64_t seed = 1;
  uint64_t bound_s = 10;
};

// What is to be done with each lock.
struct CrashPlan {
  std::string dir;
  std::string variant;  // of the lab, or ""
  std::vector<NamedSubject> subjects;
  crash::Plan enumeration;
  std::vector<Point> points;  // empty: all of them
  std::string engine;         // as asked for
};

// What came of one lock.
struct CrashReport {
  std::string backend;
  Enumeration found;
  double duration_s = 0;
};

constexpr std::string_view kFaults[] = {"death", "error", "lost-reply"};
constexpr int kMostWaiters = 7;

std::vector<Operation> ParseOperations(const std::string& list) {
  std::vector<std::string_view> names;
  std::vector<Operation> operations;
  for (const auto& row : crash::Operations()) {
    names.push_back(row.name);
    if (list.empty()) operations.push_back(row.operation);
  }
  if (list.empty()) return operations;
  for (const std::string& word : ParseList("--operation", list)) {
    const std::string_view name = ParseChoice("--operation", word, names);
    for (const auto& row : crash::Operations()) {
      if (row.name == name) operations.push_back(row.operation);
    }
  }
  return operations;
}

std::vector<int> ParseWaiters(const std::string& list) {
  std::vector<int> numbers;
  for (const std::string& word : ParseList("--waiters", list)) {
    numbers.push_back(
        static_cast<int>(ParseNumber("--waiters", word, 0, kMostWaiters)));
  }
  return numbers;
}

std::vector<Point> ParsePoints(const std::string& list,
                               const std::vector<int>& waiters) {
  std::vector<Point> points;
  if (list.empty()) return points;
  for (const std::string& word : ParseList("--point", list)) {
    const auto point = crash::ParsePoint(word);
    if (!point) {
      throw UsageError(fmt::format(
          "--point={}: a point is OPERATION:CALL:before, :after, :error=ERRNO "
          "or :lost=ERRNO, as in acquire:3:before",
          word));
    }
    for (const int number : waiters) {
      points.push_back(*point);
      points.back().waiters = number;
    }
  }
  return points;
}

CrashPlan PlanOf(const Flags& flags) {
  CrashPlan plan;
  plan.subjects = ParseSubjects(flags.backends, 0);
  for (const NamedSubject& subject : plan.subjects) {
    if (!subject.factory->remote()) continue;
    throw UsageError(fmt::format(
        "--backend={}: an adapter makes its system calls where this cannot "
        "stop at them; locklab stress --compare-peers kills its holders",
        subject.name));
  }
  plan.enumeration.operations = ParseOperations(flags.operations);
  plan.enumeration.waiters = ParseWaiters(flags.waiters);
  plan.enumeration.deaths = false;
  plan.enumeration.sample = static_cast<int>(flags.sample);
  plan.enumeration.seed = flags.seed;
  for (const std::string& word : ParseList("--fault", flags.faults)) {
    const std::string_view fault = ParseChoice("--fault", word, kFaults);
    if (fault == "death") plan.enumeration.deaths = true;
    if (fault == "error") plan.enumeration.errors = true;
    if (fault == "lost-reply") plan.enumeration.lost_replies = true;
  }
  plan.engine = flags.engine;
  plan.points = ParsePoints(flags.points, plan.enumeration.waiters);
  plan.dir = check::UsableDirectory(flags.dir);
  plan.variant = flags.variant;
  return plan;
}

crash::Engine EngineOf(const Flags& flags, const SubjectFactory& subject) {
  if (flags.engine == "auto") return crash::EngineFor(subject);
  return flags.engine == "ptrace" ? crash::Engine::kPtrace
                                  : crash::Engine::kSeam;
}

// --- the work ---------------------------------------------------------------

// What is done by one engine.
struct Pass {
  crash::Engine engine = crash::Engine::kSeam;
  crash::Plan enumeration;
  std::vector<Point> points;
};

// Whatever kills, the seam alone makes calls fail.
std::vector<Pass> PassesOf(const CrashPlan& plan, crash::Engine killer) {
  Pass deaths{
      .engine = killer, .enumeration = plan.enumeration, .points = plan.points};
  if (killer == crash::Engine::kSeam) return {deaths};
  Pass faults{.engine = crash::Engine::kSeam,
              .enumeration = plan.enumeration,
              .points = plan.points};
  deaths.enumeration.errors = deaths.enumeration.lost_replies = false;
  faults.enumeration.deaths = false;
  std::erase_if(deaths.points, [](const Point& p) { return !Dies(p.fate); });
  std::erase_if(faults.points, [](const Point& p) { return Dies(p.fate); });
  std::vector<Pass> passes;
  const bool all = plan.points.empty();
  if (all ? deaths.enumeration.deaths : !deaths.points.empty()) {
    passes.push_back(std::move(deaths));
  }
  if (all ? faults.enumeration.errors || faults.enumeration.lost_replies
          : !faults.points.empty()) {
    passes.push_back(std::move(faults));
  }
  return passes;
}

bool Uninterrupted() { return proc::Interrupts::Pending() == 0; }

// The points that were named, each of them as often as asked.
Enumeration TryPoints(crash::Laboratory& laboratory,
                      const std::vector<Point>& points, uint64_t repeat) {
  Enumeration done;
  for (const Point& point : points) {
    Chapter& chapter = done.chapters.emplace_back();
    chapter.operation = point.operation;
    chapter.waiters = point.waiters;
    chapter.excuse = laboratory.Excuse(point.operation);
    for (uint64_t i = 0; i < repeat && chapter.excuse.empty(); ++i) {
      if (!Uninterrupted()) {
        done.complete = false;
        return done;
      }
      crash::Result result = laboratory.Try(point);
      Count(result, &chapter);
      done.results.push_back(std::move(result));
    }
  }
  return done;
}

Enumeration RunPass(crash::Laboratory& laboratory, const Pass& pass,
                    const Flags& flags, check::Progress* progress) {
  if (!pass.points.empty()) {
    return TryPoints(laboratory, pass.points, flags.repeat);
  }
  return crash::Enumerate(
      laboratory, pass.enumeration,
      [progress](const crash::Result& result) {
        progress->Now(crash::PointName(result.point));
      },
      Uninterrupted);
}

CrashReport Examine(const NamedSubject& subject, const CrashPlan& plan,
                    const Flags& flags, const std::string& scratch,
                    check::Progress* progress) {
  const auto start = std::chrono::steady_clock::now();
  progress->Stage(fmt::format("{}: death at every step", subject.name));
  CrashReport report{.backend = subject.name, .found = {}};
  const crash::Engine killer = EngineOf(flags, *subject.factory);
  for (const Pass& pass : PassesOf(plan, killer)) {
    crash::Laboratory laboratory(*subject.factory, scratch, pass.engine,
                                 std::chrono::seconds(flags.bound_s));
    report.found.Add(RunPass(laboratory, pass, flags, progress));
    if (!report.found.complete) break;
  }
  const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - start;
  report.duration_s = took.count();
  return report;
}

std::vector<CrashReport> Work(const CrashPlan& plan, const Flags& flags,
                              check::Progress* progress) {
  proc::SweepDead(plan.dir);
  const proc::TempDir scratch(plan.dir);
  std::vector<CrashReport> reports;
  for (const NamedSubject& subject : plan.subjects) {
    reports.push_back(Examine(subject, plan, flags, scratch.path(), progress));
    if (!reports.back().found.complete) break;
  }
  return reports;
}

// --- what is said of it -----------------------------------------------------

std::string Replay(const CrashReport& report, const Point& point,
                   const CrashPlan& plan) {
  return fmt::format("{} --backend={} --point={} --waiters={}{}",
                     CommandOn("crash", plan.dir, plan.variant), report.backend,
                     crash::PointName(point), point.waiters,
                     plan.engine == "auto" ? "" : " --engine=" + plan.engine);
}

bool IsBad(const crash::Result& result) {
  return result.finding.verdict == Verdict::kFail ||
         result.finding.verdict == Verdict::kInconclusive;
}

std::string Time(int64_t ns) { return ns == 0 ? "-" : report::ShortTime(ns); }

void PrintChapter(const CrashReport& report, const Chapter& chapter,
                  std::ostream& out) {
  const auto recovery = chapter.recovery.percentiles();
  fmt::print(out, "{:<8} {:<8} {:>7} {:>6} {:>7} {:>8} {:>9} {:>9} {:>9}\n",
             report.backend, crash::OperationName(chapter.operation),
             chapter.waiters, chapter.calls, chapter.reached,
             chapter.failed == 0 ? "-" : std::to_string(chapter.failed),
             Time(recovery.p50), Time(recovery.p99), Time(recovery.max));
}

// Of one lock, over all of its operations.
struct Worst {
  int64_t points = 0;
  int64_t recovered = 0;
  const crash::Result* slowest = nullptr;  // nullptr: nobody died
};

Worst WorstOf(const CrashReport& report) {
  Worst worst;
  for (const crash::Result& result : report.found.results) {
    if (!result.reached) continue;
    ++worst.points;
    if (!IsBad(result)) ++worst.recovered;
    if (result.recovery_ns < 0) continue;
    if (worst.slowest == nullptr ||
        result.recovery_ns > worst.slowest->recovery_ns) {
      worst.slowest = &result;
    }
  }
  return worst;
}

void PrintWorst(const std::vector<CrashReport>& reports, std::ostream& out) {
  fmt::print(out, "\n{:<8} {:>7} {:>9}  {}\n", "backend", "points", "recovered",
             "slowest recovery");
  for (const CrashReport& report : reports) {
    const Worst worst = WorstOf(report);
    fmt::print(out, "{:<8} {:>7} {:>9}  {}\n", report.backend, worst.points,
               worst.recovered,
               worst.slowest == nullptr
                   ? "-"
                   : fmt::format("{:>7}, {} with {} waiters",
                                 Time(worst.slowest->recovery_ns),
                                 crash::PointName(worst.slowest->point),
                                 worst.slowest->point.waiters));
  }
}

void PrintText(const std::vector<CrashReport>& reports, const CrashPlan& plan,
               Console& out) {
  constexpr size_t kMostFailures = 5;  // of one lock
  fmt::print(out.stream,
             "{:<8} {:<8} {:>7} {:>6} {:>7} {:>8} {:^29}\n"
             "{:<8} {:<8} {:>7} {:>6} {:>7} {:>8} {:>9} {:>9} {:>9}\n",
             "", "", "", "", "", "", "recovery", "backend", "dies in",
             "waiters", "calls", "points", "failed", "p50", "p99", "max");
  for (const CrashReport& report : reports) {
    for (const Chapter& chapter : report.found.chapters) {
      if (chapter.excuse.empty()) PrintChapter(report, chapter, out.stream);
    }
  }
  for (const CrashReport& report : reports) {
    size_t told = 0;
    for (const crash::Result& result : report.found.results) {
      if (!IsBad(result)) continue;
      if (++told > kMostFailures) continue;
      const std::string text = fmt::format(
          "\n{} {} {} with {} waiters: {}", VerdictName(result.finding.verdict),
          report.backend, crash::PointName(result.point), result.point.waiters,
          result.finding.reason);
      fmt::print(out.stream, "{}\n  replay: {}\n",
                 report::Wrap(text, WidthOf(out), 2),
                 Replay(report, result.point, plan));
    }
    if (told > kMostFailures) {
      fmt::print(out.stream, "{} more of {}: see --format=json\n",
                 told - kMostFailures, report.backend);
    }
  }
  PrintWorst(reports, out.stream);
}

Json JsonOf(const CrashReport& report, const CrashPlan& plan) {
  Json chapters = Json::array();
  for (const Chapter& chapter : report.found.chapters) {
    const auto recovery = chapter.recovery.percentiles();
    chapters.push_back(
        {{"operation", std::string(crash::OperationName(chapter.operation))},
         {"waiters", chapter.waiters},
         {"excuse", chapter.excuse},
         {"calls", chapter.calls},
         {"experiments", chapter.experiments},
         {"reached", chapter.reached},
         {"failed", chapter.failed},
         {"inconclusive", chapter.unsure},
         {"recovery_ns",
          {{"p50", recovery.p50},
           {"p90", recovery.p90},
           {"p99", recovery.p99},
           {"max", recovery.max}}}});
  }
  Json points = Json::array();
  for (const crash::Result& result : report.found.results) {
    Json point = {{"point", crash::PointName(result.point)},
                  {"waiters", result.point.waiters},
                  {"call", result.call},
                  {"verdict", std::string(VerdictName(result.finding.verdict))},
                  {"reason", result.finding.reason},
                  {"recovery_ns",
                   result.recovery_ns < 0 ? Json() : Json(result.recovery_ns)}};
    if (IsBad(result)) point["replay"] = Replay(report, result.point, plan);
    points.push_back(std::move(point));
  }
  return {{"name", report.backend},
          {"complete", report.found.complete},
          {"duration_s", report.duration_s},
          {"operations", std::move(chapters)},
          {"points", std::move(points)}};
}

void PrintJson(const std::vector<CrashReport>& reports, const CrashPlan& plan,
               Exit code, std::ostream& out) {
  Json backends = Json::array();
  for (const CrashReport& report : reports) {
    backends.push_back(JsonOf(report, plan));
  }
  const Json document = {{"schema_version", 1},
                         {"suite_version", std::string(kSuiteVersion)},
                         {"dir", plan.dir},
                         {"backends", std::move(backends)},
                         {"exit_code", static_cast<int>(code)}};
  out << document.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

struct Total {
  int64_t experiments = 0;
  int64_t reached = 0;
  int64_t failed = 0;
  int64_t unsure = 0;
  double duration_s = 0;
  bool complete = true;
};

Total Sum(const std::vector<CrashReport>& reports) {
  Total total;
  for (const CrashReport& report : reports) {
    total.duration_s += report.duration_s;
    total.complete &= report.found.complete;
    for (const Chapter& chapter : report.found.chapters) {
      total.experiments += chapter.experiments;
      total.reached += chapter.reached;
      total.failed += chapter.failed;
      total.unsure += chapter.unsure;
    }
  }
  return total;
}

Exit CodeOf(const Total& total) {
  if (total.failed > 0) return kExitFailed;
  if (!total.complete || total.unsure > 0) return kExitInconclusive;
  return total.reached == 0 ? kExitNothingRan : kExitOk;
}

int RunCrash(const Flags& flags, Context& context) {
  const CrashPlan plan = PlanOf(flags);
  std::vector<CrashReport> reports;
  {
    const proc::Interrupts interrupts;
    check::Progress progress(context.err);
    reports = Work(plan, flags, &progress);
    proc::Interrupts::Take();
  }
  const Total total = Sum(reports);
  const Exit code = CodeOf(total);
  if (flags.format == "json") {
    PrintJson(reports, plan, code, context.out.stream);
    return code;
  }
  PrintText(reports, plan, context.out);
  fmt::print(
      context.out.stream,
      "\n{} experiments in {:.1f} s ({:.0f} a second): {} points "
      "reached, {} failed{}{}\n",
      total.experiments, total.duration_s,
      static_cast<double>(total.experiments) / std::max(total.duration_s, 1e-9),
      total.reached, total.failed,
      total.unsure == 0 ? "" : fmt::format(", {} inconclusive", total.unsure),
      total.complete ? "" : "; cut short by a signal");
  return code;
}

}  // namespace

Run SetUpCrash(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  app.add_option("--dir", flags->dir,
                 "The directory to make the experiments in.")
      ->type_name("DIR")
      ->required();
  AddVariant(app, &flags->variant);
  app.add_option("--backend", flags->backends,
                 "The locks to examine, separated by commas: " +
                     lockfile::BackendNames() +
                     "; also canary:NAME. Default: all of the library.")
      ->type_name("LIST");
  app.add_option("--operation", flags->operations,
                 "What the victim is doing: acquire, hold, refresh, release, "
                 "break. "
                 "Default: each of them.")
      ->type_name("LIST");
  app.add_option("--waiters", flags->waiters,
                 "How many others want the lock meanwhile: each of these "
                 "numbers, up to 7.")
      ->type_name("LIST")
      ->capture_default_str();
  app.add_option("--fault", flags->faults,
                 "What happens at each call: death (before it and after it), "
                 "error (each errno that is plausible there), lost-reply (it "
                 "is done, and reports an error).")
      ->type_name("LIST")
      ->capture_default_str();
  app.add_option("--point", flags->points,
                 "These points alone, OPERATION:CALL:before|after|error=ERRNO|"
                 "lost=ERRNO: to see a failure again.")
      ->type_name("LIST");
  AddChoice(app, "--engine", &flags->engine, {"auto", "seam", "ptrace"},
            "What counts as a call: those of the library's seam, or those of "
            "the kernel (for deaths). auto: ptrace where a lock makes calls "
            "past the seam, as sqlite does.");
  AddNumber(app, "--repeat", &flags->repeat, "How often each --point is tried.",
            1, 1'000'000);
  AddNumber(app, "--sample", &flags->sample,
            "Only so many calls of each operation; 0: all of them.", 0, 500);
  AddNumber(app, "--seed", &flags->seed, "Chooses the calls of --sample.");
  AddNumber(app, "--bound", &flags->bound_s,
            "Seconds within which the lock must be to be had again.", 1, 3600);
  AddChoice(app, "--format", &flags->format, {"text", "json"},
            "How to print the result.");
  app.footer(
      "A point is a system call of an operation, counted from 1. A victim is\n"
      "killed by SIGKILL before or after it; then the lock must be to be had\n"
      "again, by one process at a time, and nothing may be left behind.\n"
      "Exit codes: 0 so it was; 1 it was not; 2 usage; 3 no point was "
      "reached;\n"
      "5 something could not be told, also after SIGINT or SIGTERM.");
  return [flags, &context] { return RunCrash(*flags, context); };
}

}  // namespace locklab::cli
