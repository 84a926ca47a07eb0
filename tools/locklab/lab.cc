// locklab lab: filesystems that are made for a run.
#include "tools/locklab/lab.h"

#include <fmt/format.h>
#include <fmt/ostream.h>
#include <fmt/ranges.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "conformance/proc/exec.h"
#include "conformance/proc/interrupts.h"
#include "conformance/proc/poll_until.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/report/matrix.h"
#include "conformance/store/store.h"
#include "conformance/store/store_error.h"
#include "tools/lab/guest/guest.h"
#include "tools/lab/run.h"
#include "tools/lab/variant.h"
#include "tools/locklab/commands.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/terminal.h"

namespace locklab::cli {
namespace {

using Json = nlohmann::ordered_json;
using lab::Variant;

// A variant that is to be examined, and what became of it.
struct Stop {
  const Variant* variant = nullptr;
  bool named = false;  // by its own name, so that its lack is red
  bool reached = false;
  std::string missing = {};  // why it is not to be had; empty: it was run
  int code = 0;
  double duration_s = 0;
  std::string output = {};  // with --format=json
};

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

// Flags that a variant gives, or that every run would write anew.
void RefuseFlags(const std::vector<std::string>& args, size_t variants) {
  for (const char* flag : {"--dir", "--other-mount", "--variant", "--fs"}) {
    if (FlagValue(flag, args).empty()) continue;
    throw UsageError(fmt::format(
        "{}: the filesystem is made for the run, and gives it", flag));
  }
  if (variants < 2) return;
  for (const char* flag :
       {"--text", "--json", "--junit", "--tap", "--markdown", "--trace"}) {
    if (FlagValue(flag, args).empty()) continue;
    throw UsageError(fmt::format(
        "{} would be written anew by each of {} runs: use --out=DIR and "
        "locklab report",
        flag, variants));
  }
}

// The arguments as all runs get them.
std::vector<std::string> Prepared(std::vector<std::string> args,
                                  size_t variants, std::string* results) {
  std::vector<std::string_view> names;
  for (const lab::Subcommand& row : lab::Subcommands()) {
    names.push_back(row.name);
  }
  if (args.empty() || lab::FindSubcommand(args[0]) == nullptr) {
    const std::string typed = args.empty() ? "nothing" : args[0];
    throw UsageError(fmt::format("after -- comes one of {}, not {}{}",
                                 fmt::join(names, ", "), ShellQuote(typed),
                                 args.empty() ? "" : DidYouMean(typed, names)));
  }
  RefuseFlags(args, variants);
  const std::string out = FlagValue("--out", args);
  if (out.empty()) return args;
  *results = std::filesystem::absolute(out).string();
  args = WithoutFlag("--out", args);
  args.push_back("--out=" + *results);
  return args;
}

// Mount options and guests' command lines stand in the way of other names.
void RequirePlainPath(const std::string& path) {
  if (path.find_first_of(" \t\n,:\\\"'") == std::string::npos) return;
  throw UsageError(
      fmt::format("the path {} has a blank, comma, colon or quote in it, which "
                  "mount options cannot: name another place (TMPDIR=DIR)",
                  path));
}

// Runs the stops one after the other.
class Tour {
 public:
  Tour(std::vector<Stop>* stops, std::vector<std::string> args,
       Context* context)
      : stops_(*stops), context_(*context) {
    job_.args = Prepared(std::move(args), stops->size(), &job_.results);
    json_ = FlagValue("--format", job_.args) == "json";
    proc::SweepDead("");
    scratch_.emplace();
    RequirePlainPath(scratch_->path());
    // Claims about other users need a way through.
    chmod(scratch_->path().c_str(), 0711);
    job_.locklab = proc::ThisProgram();
    if (stops->size() > 1 && !json_) KeepResults();
  }

  void Run() {
    const proc::Interrupts interrupts;
    for (size_t i = 0; i < stops_.size(); ++i) {
      Visit(&stops_[i], i);
      if (proc::Interrupts::Pending() != 0) break;
      // The others would say the same.
      if (stops_[i].code == kExitUsage) break;
    }
    proc::Interrupts::Take();  // the exit code says it
  }

  [[nodiscard]] bool json() const { return json_; }

  // Of the runs that were made, if they are kept; "" if there are not several.
  [[nodiscard]] std::string Matrix() const;

 private:
  void KeepResults();

  void Visit(Stop* stop, size_t number);
  void Announce(const Stop& stop, size_t number);
  void RunHere(Stop* stop, size_t number);

  std::vector<Stop>& stops_;
  Context& context_;
  lab::Job job_;
  bool json_ = false;
  std::optional<proc::TempDir> scratch_;
  std::set<std::string> earlier_;  // runs that are in the store already
};

std::set<std::string> RunsIn(const std::string& results) {
  std::set<std::string> ids;
  if (!std::filesystem::exists(results)) return ids;
  store::Store store = store::Store::Open(results, store::Mode::kRead);
  for (const store::RunSummary& run : store::ListRuns(&store)) {
    ids.insert(run.run_id);
  }
  return ids;
}

// In a store, for a table of all runs at the end.
void Tour::KeepResults() {
  const lab::Subcommand* row = lab::FindSubcommand(job_.args[0]);
  if (row == nullptr || !row->variant) return;
  if (job_.results.empty()) {
    job_.results = *scratch_ / "results";
    job_.args.push_back("--out=" + job_.results);
  }
  try {
    earlier_ = RunsIn(job_.results);
  } catch (const store::StoreError& error) {
    throw UsageError(fmt::format("--out: {}", error.what()));
  }
}

std::string Tour::Matrix() const {
  if (job_.results.empty() || !std::filesystem::exists(job_.results)) return "";
  store::Store store = store::Store::Open(job_.results, store::Mode::kRead);
  std::vector<report::RunReport> reports;
  for (const store::RunSummary& run : store::ListRuns(&store)) {
    if (earlier_.contains(run.run_id)) continue;
    reports.push_back(store::LoadRun(&store, run.run_id));
  }
  if (reports.size() < 2) return "";
  return "\n" + report::MatrixText(reports, {.width = WidthOf(context_.out),
                                             .color = context_.out.color});
}

void Tour::Visit(Stop* stop, size_t number) {
  stop->reached = true;
  stop->missing = WhyNot(*stop->variant);
  if (stop->missing.empty()) {
    Announce(*stop, number);
    RunHere(stop, number);
  }
  if (!stop->missing.empty() && !json_) {
    fmt::print(context_.out.stream, "== {}: unsupported: {}\n",
               stop->variant->name, stop->missing);
    context_.out.stream.flush();
  }
}

void Tour::Announce(const Stop& stop, size_t number) {
  const std::string line = fmt::format(
      "== {}: {} ({}, {} of {})\n", stop.variant->name, stop.variant->doc,
      stop.variant->made, number + 1, stops_.size());
  if (!json_) {
    context_.out.stream << line;
    context_.out.stream.flush();
  } else if (context_.err.terminal) {
    context_.err.stream << line;
    context_.err.stream.flush();
  }
}

// What a descriptor's file holds from its beginning.
std::string Contents(int fd) {
  std::string text;
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t got = pread(fd, buffer.data(), buffer.size(),
                              static_cast<off_t>(text.size()));
    if (got <= 0) return text;
    text.append(buffer.data(), static_cast<size_t>(got));
  }
}

void Tour::RunHere(Stop* stop, size_t number) {
  job_.scratch = *scratch_ / std::to_string(number);
  std::filesystem::create_directory(job_.scratch);
  const int aside = json_ ? memfd_create("output", MFD_CLOEXEC) : -1;
  job_.out = json_ ? aside : STDOUT_FILENO;
  const auto start = proc::Clock::now();
  const lab::Result result = RunOn(*stop->variant, job_);
  stop->duration_s =
      std::chrono::duration<double>(proc::Clock::now() - start).count();
  if (aside >= 0) {
    stop->output = Contents(aside);
    close(aside);
  }
  // Room for the next.
  proc::RemoveTree(job_.scratch);
  stop->code = result.code;
  stop->missing = result.trouble;
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
  return RunOnVariants(flags.fs, std::move(args), context);
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

int RunOnVariants(const std::string& fs, std::vector<std::string> args,
                  Context& context) {
  std::vector<Stop> stops = StopsOf(fs);
  Tour tour(&stops, std::move(args), &context);
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

Run SetUpLab(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  AddChoice(app, "WHAT", &flags->what, {"list", "run", "shell"},
            "What to do: shell is a prompt in a guest.")
      ->required();
  app.add_option("--fs", flags->fs,
                 "The filesystems to run on, separated by commas: names that "
                 "list shows, or local, guest, all.")
      ->type_name("LIST");
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
