// locklab explore: every interleaving and every crash of a lock's protocol,
// over model filesystems.
#include "stress/explore/explore.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "conformance/proc/interrupts.h"
#include "conformance/proc/temp_dir.h"
#include "stress/explore/replay.h"
#include "stress/explore/searches.h"
#include "stress/explore/tell.h"
#include "tools/locklab/check/progress.h"
#include "tools/locklab/commands.h"
#include "tools/locklab/explore_report.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/subjects.h"
#include "tools/locklab/terminal.h"

namespace locklab::cli {
namespace {

using explore::Model;
using explore::Role;
using explore::Scene;

// What is searched where nobody says how many processes there are.
constexpr uint64_t kProcesses[] = {2, 3};

std::vector<const Model*> ParseModels(const std::string& list) {
  std::vector<std::string_view> names;
  std::vector<const Model*> models;
  for (const Model& model : explore::Models()) {
    names.push_back(model.name);
    if (list.empty()) models.push_back(&model);
  }
  if (list.empty()) return models;
  for (const std::string& word : ParseList("--model", list)) {
    models.push_back(explore::FindModel(ParseChoice("--model", word, names)));
  }
  return models;
}

// The processes of each search.
std::vector<std::vector<explore::Role>> ParseRoles(const ExploreFlags& flags) {
  std::vector<explore::Role> roles;
  std::vector<std::string_view> names;
  for (const auto& row : explore::Roles()) names.push_back(row.name);
  if (flags.roles.empty()) {
    std::vector<std::vector<explore::Role>> all;
    for (const uint64_t count : kProcesses) {
      if (flags.processes == 0) all.emplace_back(count, Role::kContend);
    }
    if (all.empty()) all.emplace_back(flags.processes, Role::kContend);
    return all;
  }
  for (const std::string& word : ParseList("--role", flags.roles)) {
    const std::string_view name = ParseChoice("--role", word, names);
    for (const auto& row : explore::Roles()) {
      if (row.name == name) roles.push_back(row.role);
    }
  }
  if (roles.size() > explore::kMaxProcesses) {
    throw UsageError(fmt::format("--role={}: a model has room for {} processes",
                                 flags.roles, explore::kMaxProcesses));
  }
  return {roles};
}

ExploreCase CaseOf(const ExploreFlags& flags, const NamedSubject& subject,
                   const Model& model, const std::vector<Role>& roles) {
  ExploreCase each{.subject = subject, .scene = {}, .excuse = ""};
  each.scene.subject = subject.factory.get();
  each.scene.model = &model;
  each.scene.roles = roles;
  each.scene.rounds = static_cast<int>(flags.rounds);
  each.scene.waits = static_cast<int>(flags.waits);
  for (int i = 0; i < explore::kSpends; ++i) {
    each.scene.allowed[i] = static_cast<uint8_t>(flags.allowed[i]);
  }
  each.scene.liveness = !model.many_hosts;
  each.excuse = explore::Excuse(each.scene);
  return each;
}

std::vector<ExploreCase> CasesOf(const ExploreFlags& flags) {
  std::vector<ExploreCase> cases;
  const auto all_roles = ParseRoles(flags);
  const auto subjects = ParseSubjects(flags.backends, 0);
  for (const Model* model : ParseModels(flags.models)) {
    for (const NamedSubject& subject : subjects) {
      for (const std::vector<Role>& roles : all_roles) {
        cases.push_back(CaseOf(flags, subject, *model, roles));
        if (!cases.back().excuse.empty()) break;
      }
    }
  }
  return cases;
}

// --- the work ---------------------------------------------------------------

// With real processes, in a directory of its own there.
int ReplayReally(const ExploreCase& each, const explore::Schedule& schedule,
                 const explore::Told& told, const ExploreFlags& flags,
                 Context& context) {
  const proc::TempDir dir(flags.dir);
  const explore::Replayed real =
      explore::ReplayOn(each.scene, schedule, dir.path());
  explore::Told shown;
  shown.calls = real.calls;
  fmt::print(context.out.stream, "{}\n{}",
             fmt::format("real processes in {}:", flags.dir),
             explore::Table(each.scene, shown));
  if (!real.departed.empty()) {
    fmt::print(context.out.stream,
               "\nit goes another way here than in the model: {}\n",
               real.departed);
    return kExitInconclusive;
  }
  const bool wrong = told.wrong != explore::Wrong::kNothing;
  fmt::print(context.out.stream,
             "\n{}: every call did what it does in the model{}\n",
             !wrong ? "nothing is wrong" : explore::WrongDoc(told.wrong),
             real.two_held ? "; a witness saw two holders at once" : "");
  return wrong || real.two_held ? kExitFailed : kExitOk;
}

int RunReplay(const std::vector<ExploreCase>& cases, const ExploreFlags& flags,
              Context& context) {
  const auto schedule = explore::ParseSchedule(flags.replay);
  if (!schedule.has_value()) {
    throw UsageError(fmt::format(
        "--replay={}: a schedule is like a5,b3,a:crash,b2", flags.replay));
  }
  if (cases.size() != 1) {
    throw UsageError("--replay needs one --backend and one --model");
  }
  const ExploreCase& each = cases.front();
  if (!each.excuse.empty()) {
    fmt::print(context.err.stream, "locklab: {}: {}\n", each.subject.name,
               each.excuse);
    return kExitNothingRan;
  }
  const explore::Told told = explore::Tell(each.scene, *schedule);
  if (flags.dir.empty()) context.out.stream << explore::Table(each.scene, told);
  if (told.impossible != 0) {
    throw UsageError(fmt::format(
        "--replay={}: step {} cannot happen there; use the flags that were "
        "printed with the schedule",
        flags.replay, told.impossible));
  }
  if (!flags.dir.empty()) {
    return ReplayReally(each, *schedule, told, flags, context);
  }
  if (told.wrong == explore::Wrong::kNothing) {
    fmt::print(context.out.stream, "\nnothing is wrong\n");
    return kExitOk;
  }
  fmt::print(context.out.stream, "\n{}{}{}\n", explore::WrongDoc(told.wrong),
             told.reason.empty() ? "" : ": ", told.reason);
  return kExitFailed;
}

// In the order of the cases, as far as the searches came.
std::vector<ExploreOutcome> SearchAll(const std::vector<ExploreCase>& cases,
                                      const ExploreFlags& flags,
                                      Context& context) {
  const proc::Interrupts interrupts;
  check::Progress progress(context.err);
  std::vector<const Scene*> scenes;
  std::map<const Scene*, const ExploreCase*> owners;
  std::vector<ExploreOutcome> outcomes;
  for (const ExploreCase& each : cases) {
    owners[&each.scene] = &each;
    if (each.excuse.empty()) {
      scenes.push_back(&each.scene);
    } else {
      outcomes.push_back({.of = &each, .found = {}});
    }
  }
  explore::Budget budget{.seconds = static_cast<double>(flags.seconds),
                         .jobs = static_cast<int>(flags.jobs),
                         .memory = flags.memory_mb << 20,
                         .depth = static_cast<uint32_t>(flags.depth)};
  if (flags.preemptions != kAnyPreemptions) {
    budget.preemptions = static_cast<uint32_t>(flags.preemptions);
  }
  budget.fall_back = !budget.preemptions.has_value() &&
                     !flags.require_complete && flags.depth == 0;
  auto found = explore::SearchAll(
      scenes, budget,
      [&](const Scene& scene) {
        progress.Stage(fmt::format("{} {}", scene.model->name,
                                   owners.at(&scene)->subject.name));
      },
      [] { return proc::Interrupts::Pending() == 0; });
  for (size_t i = 0; i < scenes.size(); ++i) {
    if (!found[i].has_value()) continue;
    outcomes.push_back(
        {.of = owners.at(scenes[i]), .found = std::move(*found[i])});
  }
  proc::Interrupts::Take();
  std::ranges::sort(outcomes, {}, &ExploreOutcome::of);
  return outcomes;
}

int RunExplore(ExploreFlags flags, Context& context) {
  if (!flags.replay.empty() && flags.processes == 0) flags.processes = 2;
  if (flags.replay.empty() && !flags.dir.empty()) {
    throw UsageError("--dir is for --replay: the search needs no directory");
  }
  const std::vector<ExploreCase> cases = CasesOf(flags);
  if (!flags.replay.empty()) return RunReplay(cases, flags, context);
  const std::vector<ExploreOutcome> outcomes = SearchAll(cases, flags, context);
  Exit code = CodeOf(outcomes, flags);
  if (code == kExitOk && outcomes.size() < cases.size()) {
    code = kExitInconclusive;
  }
  if (flags.format == "text") {
    PrintExploreText(outcomes, flags, context.out);
    return code;
  }
  PrintExploreJson(outcomes, flags, code, context.out.stream);
  return code;
}

std::string ModelsDoc() {
  std::string out = "The model filesystems, separated by commas:";
  for (const Model& model : explore::Models()) {
    out += fmt::format(" {} ({}),", model.name, model.doc);
  }
  out.back() = '.';
  return out + " Default: all of them.";
}

void AddBounds(CLI::App& app, ExploreFlags* flags) {
  AddNumber(app, "--processes", &flags->processes,
            "How many processes contend. 0: first two, then three.", 0,
            explore::kMaxProcesses);
  AddNumber(app, "--rounds", &flags->rounds,
            "How often each takes the lock and gives it back.", 1, 8);
  AddNumber(app, "--waits", &flags->waits,
            "How often each waits in a round, at most.", 0, 16);
  for (const auto& row : explore::Events()) {
    if (row.flag.empty()) continue;
    AddNumber(app, std::string(row.flag),
              &flags->allowed[static_cast<size_t>(*row.spends)],
              std::string(row.doc), 0, 4);
  }
  AddNumber(app, "--depth", &flags->depth,
            "Steps after which the search ends; 0: no limit.", 0, 1'000'000);
  AddNumber(app, "--preemptions", &flags->preemptions,
            fmt::format("Searches only schedules in which one process "
                        "interrupts another so often at most: makes a step "
                        "where the other could go on and does not wait. "
                        "Default: all; where that does not end in time, as "
                        "many as do, {} at least.",
                        kEnoughPreemptions),
            0, kMostPreemptions);
  app.add_flag("--require-complete", flags->require_complete,
               "Takes no bound on preemptions for an answer: what was not "
               "searched whole is inconclusive.");
  AddNumber(app, "--memory", &flags->memory_mb,
            "MiB after which the search of one lock ends.", 1, 1 << 20);
  AddNumber(app, "--time", &flags->seconds,
            fmt::format("Seconds of processor time for all searches together "
                        "({}): each may have two thirds of what is left. 0: "
                        "no limit.",
                        flags->seconds),
            0, 1'000'000);
  AddNumber(app, "--jobs", &flags->jobs,
            "How many searches there are at once. Default: as many as there "
            "are processors.",
            1, kMostJobs);
}

}  // namespace

Run SetUpExplore(CLI::App& app, Context& context) {
  auto flags = std::make_shared<ExploreFlags>();
  app.add_option("--backend", flags->backends,
                 "The locks to explore, separated by commas: " +
                     lockfile::BackendNames() +
                     "; also canary:NAME. Default: all of the library.")
      ->type_name("LIST");
  app.add_option("--model", flags->models, ModelsDoc())->type_name("LIST");
  app.add_option("--role", flags->roles,
                 "What each process does, separated by commas: contend, try, "
                 "break. Default: --processes of them contend.")
      ->type_name("LIST");
  AddBounds(app, flags.get());
  app.add_option("--replay", flags->replay,
                 "Makes the steps of this schedule alone and shows them.")
      ->type_name("SCHEDULE");
  app.add_option("--dir", flags->dir,
                 "With --replay: not in the model, but with real processes in "
                 "this directory, one call at a time.")
      ->type_name("DIR");
  AddChoice(app, "--format", &flags->format, {"text", "json"},
            "How to print the result.");
  app.footer(
      "The library's own code runs over a model filesystem; every order of\n"
      "the calls of its processes is tried, and every death between two.\n"
      "\n"
      "Verdicts: pass: nothing is wrong in any schedule within the bounds "
      "(waits,\n"
      "rounds, deaths); bounded: nor in any with at most as many preemptions "
      "as\n"
      "the table says; inconclusive: it did not come as far.\n"
      "Exit codes: 0 nothing is wrong, all verdicts are pass or bounded (with\n"
      "--require-complete: pass); 1 something is wrong; 2 usage; 3 nothing "
      "was\n"
      "explored; 5 a bound was reached before the end.");
  return [flags, &context] { return RunExplore(*flags, context); };
}

}  // namespace locklab::cli
