// locklab explore: every interleaving and every crash of a lock's protocol,
// over model filesystems.
#include "stress/explore/explore.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "conformance/proc/interrupts.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/report/text.h"
#include "lib/errors.h"
#include "stress/explore/replay.h"
#include "stress/explore/searches.h"
#include "stress/explore/tell.h"
#include "tools/locklab/check/progress.h"
#include "tools/locklab/commands.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/subjects.h"
#include "tools/locklab/terminal.h"

namespace locklab::cli {
namespace {

using explore::Event;
using explore::Exploration;
using explore::Model;
using explore::Role;
using explore::Scene;
using Json = nlohmann::ordered_json;

// What is searched where nobody says how many processes there are.
constexpr uint64_t kProcesses[] = {2, 3};

constexpr uint64_t kAnyPreemptions = ~uint64_t{0};
constexpr uint64_t kMostPreemptions = 1000;
constexpr unsigned kMostJobs = 64;
// Where a search does not come to its end, and nobody says how many: so many
// are enough for an answer. What is wrong mostly shows with two.
constexpr uint32_t kEnoughPreemptions = 2;

struct Flags {
  std::string backends;
  std::string models;
  std::string roles;
  std::string replay;
  std::string dir;  // of the replay; "": in the model
  std::string format = "text";
  uint64_t processes = 0;  // 0: each of kProcesses
  uint64_t rounds = 1;
  uint64_t waits = 1;
  uint64_t allowed[explore::kSpends] = {1};
  uint64_t depth = 0;
  uint64_t memory_mb = 1024;
  uint64_t seconds = 100;
  uint64_t jobs =
      std::clamp(std::thread::hardware_concurrency(), 1U, kMostJobs);
  uint64_t preemptions = kAnyPreemptions;
  bool require_complete = false;
};

// One lock in one model.
struct Case {
  NamedSubject subject;
  Scene scene;
  std::string excuse;  // why it is not explored
};

struct Outcome {
  const Case* of = nullptr;
  Exploration found;
};

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
std::vector<std::vector<explore::Role>> ParseRoles(const Flags& flags) {
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

Case CaseOf(const Flags& flags, const NamedSubject& subject, const Model& model,
            const std::vector<Role>& roles) {
  Case each{.subject = subject, .scene = {}, .excuse = ""};
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

std::vector<Case> CasesOf(const Flags& flags) {
  std::vector<Case> cases;
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

// --- what is said of it -----------------------------------------------------

std::string Command(const Case& each, const Flags& flags) {
  std::string out = fmt::format("locklab explore --backend={} --model={}",
                                each.subject.name, each.scene.model->name);
  out += flags.roles.empty()
             ? fmt::format(" --processes={}", each.scene.processes())
             : " --role=" + flags.roles;
  if (flags.rounds != 1) out += fmt::format(" --rounds={}", flags.rounds);
  if (flags.waits != 1) out += fmt::format(" --waits={}", flags.waits);
  for (const auto& row : explore::Events()) {
    if (row.flag.empty()) continue;
    out += fmt::format(" {}={}", row.flag,
                       flags.allowed[static_cast<size_t>(*row.spends)]);
  }
  return out;
}

// What the table and the JSON say.
constexpr std::string_view kBounded = "bounded";

std::string_view VerdictOf(const Outcome& outcome, const Flags& flags) {
  if (!outcome.of->excuse.empty()) return "unsupported";
  const Exploration& found = outcome.found;
  if (found.found.has_value()) return "fail";
  if (found.complete) return "pass";
  const uint64_t enough = flags.preemptions == kAnyPreemptions
                              ? kEnoughPreemptions
                              : flags.preemptions;
  const bool far =
      found.preemptions.has_value() && *found.preemptions >= enough;
  return far && !flags.require_complete ? kBounded : "inconclusive";
}

// Which schedules were searched: "all", "<= 3", "-" where that has no name.
std::string ReachOf(const Exploration& found) {
  if (found.found.has_value()) return "-";
  if (found.complete) return "all";
  if (!found.preemptions.has_value()) return "-";
  return fmt::format("<= {}", *found.preemptions);
}

void PrintRow(const Outcome& outcome, const Flags& flags, std::ostream& out) {
  const Exploration& found = outcome.found;
  fmt::print(out, "{:<8} {:<8} {:>5} ", outcome.of->scene.model->name,
             outcome.of->subject.name,
             outcome.of->excuse.empty()
                 ? std::to_string(outcome.of->scene.processes())
                 : "-");
  if (!outcome.of->excuse.empty()) {
    fmt::print(out, "unsupported: {}\n", outcome.of->excuse);
    return;
  }
  fmt::print(out, "{:<12} {:>11} {:>10} {:>11} {:>6} {:>8} {:>8.2f}{}\n",
             VerdictOf(outcome, flags), ReachOf(found), found.states,
             found.transitions, found.depth, found.worlds, found.cpu_seconds,
             found.bound.empty() ? "" : "  bound reached: " + found.bound);
}

void PrintFound(const Outcome& outcome, const Flags& flags, Console& out) {
  const auto& found = *outcome.found.found;
  const auto told = explore::Tell(outcome.of->scene, found.schedule);
  std::string what(explore::WrongDoc(found.wrong));
  if (!found.reason.empty()) what += ": " + found.reason;
  fmt::print(
      out.stream, "\n{}\n\n{}\n  replay: {} --replay={}\n",
      report::Wrap(fmt::format("{} {}: {}", outcome.of->scene.model->name,
                               outcome.of->subject.name, what),
                   WidthOf(out), 2),
      explore::Table(outcome.of->scene, told), Command(*outcome.of, flags),
      explore::FormatSchedule(found.schedule));
}

Json BoundsOf(const Flags& flags) {
  Json out = {{"rounds", flags.rounds},
              {"waits", flags.waits},
              {"depth", flags.depth},
              {"memory_bytes", flags.memory_mb << 20},
              {"processor_s", flags.seconds},
              {"jobs", flags.jobs},
              {"require_complete", flags.require_complete},
              {"preemptions", nullptr}};
  if (flags.preemptions != kAnyPreemptions) {
    out["preemptions"] = flags.preemptions;
  }
  for (const auto& row : explore::Events()) {
    if (row.flag.empty()) continue;
    std::string name(row.flag.substr(2));
    std::replace(name.begin(), name.end(), '-', '_');
    out[name] = flags.allowed[static_cast<size_t>(*row.spends)];
  }
  return out;
}

std::string SaidOf(int error) {
  return error == 0 ? "ok" : lockfile::ErrnoName(error);
}

// What the model could have said to a call, and did not.
Json NeverOf(const Exploration& found) {
  Json never = Json::array();
  for (const auto& row : explore::Possible()) {
    for (const int error : row.errors) {
      if (found.coverage.contains({row.op, error})) continue;
      never.push_back({{"call", std::string(explore::OpName(row.op))},
                       {"outcome", SaidOf(error)}});
    }
  }
  return never;
}

Json JsonOf(const Outcome& outcome, const Flags& flags) {
  const Exploration& found = outcome.found;
  Json coverage = Json::array();
  for (const auto& [key, count] : found.coverage) {
    coverage.push_back({{"call", std::string(explore::OpName(key.first))},
                        {"outcome", SaidOf(key.second)},
                        {"count", count}});
  }
  Json out = {{"backend", outcome.of->subject.name},
              {"model", std::string(outcome.of->scene.model->name)},
              {"assumes", std::string(outcome.of->scene.model->assumes)},
              {"processes", outcome.of->scene.processes()},
              {"bounds", BoundsOf(flags)},
              {"verdict", std::string(VerdictOf(outcome, flags))},
              {"complete", found.complete && !found.found.has_value()},
              {"preemptions", nullptr},
              {"excuse", outcome.of->excuse},
              {"bound_reached", found.bound},
              {"waits_cut", found.waits_cut},
              {"positions_merged", found.merged},
              {"states", found.states},
              {"transitions", found.transitions},
              {"depth", found.depth},
              {"worlds", found.worlds},
              {"positions", found.positions},
              {"memory_bytes", found.bytes},
              {"duration_s", found.seconds},
              {"processor_s", found.cpu_seconds},
              {"coverage", std::move(coverage)},
              {"never", NeverOf(found)}};
  if (found.preemptions.has_value()) out["preemptions"] = *found.preemptions;
  if (!found.found.has_value()) return out;
  Json steps = Json::array();
  for (const auto& step :
       explore::Tell(outcome.of->scene, found.found->schedule).calls) {
    steps.push_back(
        {{"process", std::string(1, static_cast<char>('a' + step.slot))},
         {"call", step.call},
         {"result", step.result},
         {"holds", step.holds}});
  }
  out["counterexample"] = {
      {"wrong", std::string(explore::WrongName(found.found->wrong))},
      {"what", std::string(explore::WrongDoc(found.found->wrong))},
      {"reason", found.found->reason},
      {"schedule", explore::FormatSchedule(found.found->schedule)},
      {"replay", Command(*outcome.of, flags) + " --replay=" +
                     explore::FormatSchedule(found.found->schedule)},
      {"steps", std::move(steps)}};
  return out;
}

Exit CodeOf(const std::vector<Outcome>& outcomes, const Flags& flags) {
  Exit code = kExitNothingRan;
  for (const Outcome& outcome : outcomes) {
    const std::string_view verdict = VerdictOf(outcome, flags);
    if (verdict == "fail") return kExitFailed;
    if (verdict == "inconclusive") code = kExitInconclusive;
    const bool fine = verdict == "pass" || verdict == kBounded;
    if (fine && code == kExitNothingRan) code = kExitOk;
  }
  return code;
}

// What came of which call, in all searches, and what never did.
void PrintCoverage(const std::vector<Outcome>& outcomes, std::ostream& out) {
  std::map<std::pair<explore::Op, int>, uint64_t> seen;
  for (const Outcome& outcome : outcomes) {
    for (const auto& [key, count] : outcome.found.coverage) seen[key] += count;
  }
  fmt::print(out, "\ncalls, and what came of them:\n");
  for (const auto& row : explore::Possible()) {
    std::string came;
    std::string never;
    for (const int error : row.errors) {
      const auto found = seen.find({row.op, error});
      std::string& list = found == seen.end() ? never : came;
      list += " " + SaidOf(error);
      if (found != seen.end()) list += fmt::format(" {}", found->second);
    }
    if (came.empty()) continue;
    fmt::print(out, "  {:<16}{}{}\n", explore::OpName(row.op), came,
               never.empty() ? "" : "; never" + never);
  }
}

// What the verdicts stand for.
void PrintReach(const std::vector<Outcome>& outcomes, const Flags& flags,
                Console& out) {
  size_t whole = 0;
  size_t bounded = 0;
  uint32_t least = ~uint32_t{0};
  for (const Outcome& outcome : outcomes) {
    const std::string_view verdict = VerdictOf(outcome, flags);
    whole += verdict == "pass" ? 1 : 0;
    if (verdict != kBounded) continue;
    ++bounded;
    least = std::min(least, *outcome.found.preemptions);
  }
  if (whole + bounded == 0) return;
  std::string said = fmt::format(
      "pass: nothing is wrong in any schedule within the bounds ({} searches)",
      whole);
  if (bounded > 0) {
    said += fmt::format(
        "; bounded: nor in any with at most as many preemptions as the table "
        "says, {} at least ({} searches); of those with more nothing is said",
        least, bounded);
  }
  fmt::print(out.stream, "{}\n", report::Wrap(said, WidthOf(out), 0));
}

void PrintAll(const std::vector<Outcome>& outcomes, const Flags& flags,
              Console& out) {
  fmt::print(out.stream,
             "{:<8} {:<8} {:>5} {:<12} {:>11} {:>10} {:>11} {:>6} {:>8} "
             "{:>8}\n",
             "model", "backend", "procs", "verdict", "preemptions", "states",
             "transitions", "depth", "worlds", "cpu s");
  uint64_t states = 0;
  double cpu = 0;
  for (const Outcome& outcome : outcomes) {
    PrintRow(outcome, flags, out.stream);
    states += outcome.found.states;
    cpu += outcome.found.cpu_seconds;
  }
  for (const Outcome& outcome : outcomes) {
    if (outcome.found.found.has_value()) PrintFound(outcome, flags, out);
  }
  fmt::print(out.stream,
             "\n{} states in {:.1f} s of processor time ({:.0f} a second); "
             "bounds: {} deaths, {} waits a round of each process, {} s of "
             "processor time for all, {} MiB a search\n",
             states, cpu, static_cast<double>(states) / std::max(cpu, 1e-9),
             flags.allowed[0], flags.waits, flags.seconds, flags.memory_mb);
  PrintReach(outcomes, flags, out);
  if (states > 0) PrintCoverage(outcomes, out.stream);
}

// --- the work ---------------------------------------------------------------

// With real processes, in a directory of its own there.
int ReplayReally(const Case& each, const explore::Schedule& schedule,
                 const explore::Told& told, const Flags& flags,
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

int RunReplay(const std::vector<Case>& cases, const Flags& flags,
              Context& context) {
  const auto schedule = explore::ParseSchedule(flags.replay);
  if (!schedule.has_value()) {
    throw UsageError(fmt::format(
        "--replay={}: a schedule is like a5,b3,a:crash,b2", flags.replay));
  }
  if (cases.size() != 1) {
    throw UsageError("--replay needs one --backend and one --model");
  }
  const Case& each = cases.front();
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
std::vector<Outcome> SearchAll(const std::vector<Case>& cases,
                               const Flags& flags, Context& context) {
  const proc::Interrupts interrupts;
  check::Progress progress(context.err);
  std::vector<const Scene*> scenes;
  std::map<const Scene*, const Case*> owners;
  std::vector<Outcome> outcomes;
  for (const Case& each : cases) {
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
  std::ranges::sort(outcomes, {}, &Outcome::of);
  return outcomes;
}

int RunExplore(Flags flags, Context& context) {
  if (!flags.replay.empty() && flags.processes == 0) flags.processes = 2;
  if (flags.replay.empty() && !flags.dir.empty()) {
    throw UsageError("--dir is for --replay: the search needs no directory");
  }
  const std::vector<Case> cases = CasesOf(flags);
  if (!flags.replay.empty()) return RunReplay(cases, flags, context);
  const std::vector<Outcome> outcomes = SearchAll(cases, flags, context);
  Exit code = CodeOf(outcomes, flags);
  if (code == kExitOk && outcomes.size() < cases.size()) {
    code = kExitInconclusive;
  }
  if (flags.format == "text") {
    PrintAll(outcomes, flags, context.out);
    return code;
  }
  Json list = Json::array();
  for (const Outcome& outcome : outcomes) {
    list.push_back(JsonOf(outcome, flags));
  }
  const Json document = {{"schema_version", 1},
                         {"suite_version", std::string(kSuiteVersion)},
                         {"explorations", std::move(list)},
                         {"exit_code", static_cast<int>(code)}};
  context.out.stream << document.dump(2, ' ', false,
                                      Json::error_handler_t::replace)
                     << "\n";
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

void AddBounds(CLI::App& app, Flags* flags) {
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
  auto flags = std::make_shared<Flags>();
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
