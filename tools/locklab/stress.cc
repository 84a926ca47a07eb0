// locklab stress: many processes contend for a lock. Does it hold, is it fair,
// and what does it cost?
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "conformance/proc/duration.h"
#include "conformance/proc/interrupts.h"
#include "conformance/proc/temp_dir.h"
#include "stress/run/limits.h"
#include "stress/scenarios/campaign.h"
#include "tools/locklab/check/directory.h"
#include "tools/locklab/check/progress.h"
#include "tools/locklab/commands.h"
#include "tools/locklab/compare_peers.h"
#include "tools/locklab/faults.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/stress_report.h"
#include "tools/locklab/subjects.h"

namespace locklab::cli {
namespace {

using run::ContentionPlan;
using run::Delay;
using scenario::Course;
using scenario::Scenario;
using std::chrono::milliseconds;
using std::chrono_literals::operator""s;

// Empty and 0: as the scenario has it.
struct Flags {
  std::string dir;
  std::string variant;
  std::string backends;
  std::string scenarios = "contention";
  uint64_t processes = 0;
  uint64_t threads = 0;
  uint64_t locks = 0;
  std::string hold;
  std::string think;
  std::string timeout;
  uint64_t rate = 0;
  std::string arrivals = "poisson";
  std::string counter;
  std::chrono::nanoseconds duration = 5s;
  std::chrono::nanoseconds round = 10s;
  std::string on_failure = "go-on";
  std::string keep;
  std::string format = "text";
  FaultFlags faults;
  uint64_t seed = std::random_device{}();
  bool compare_peers = false;
};

void SetDelay(const char* flag, const std::string& text, Delay* delay) {
  if (text.empty()) return;
  try {
    *delay = Delay::Parse(text);
  } catch (const std::invalid_argument& error) {
    throw UsageError(fmt::format("{}={}: {}", flag, text, error.what()));
  }
}

void Set(uint64_t number, int* target) {
  if (number > 0) *target = static_cast<int>(number);
}

std::vector<const Scenario*> ParseScenarios(const std::string& list) {
  std::vector<std::string_view> names = {"all"};
  std::vector<const Scenario*> all;
  for (const Scenario& scenario : scenario::Scenarios()) {
    names.push_back(scenario.name);
    all.push_back(&scenario);
  }
  std::vector<const Scenario*> chosen;
  for (const std::string& word : ParseList("--scenario", list)) {
    const std::string_view name = ParseChoice("--scenario", word, names);
    if (name == "all") return all;
    const Scenario* scenario = scenario::FindScenario(name);
    if (std::find(chosen.begin(), chosen.end(), scenario) == chosen.end()) {
      chosen.push_back(scenario);
    }
  }
  return chosen;
}

void RequireSense(const Scenario& scenario, const Flags& flags,
                  const ContentionPlan& plan) {
  if (plan.hold.mean() > plan.duration) {
    throw UsageError(fmt::format(
        "--hold={}: a round of {} is over before that; hold it for less, or "
        "take a longer --duration and --round",
        plan.hold.Describe(), proc::DurationText(plan.duration)));
  }
  if (flags.rate > 0 && scenario::PlanOf(scenario).rate == 0) {
    throw UsageError(fmt::format(
        "--rate={}: the scenario {} has no arrivals; use --scenario=open-loop",
        flags.rate, scenario.name));
  }
  if (plan.locks > plan.contenders()) {
    throw UsageError(
        fmt::format("--locks={}: there are {} contenders, and each lock needs "
                    "one; take more --processes, or fewer locks",
                    plan.locks, plan.contenders()));
  }
  if (plan.contenders() > static_cast<int64_t>(history::kMaxActors)) {
    throw UsageError(fmt::format(
        "--threads={}: {} contenders are more than {} in all; take fewer",
        plan.threads, plan.contenders(), history::kMaxActors));
  }
  const std::string shortage =
      run::WhyNotSoMany(plan.processes, plan.threads, run::TaskLimits());
  if (!shortage.empty()) {
    throw UsageError(
        fmt::format("--processes={}: {}", plan.processes, shortage));
  }
}

ContentionPlan PlanOf(const Scenario& scenario, const Flags& flags,
                      const Context& context) {
  ContentionPlan plan = scenario::PlanOf(scenario);
  Set(flags.processes, &plan.processes);
  Set(flags.threads, &plan.threads);
  Set(flags.locks, &plan.locks);
  SetDelay("--hold", flags.hold, &plan.hold);
  SetDelay("--think", flags.think, &plan.think);
  SetDelay("--timeout", flags.timeout, &plan.timeout);
  if (!flags.counter.empty()) plan.counter_file = flags.counter == "on";
  scenario::LastFor(
      std::chrono::ceil<milliseconds>(std::min(flags.duration, flags.round)),
      &plan);
  Apply(flags.faults, &plan);
  RequireSense(scenario, flags, plan);
  if (flags.rate > 0) plan.rate = static_cast<double>(flags.rate);
  plan.poisson = flags.arrivals == "poisson";
  plan.seed = flags.seed;
  plan.command_line = context.command_line;
  return plan;
}

scenario::CampaignPlan CampaignOf(const Flags& flags,
                                  const std::vector<NamedSubject>& subjects,
                                  const Context& context) {
  for (const auto& [name, value] :
       {std::pair("--duration", flags.duration), {"--round", flags.round}}) {
    if (value.count() == 0) {
      throw UsageError(fmt::format(
          "{}=0: nothing can be seen in no time; try {}=5s", name, name));
    }
  }
  scenario::CampaignPlan plan;
  plan.duration = std::chrono::ceil<milliseconds>(flags.duration);
  plan.round = std::chrono::ceil<milliseconds>(flags.round);
  plan.seed = flags.seed;
  plan.repeat = static_cast<int64_t>(flags.faults.repeat);
  plan.stop_at_failure = flags.on_failure == "stop";
  if (!flags.keep.empty()) plan.keep = check::ResultsDirectory(flags.keep);
  for (const Scenario* scenario : ParseScenarios(flags.scenarios)) {
    const ContentionPlan contention = PlanOf(*scenario, flags, context);
    for (const NamedSubject& subject : subjects) {
      plan.courses.push_back(
          {subject.name, subject.factory.get(), scenario, contention});
    }
  }
  const std::string dir = check::UsableDirectory(flags.dir);
  for (Course& course : plan.courses) course.plan.dir = dir;
  return plan;
}

int RunComparison(Flags flags, Context& context) {
  constexpr int kRounds = 3;
  flags.round = std::min(flags.round, flags.duration / kRounds);
  const Peers peers = FindPeers(flags.backends, flags.seed);
  return ComparePeers(peers, CampaignOf(flags, peers.subjects, context),
                      flags.format == "json", context);
}

int RunStress(const Flags& flags, Context& context) {
  // As in locklab check: a reader that has seen enough must not end the run.
  std::signal(SIGPIPE, SIG_IGN);
  if (flags.compare_peers) return RunComparison(flags, context);
  const std::vector<NamedSubject> subjects =
      ParseSubjects(flags.backends, flags.seed);
  StressRun run;
  run.plan = CampaignOf(flags, subjects, context);
  run.dir = run.plan.courses.front().plan.dir;
  run.variant = flags.variant;
  if (flags.format == "text") {
    fmt::print(context.out.stream, "seed {}: locklab {} on {}, {} each\n",
               flags.seed, kSuiteVersion, run.dir,
               proc::DurationText(run.plan.duration));
    context.out.stream.flush();
  }
  {
    const proc::Interrupts interrupts;
    const auto start = std::chrono::steady_clock::now();
    check::Progress progress(context.err);
    progress.SetTotal(1);
    double done = 0;
    run.plan.progress = [&](const std::string& what, double share) {
      progress.Done(share - std::exchange(done, share));
      progress.Stage(what);
    };
    proc::SweepDead(run.dir);
    run.canary = run::ProveDetector(run.dir, flags.seed);
    run.result = scenario::RunCampaign(run.plan);
    const std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - start;
    run.duration_s = took.count();
    // The report says it, and the exit code.
    proc::Interrupts::Take();
  }
  if (flags.format == "json") {
    PrintStressJson(run, CodeOf(run), context.out.stream);
    return CodeOf(run);
  }
  PrintStressText(run, context.out);
  if (flags.faults.shrink) PrintShrunk(run, context.out);
  return CodeOf(run);
}

// --- flags ------------------------------------------------------------------

void AddWhat(CLI::App& app, Flags* flags) {
  app.add_option("--dir", flags->dir,
                 "The directory to contend in. A scratch directory is made in "
                 "it and removed again.")
      ->type_name("DIR")
      ->required();
  AddVariant(app, &flags->variant);
  app.add_option("--backend", flags->backends,
                 "The locks to examine, separated by commas: " +
                     lockfile::BackendNames() +
                     "; also canary:NAME and adapter:NAME. Default: all of the "
                     "library.")
      ->type_name("LIST");
  app.add_option("--scenario", flags->scenarios,
                 "What they are put to, separated by commas, or all: see "
                 "locklab list scenarios.")
      ->type_name("LIST")
      ->capture_default_str();
  app.add_flag("--compare-peers", flags->compare_peers,
               "Put the locks of others (locklab list adapters) beside the "
               "library's, in one table, and kill holders of each.");
  AddDuration(app, "--duration", &flags->duration,
              "How long each lock is put to each scenario: 5s, 8h.")
      ->default_str("5s");
  AddNumber(app, "--seed", &flags->seed,
            "What all randomness is made from. Default: another each time.");
}

void AddParameters(CLI::App& app, Flags* flags) {
  const std::string delay = ": a duration, exp:MEAN or uniform:LEAST-GREATEST.";
  AddNumber(app, "--processes", &flags->processes, "How many want the lock.", 1,
            history::kMaxActors);
  AddNumber(app, "--threads", &flags->threads,
            "How many want it in each process.", 1, 10'000);
  AddNumber(app, "--locks", &flags->locks,
            "How many locks they share out among them.", 1,
            history::kMaxActors);
  app.add_option("--hold", flags->hold, "How long it is held" + delay)
      ->type_name("DELAY");
  app.add_option("--think", flags->think,
                 "How long until one wants it again" + delay)
      ->type_name("DELAY");
  app.add_option("--timeout", flags->timeout,
                 "How long one waits, where waiters give up" + delay)
      ->type_name("DELAY");
  AddNumber(app, "--rate", &flags->rate,
            "Arrivals a second, all together (open-loop).", 1, 100'000'000);
  AddChoice(app, "--arrivals", &flags->arrivals, {"poisson", "fixed"},
            "At random, or at even intervals.");
  AddChoice(app, "--counter", &flags->counter, {"on", "off"},
            "Whether holders read and write a file that the lock guards.");
}

void AddHow(CLI::App& app, Flags* flags) {
  AddDuration(app, "--round", &flags->round,
              "The time is cut into rounds of this length, judged one by one.")
      ->default_str("10s");
  AddChoice(app, "--on-failure", &flags->on_failure, {"go-on", "stop"},
            "What to do when a round failed.");
  app.add_option("--keep", flags->keep,
                 "Keep the histories of failed rounds in this directory.")
      ->type_name("DIR");
  AddChoice(app, "--format", &flags->format, {"text", "json"},
            "How to print the result.");
  app.footer(
      "Parameters that are not given are the scenario's own.\n"
      "Exit codes: 0 no two ever held a lock and everybody got on; 1 else;\n"
      "2 usage; 3 nothing ran; 5 it could not be told, also after SIGINT or\n"
      "SIGTERM, with the results so far.");
}

}  // namespace

Run SetUpStress(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  AddWhat(app, flags.get());
  AddParameters(app, flags.get());
  AddFaultFlags(app, &flags->faults);
  AddHow(app, flags.get());
  return [flags, &context] { return RunStress(*flags, context); };
}

}  // namespace locklab::cli
