// locklab lab: filesystems that are made for a run.
#include "tools/locklab/lab.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "conformance/proc/exec.h"
#include "conformance/proc/interrupts.h"
#include "conformance/proc/temp_dir.h"
#include "tools/lab/guest/guest.h"
#include "tools/lab/run.h"
#include "tools/lab/variant.h"
#include "tools/locklab/commands.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/lab_tour.h"

namespace locklab::cli {
namespace {

using Json = nlohmann::ordered_json;
using lab::Variant;

struct GroupRow {
  std::string_view name;
  bool (*holds)(const Variant& variant);
};

constexpr auto kGroups = std::to_array<GroupRow>({
    {"local", [](const Variant& v) { return v.kind != lab::Kind::kGuest; }},
    {"guest", [](const Variant& v) { return v.kind == lab::Kind::kGuest; }},
    {"all", [](const Variant&) { return true; }},
});

[[noreturn]] void UnknownVariant(const std::string& name) {
  std::vector<std::string_view> names;
  for (const GroupRow& group : kGroups) names.push_back(group.name);
  for (const Variant& variant : lab::Variants()) names.push_back(variant.name);
  throw UsageError(
      fmt::format("--fs={}: no filesystem of the lab has that name{} (see "
                  "locklab lab list)",
                  name, DidYouMean(name, names)));
}

void AddStop(const Variant& variant, bool named, std::vector<Stop>* stops) {
  for (Stop& stop : *stops) {
    if (stop.variant != &variant) continue;
    stop.named |= named;
    return;
  }
  stops->push_back({.variant = &variant, .named = named});
}

std::vector<Stop> StopsOf(const std::string& fs) {
  std::vector<Stop> stops;
  for (const std::string& name : ParseList("--fs", fs)) {
    const auto* group =
        std::find_if(kGroups.begin(), kGroups.end(),
                     [&name](const GroupRow& row) { return row.name == name; });
    if (group == kGroups.end()) {
      const Variant* variant = lab::FindVariant(name);
      if (variant == nullptr) UnknownVariant(name);
      AddStop(*variant, true, &stops);
      continue;
    }
    for (const Variant& variant : lab::Variants()) {
      if (group->holds(variant)) AddStop(variant, false, &stops);
    }
  }
  return stops;
}

// "as expected", ...
std::string Outcome(const Stop& stop) {
  if (!stop.reached) return "not reached";
  if (!stop.missing.empty()) return "unsupported: " + stop.missing;
  switch (stop.code) {
    case kExitOk:
      return "as expected";
    case kExitFailed:
      return "failed";
    case kExitUsage:
      return "usage";
    case kExitNothingRan:
      return "nothing ran";
    case kExitMissingFeature:
      return "something required is missing";
    case kExitInconclusive:
      return "inconclusive";
    default:
      return fmt::format("it ended with code {}", stop.code);
  }
}

int CodeOf(const Stop& stop) {
  if (!stop.reached) return kExitInconclusive;
  if (!stop.missing.empty()) {
    if (stop.code == kExitInconclusive) return kExitInconclusive;
    return stop.named ? kExitMissingFeature : kExitOk;
  }
  return stop.code > kExitInconclusive ? int{kExitInconclusive} : stop.code;
}

int Combined(const std::vector<Stop>& stops) {
  const bool ran = std::any_of(
      stops.begin(), stops.end(),
      [](const Stop& stop) { return stop.reached && stop.missing.empty(); });
  for (const int code : {kExitUsage, kExitFailed, kExitMissingFeature,
                         kExitInconclusive, kExitNothingRan}) {
    for (const Stop& stop : stops) {
      if (CodeOf(stop) == code) return code;
    }
  }
  return ran ? kExitOk : kExitNothingRan;
}

void PrintSummary(const std::vector<Stop>& stops, std::ostream& out) {
  size_t width = 0;
  for (const Stop& stop : stops) {
    width = std::max(width, stop.variant->name.size());
  }
  out << "\n";
  for (const Stop& stop : stops) {
    const bool ran = stop.reached && stop.missing.empty();
    fmt::print(out, "{:<{}}  {:>8}  {}\n", stop.variant->name, width,
               ran ? fmt::format("{:.1f} s", stop.duration_s) : "-",
               Outcome(stop));
  }
}

Json JsonOf(const Stop& stop) {
  Json report = Json::parse(stop.output, nullptr, false);
  if (report.is_discarded()) report = nullptr;
  const bool ran = stop.reached && stop.missing.empty();
  return {{"name", stop.variant->name},
          {"doc", std::string(stop.variant->doc)},
          {"mounts", stop.variant->mounts},
          {"outcome", Outcome(stop)},
          {"exit_code", ran ? Json(stop.code) : Json()},
          {"duration_s", stop.duration_s},
          {"report", std::move(report)}};
}

void PrintAsJson(const std::vector<Stop>& stops, int code, std::ostream& out) {
  Json array = Json::array();
  for (const Stop& stop : stops) array.push_back(JsonOf(stop));
  const Json document = {{"schema_version", 1},
                         {"suite_version", std::string(kSuiteVersion)},
                         {"exit_code", code},
                         {"variants", std::move(array)}};
  out << document.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

// --- lab list ---------------------------------------------------------------

Json JsonOf(const Variant& variant, const std::string& why_not) {
  return {{"name", variant.name},
          {"doc", std::string(variant.doc)},
          {"made", std::string(variant.made)},
          {"kind", std::string(KindName(variant.kind))},
          {"mounts", variant.mounts},
          {"needs", std::string(variant.needs)},
          {"features", std::string(variant.features)},
          {"expectations", std::string(variant.pack)},
          {"available", why_not.empty()},
          {"reason", why_not}};
}

void PrintVariant(const Variant& variant, const std::string& why_not,
                  size_t width, std::ostream& out) {
  const std::string indent(width + 2, ' ');
  fmt::print(out, "{:<{}}  {}{}\n{}{}: {}\n", variant.name, width, variant.doc,
             variant.mounts == 2 ? ", two mounts" : "", indent,
             KindName(variant.kind), variant.made);
  if (!variant.needs.empty()) {
    fmt::print(out, "{}needs: {}\n", indent, variant.needs);
  }
  if (!why_not.empty()) fmt::print(out, "{}not here: {}\n", indent, why_not);
}

int List(const std::string& format, Context& context) {
  Json array = Json::array();
  size_t width = 0;
  for (const Variant& variant : lab::Variants()) {
    width = std::max(width, variant.name.size());
  }
  for (const Variant& variant : lab::Variants()) {
    const std::string why_not = WhyNot(variant);
    if (format == "json") {
      array.push_back(JsonOf(variant, why_not));
    } else {
      PrintVariant(variant, why_not, width, context.out.stream);
    }
  }
  if (format == "json") {
    const Json document = {{"schema_version", 1},
                           {"suite_version", std::string(kSuiteVersion)},
                           {"filesystems", std::move(array)}};
    context.out.stream << document.dump(2) << "\n";
  }
  return kExitOk;
}

// --- lab shell --------------------------------------------------------------

// A prompt in the guest that has the filesystem mounted.
int Shell(const std::string& fs, Context& context) {
  const Variant* variant = lab::FindVariant(fs);
  if (variant == nullptr) UnknownVariant(fs);
  if (variant->kind != lab::Kind::kGuest) {
    throw UsageError(fmt::format(
        "--fs={}: a shell is for filesystems that a guest mounts", fs));
  }
  std::string trouble = WhyNot(*variant);
  int code = kExitMissingFeature;
  if (trouble.empty()) {
    const proc::Interrupts interrupts;
    proc::SweepDead("");
    const proc::TempDir scratch;
    RequirePlainPath(scratch.path());
    fmt::print(context.err.stream,
               "locklab: booting a guest with {} on /mnt/a{}; exit ends it\n",
               variant->name, variant->mounts == 2 ? " and /mnt/b" : "");
    context.err.stream.flush();
    lab::Job job;
    job.locklab = proc::ThisProgram();
    job.scratch = scratch.path();
    const lab::Result result = lab::ShellInGuest(*variant, job);
    proc::Interrupts::Take();
    trouble = result.trouble;
    code = result.code;
  }
  if (!trouble.empty()) {
    fmt::print(context.err.stream, "locklab: {}\n", trouble);
  }
  return code;
}

struct Flags {
  std::string what;
  std::string fs;
  uint64_t jobs = 0;
  std::string format = "text";
};

int Lab(const Flags& flags, Context& context) {
  if (flags.what == "list") {
    if (!flags.fs.empty() || !context.rest.empty()) {
      throw UsageError("list takes neither --fs nor a subcommand");
    }
    return List(flags.format, context);
  }
  if (flags.fs.empty()) throw UsageError("--fs is required");
  if (flags.what == "shell") {
    if (!context.rest.empty()) throw UsageError("shell takes no subcommand");
    return Shell(flags.fs, context);
  }
  std::vector<std::string> args = context.rest;
  if (flags.format == "json") args.emplace_back("--format=json");
  return RunOnVariants(flags.fs, flags.jobs, std::move(args), context);
}

}  // namespace

std::vector<std::string> WithoutFlag(std::string_view flag,
                                     const std::vector<std::string>& args) {
  std::vector<std::string> others;
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i] == flag) {
      ++i;  // its value
    } else if (!args[i].starts_with(fmt::format("{}=", flag))) {
      others.push_back(args[i]);
    }
  }
  return others;
}

std::string FlagValue(std::string_view flag,
                      const std::vector<std::string>& args) {
  const std::string start = fmt::format("{}=", flag);
  std::string value;
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i].starts_with(start)) value = args[i].substr(start.size());
    if (args[i] == flag && i + 1 < args.size()) value = args[i + 1];
  }
  return value;
}

int RunOnVariants(const std::string& fs, uint64_t jobs,
                  std::vector<std::string> args, Context& context) {
  std::vector<Stop> stops = StopsOf(fs);
  Tour tour(&stops, std::move(args), jobs, &context);
  tour.Run();
  const int code = Combined(stops);
  if (tour.json()) {
    PrintAsJson(stops, code, context.out.stream);
  } else if (stops.size() > 1) {
    context.out.stream << tour.Matrix();
    PrintSummary(stops, context.out.stream);
  }
  return code;
}

void AddJobs(CLI::App& app, uint64_t* jobs) {
  AddNumber(app, "--jobs", jobs,
            "How many filesystems are examined side by side; what is measured "
            "is measured on one at a time, but in guests. 0: as many as is "
            "sound.",
            0, 64);
}

Run SetUpLab(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  AddChoice(app, "WHAT", &flags->what, {"list", "run", "shell"},
            "What to do: shell is a prompt in a guest.")
      ->required();
  app.add_option("--fs", flags->fs,
                 "The filesystems to run on, separated by commas: names that "
                 "list shows, or local, guest, all.")
      ->type_name("LIST");
  AddJobs(app, &flags->jobs);
  AddChoice(app, "--format", &flags->format, {"text", "json"},
            "How to print it.");
  app.footer(
      "Each filesystem is made, mounted where only the run sees it, and gone\n"
      "after it. A filesystem that is not to be had here is unsupported; if "
      "it\n"
      "was named by itself, and not by a group, the exit code says so.\n"
      "Exit codes: those of the subcommand, of all runs together: 2, else 1,\n"
      "else 4, else 5, else 3, else 0.");
  return [flags, &context] { return Lab(*flags, context); };
}

}  // namespace locklab::cli
