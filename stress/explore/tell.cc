#include "stress/explore/tell.h"

#include <fmt/format.h>

#include <algorithm>

#include "stress/explore/machine.h"

namespace locklab::explore {
namespace {

std::string Cell(const ToldCall& call) {
  std::string out = call.call;
  if (!call.result.empty() && call.result != "ok") out += " -> " + call.result;
  if (call.holds) out += " *";
  return out;
}

void Append(const Lexicon& lexicon, Choice choice,
            const std::vector<Made>& made, Told* told) {
  const std::string event(RowOf(choice.event).name);
  const std::string suffix = event.empty() ? "" : "(" + event + ")";
  if (made.empty()) told->calls.push_back({choice.slot, suffix});
  for (const Made& each : made) {
    if (each.call.op == Op::kHold) {
      told->calls.push_back({choice.slot, "leaves"});
      continue;
    }
    std::string call = Describe(each.call, lexicon);
    if (&each == made.data() && !event.empty()) call += " " + suffix;
    told->calls.push_back({choice.slot, std::move(call),
                           Describe(each.call, each.result, lexicon)});
  }
}

}  // namespace

Told Tell(const Scene& reduced, const Schedule& schedule) {
  Scene scene = reduced;
  scene.reduce = false;
  Machine machine(scene);
  Moment moment = machine.Start();
  Told told;
  size_t steps = 0;
  for (const Choice choice : schedule) {
    ++steps;
    if (!machine.IsPossible(moment, choice)) {
      told.impossible = steps;
      return told;
    }
    std::vector<Made> made;
    const bool held = machine.Holds(moment, choice.slot);
    told.wrong = machine.Do(&moment, choice, &made);
    Append(machine.lexicon(), choice, made, &told);
    told.calls.back().holds = !held && machine.Holds(moment, choice.slot);
    if (told.wrong != Wrong::kNothing) break;
  }
  if (told.wrong == Wrong::kNothing && scene.liveness) {
    told.wrong = machine.Conclude(moment);
  }
  if (told.wrong == Wrong::kFailed || told.wrong == Wrong::kLitter ||
      told.wrong == Wrong::kBlocked) {
    told.reason = machine.reason();
  }
  return told;
}

std::string Table(const Scene& scene, const Told& told) {
  std::vector<size_t> widths(static_cast<size_t>(scene.processes()), 8);
  for (const ToldCall& call : told.calls) {
    widths[call.slot] = std::max(widths[call.slot], Cell(call).size());
  }
  std::string out = "    ";
  for (size_t i = 0; i < widths.size(); ++i) {
    out += fmt::format("  {:<{}}", std::string(1, static_cast<char>('a' + i)),
                       widths[i]);
  }
  out.erase(out.find_last_not_of(' ') + 1);
  out += "\n";
  for (size_t n = 0; n < told.calls.size(); ++n) {
    const ToldCall& call = told.calls[n];
    size_t indent = 2;
    for (uint8_t slot = 0; slot < call.slot; ++slot) {
      indent += widths[slot] + 2;
    }
    out +=
        fmt::format("{:>4}{}{}\n", n + 1, std::string(indent, ' '), Cell(call));
  }
  return out;
}

}  // namespace locklab::explore
