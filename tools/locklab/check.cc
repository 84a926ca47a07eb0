// locklab check: the main job. Which locks can be relied on in a directory?
// locklab conformance: its claims alone, with more knobs.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <random>
#include <regex>
#include <string>
#include <vector>

#include "conformance/proc/interrupts.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/report/json.h"
#include "conformance/report/report.h"
#include "conformance/report/text.h"
#include "conformance/store/run_writer.h"
#include "conformance/store/store_error.h"
#include "tools/locklab/check/directory.h"
#include "tools/locklab/check/environment.h"
#include "tools/locklab/check/survey.h"
#include "tools/locklab/commands.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/formats.h"
#include "tools/locklab/lab.h"
#include "tools/locklab/terminal.h"
#include "tools/locklab/traces.h"

namespace locklab::cli {
namespace {

struct Flags {
  std::string dir;
  std::string other_mount;
  std::string fs;
  std::string variant;
  std::string turn;
  bool silent = false;
  uint64_t jobs = 0;
  std::string backends;
  std::string profile = "quick";
  std::string format = "text";
  std::string filter;
  std::string require;
  std::vector<std::string> expect;
  std::string out;
  uint64_t seed = std::random_device{}();
  uint64_t lanes = 3;
  uint64_t deadline_s = 60;
  bool latency = true;
  bool keep = false;
  ReportFiles files;
  TraceFile trace;
};

std::vector<const Claim*> Filtered(const std::string& filter) {
  std::vector<const Claim*> claims;
  try {
    const std::regex wanted(filter);
    for (const Claim& claim : Claims()) {
      const std::string id(claim.id);
      if (std::regex_search(id, wanted)) claims.push_back(&claim);
    }
  } catch (const std::regex_error& error) {
    throw UsageError(fmt::format("--filter={} is no regular expression: {}",
                                 filter, error.what()));
  }
  return claims;
}

void RequireKnown(const std::string& name) {
  std::vector<std::string_view> names = SubjectNames();
  for (const Feature& feature : Features()) names.push_back(feature.name);
  for (const Claim& claim : Claims()) names.push_back(claim.id);
  if (std::find(names.begin(), names.end(), name) != names.end()) return;
  throw UsageError(fmt::format(
      "--require={}: no claim, backend or feature has that name{} (see "
      "locklab list claims, backends, features)",
      name, DidYouMean(name, names)));
}

// What is required must be examined, too.
void Require(const std::string& name, check::SurveyPlan* plan) {
  RequireKnown(name);
  if (const Feature* feature = FindFeature(name)) {
    plan->required.features.push_back(feature);
    return;
  }
  if (const Claim* claim = FindClaim(name)) {
    if (std::find(plan->claims.begin(), plan->claims.end(), claim) ==
        plan->claims.end()) {
      throw UsageError(
          fmt::format("--require={}, but --filter leaves it out", name));
    }
    plan->required.claims.push_back(claim);
    return;
  }
  if (std::none_of(plan->subjects.begin(), plan->subjects.end(),
                   [&name](const auto& s) { return s.name == name; })) {
    throw UsageError(
        fmt::format("--require={}, but --backend leaves it out", name));
  }
  plan->required.backends.push_back(name);
}

void Expect(const std::vector<std::string>& files, check::SurveyPlan* plan,
            std::vector<expect::Source>* sources) {
  expect::Names names{.claims = {}, .backends = SubjectNames()};
  for (const Claim& claim : Claims()) names.claims.push_back(claim.id);
  for (const std::string& file : files) {
    try {
      for (expect::Source& source :
           expect::AddFile(file, names, &plan->expectations)) {
        sources->push_back(std::move(source));
      }
    } catch (const expect::ExpectError& error) {
      throw UsageError(fmt::format("--expect: {}", error.what()));
    }
    plan->expectation_files.push_back(file);
  }
}

check::SurveyPlan PlanOf(const Flags& flags, const Context& context,
                         std::vector<expect::Source>* sources) {
  check::SurveyPlan plan;
  plan.subjects = ParseSubjects(flags.backends, flags.seed);
  plan.claims = Filtered(flags.filter);
  if (!flags.require.empty()) {
    for (const std::string& name : ParseList("--require", flags.require)) {
      Require(name, &plan);
    }
  }
  Expect(flags.expect, &plan, sources);
  plan.latency = flags.latency && flags.filter.empty();
  plan.lanes = flags.lanes;
  plan.claim_deadline = std::chrono::seconds(flags.deadline_s);
  plan.quick = flags.profile == "quick";
  plan.seed = flags.seed;
  plan.run_id = check::NewRunId();
  plan.keep = flags.keep;
  plan.command_line = context.command_line;
  plan.variant = flags.variant;
  plan.turn = flags.turn;
  plan.dir = check::UsableDirectory(flags.dir);
  if (!flags.other_mount.empty()) {
    plan.other_mount = check::OtherMount(plan.dir, flags.other_mount);
  }
  return plan;
}

void Print(const report::RunReport& report, const Flags& flags,
           Context& context) {
  if (flags.files.ToStdout()) return;
  if (flags.format == "json") {
    context.out.stream << report::ToJson(report);
    return;
  }
  context.out.stream << "\n"
                     << report::ToText(report, {.width = WidthOf(context.out),
                                                .color = context.out.color});
}

std::unique_ptr<store::RunWriter> OpenStore(const std::string& dir) {
  try {
    return std::make_unique<store::RunWriter>(check::ResultsDirectory(dir));
  } catch (const store::StoreError& error) {
    throw UsageError(fmt::format("--out: {}", error.what()));
  }
}

// Verdicts stand on them, too, so a bundle needs them as they were.
void KeepExpectations(const std::vector<expect::Source>& sources,
                      const std::string& run) {
  if (sources.empty()) return;
  const std::string trouble =
      expect::KeepSources(sources, run + "/expectations");
  if (!trouble.empty()) throw UsageError("--out: " + trouble);
}

// The same on each of the filesystems that --fs names.
int CheckOnVariants(std::string_view subcommand, const Flags& flags,
                    Context& context) {
  if (!flags.dir.empty() || !flags.other_mount.empty()) {
    throw UsageError(
        "--fs makes the directory: it goes without --dir and "
        "--other-mount");
  }
  std::vector<std::string> args =
      WithoutFlag("--jobs", WithoutFlag("--fs", context.args));
  args.emplace(args.begin(), subcommand);
  return RunOnVariants(flags.fs, flags.jobs, std::move(args), context);
}

int Check(std::string_view subcommand, const Flags& flags, Context& context) {
  if (!flags.fs.empty()) return CheckOnVariants(subcommand, flags, context);
  if (flags.dir.empty()) throw UsageError("--dir or --fs is required");
  if (flags.jobs != 0) throw UsageError("--jobs goes with --fs");
  // A reader that has seen enough (`2>&1 | head`) must not end the run where
  // it stands: its scratch directory would stay, and its reports unwritten.
  std::signal(SIGPIPE, SIG_IGN);
  flags.files.Check(flags.format);
  flags.trace.Check(flags.files);
  std::vector<expect::Source> sources;
  check::SurveyPlan plan = PlanOf(flags, context, &sources);
  if (plan.claims.empty()) {
    fmt::print(context.err.stream,
               "locklab: --filter={} matches no claim, so nothing was examined "
               "(see locklab list claims)\n",
               flags.filter);
    return kExitNothingRan;
  }
  std::unique_ptr<store::RunWriter> writer;
  std::optional<proc::TempDir> aside;  // for histories that are only shown
  if (flags.trace.wanted()) plan.histories = aside.emplace().path();
  if (!flags.out.empty()) {
    writer = OpenStore(flags.out);
    const std::string run = writer->DirectoryOf(plan.run_id);
    plan.histories = check::HistoriesDirectory(run);
    KeepExpectations(sources, run);
  }
  if (flags.format == "text" && !flags.files.ToStdout()) {
    fmt::print(context.out.stream, "seed {}: locklab {} examines {}\n",
               plan.seed, kSuiteVersion, plan.dir);
    context.out.stream.flush();
  }
  report::RunReport report;
  {
    const proc::Interrupts interrupts;
    std::ostream nowhere(nullptr);
    Console silent{nowhere};
    check::Progress progress(flags.silent ? silent : context.err);
    report = check::Survey(plan, &progress, writer.get());
    // The report says it, and the exit code.
    proc::Interrupts::Take();
  }
  Print(report, flags, context);
  int code = report::ExitCodeOf(report);
  bool written = flags.files.Write(report, context);
  if (flags.trace.wanted()) {
    written &= flags.trace.Write(report, plan.histories, context);
  }
  if (!written && code == kExitOk) code = kExitFailed;
  if (writer != nullptr && !writer->error().empty()) {
    fmt::print(context.err.stream, "locklab: {}\n", writer->error());
    if (code == kExitOk) code = kExitFailed;
  }
  return code;
}

void AddWhat(CLI::App& app, Flags* flags) {
  app.add_option("--dir", flags->dir,
                 "The directory to examine. A scratch directory is made in it "
                 "and removed again.")
      ->type_name("DIR");
  app.add_option("--fs", flags->fs,
                 "Instead: filesystems that are made for the run, separated by "
                 "commas (see locklab lab list), or local, guest, all.")
      ->type_name("LIST");
  AddVariant(app, &flags->variant);
  app.add_option("--turn", flags->turn,
                 "The file by which runs side by side take turns at measuring.")
      ->type_name("FILE")
      ->group("");
  app.add_flag("--silent", flags->silent, "No progress.")->group("");
  AddJobs(app, &flags->jobs);
  app.add_option("--other-mount", flags->other_mount,
                 "The same directory through another mount of the filesystem, "
                 "with caches of its own: what holds between two clients?")
      ->type_name("DIR");
  app.add_option("--backend", flags->backends,
                 "The locks to examine, separated by commas: " +
                     lockfile::BackendNames() +
                     "; also canary:NAME, a lock that is broken on purpose, "
                     "and adapter:NAME or adapter:./PROGRAM, another's. "
                     "Default: all of the library.")
      ->type_name("LIST");
  AddChoice(app, "--profile", &flags->profile, {"quick", "full"},
            "How long to look: quick is half a minute, full several.");
  AddNumber(app, "--seed", &flags->seed,
            "What all randomness is made from. Default: another each time.");
  app.add_option("--filter", flags->filter,
                 "Only claims whose id this regular expression is found in.")
      ->type_name("REGEX");
  app.add_option("--require", flags->require,
                 "Claims, backends or features, separated by commas, that must "
                 "not be unsupported: else the exit code is 4.")
      ->type_name("LIST");
  app.add_option("--expect", flags->expect,
                 "Failures that are known: a file of them, or @NAME for a pack "
                 "that comes with locklab (see locklab list expectations). May "
                 "be given several times.")
      ->type_name("FILE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void AddHow(CLI::App& app, Flags* flags) {
  AddChoice(app, "--format", &flags->format, {"text", "json"},
            "How to print the result.");
  flags->files.Declare(app);
  flags->trace.Declare(app);
  app.add_option("--out", flags->out,
                 "Keep the run in the results store of this directory, with "
                 "its histories: see locklab report.")
      ->type_name("DIR");
  app.add_flag("--keep", flags->keep,
               "Leave the scratch directory for inspection.");
  app.footer(
      "Exit codes: 0 every lock that the directory supports is safe, or fails\n"
      "as expected; 1 a lock is unsafe, or holds what it is expected to fail;\n"
      "2 usage, or the directory cannot be examined; 3 nothing was examined;\n"
      "4 something required is missing; 5 something could not be told, also\n"
      "after SIGINT or SIGTERM.");
}

}  // namespace

Run SetUpCheck(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  AddWhat(app, flags.get());
  AddHow(app, flags.get());
  return [flags, &context] { return Check("check", *flags, context); };
}

Run SetUpConformance(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  flags->latency = false;
  AddWhat(app, flags.get());
  AddNumber(app, "--lanes", &flags->lanes,
            "How many claims are examined at a time.", 1, 64);
  AddNumber(app, "--deadline", &flags->deadline_s,
            "Seconds until a claim counts as hung.", 1, 86400);
  AddHow(app, flags.get());
  return [flags, &context] { return Check("conformance", *flags, context); };
}

}  // namespace locklab::cli
