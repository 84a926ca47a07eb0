#include "tools/locklab/explore_report.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "conformance/report/text.h"
#include "lib/errors.h"
#include "stress/explore/tell.h"
#include "tools/locklab/terminal.h"

namespace locklab::cli {
namespace {

using explore::Exploration;
using Json = nlohmann::ordered_json;

std::string Command(const ExploreCase& each, const ExploreFlags& flags) {
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

std::string_view VerdictOf(const ExploreOutcome& outcome,
                           const ExploreFlags& flags) {
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

void PrintRow(const ExploreOutcome& outcome, const ExploreFlags& flags,
              std::ostream& out) {
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

void PrintFound(const ExploreOutcome& outcome, const ExploreFlags& flags,
                Console& out) {
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

Json BoundsOf(const ExploreFlags& flags) {
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

Json JsonOf(const ExploreOutcome& outcome, const ExploreFlags& flags) {
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

// What came of which call, in all searches, and what never did.
void PrintCoverage(const std::vector<ExploreOutcome>& outcomes,
                   std::ostream& out) {
  std::map<std::pair<explore::Op, int>, uint64_t> seen;
  for (const ExploreOutcome& outcome : outcomes) {
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
void PrintReach(const std::vector<ExploreOutcome>& outcomes,
                const ExploreFlags& flags, Console& out) {
  size_t whole = 0;
  size_t bounded = 0;
  uint32_t least = ~uint32_t{0};
  for (const ExploreOutcome& outcome : outcomes) {
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

}  // namespace

Exit CodeOf(const std::vector<ExploreOutcome>& outcomes,
            const ExploreFlags& flags) {
  Exit code = kExitNothingRan;
  for (const ExploreOutcome& outcome : outcomes) {
    const std::string_view verdict = VerdictOf(outcome, flags);
    if (verdict == "fail") return kExitFailed;
    if (verdict == "inconclusive") code = kExitInconclusive;
    const bool fine = verdict == "pass" || verdict == kBounded;
    if (fine && code == kExitNothingRan) code = kExitOk;
  }
  return code;
}

void PrintExploreText(const std::vector<ExploreOutcome>& outcomes,
                      const ExploreFlags& flags, Console& out) {
  fmt::print(out.stream,
             "{:<8} {:<8} {:>5} {:<12} {:>11} {:>10} {:>11} {:>6} {:>8} "
             "{:>8}\n",
             "model", "backend", "procs", "verdict", "preemptions", "states",
             "transitions", "depth", "worlds", "cpu s");
  uint64_t states = 0;
  double cpu = 0;
  for (const ExploreOutcome& outcome : outcomes) {
    PrintRow(outcome, flags, out.stream);
    states += outcome.found.states;
    cpu += outcome.found.cpu_seconds;
  }
  for (const ExploreOutcome& outcome : outcomes) {
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

void PrintExploreJson(const std::vector<ExploreOutcome>& outcomes,
                      const ExploreFlags& flags, Exit code, std::ostream& out) {
  Json list = Json::array();
  for (const ExploreOutcome& outcome : outcomes) {
    list.push_back(JsonOf(outcome, flags));
  }
  const Json document = {{"schema_version", 1},
                         {"suite_version", std::string(kSuiteVersion)},
                         {"explorations", std::move(list)},
                         {"exit_code", static_cast<int>(code)}};
  out << document.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

}  // namespace locklab::cli
