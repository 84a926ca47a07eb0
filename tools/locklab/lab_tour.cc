#include "tools/locklab/lab_tour.h"

#include <fmt/format.h>
#include <fmt/ostream.h>
#include <fmt/ranges.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <thread>
#include <utility>

#include "conformance/proc/child.h"
#include "conformance/proc/exec.h"
#include "conformance/proc/interrupts.h"
#include "conformance/proc/poll_until.h"
#include "conformance/proc/shared.h"
#include "conformance/report/matrix.h"
#include "conformance/store/run_writer.h"
#include "conformance/store/store.h"
#include "conformance/store/store_error.h"
#include "tools/locklab/check/directory.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/lab.h"
#include "tools/locklab/terminal.h"

namespace locklab::cli {
namespace {

using namespace std::chrono_literals;
using lab::Variant;

// Local runs mostly wait, and take turns at what they measure.
constexpr size_t kLocalAtATime = 16;

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

std::vector<std::string> WithOut(const std::vector<std::string>& args,
                                 const std::string& results) {
  std::vector<std::string> with = WithoutFlag("--out", args);
  with.push_back("--out=" + results);
  return with;
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
  return WithOut(args, *results);
}

// A run that was ended early may have made the directory alone.
bool HasStore(const std::string& results) {
  return std::filesystem::exists(results + "/" + std::string(store::kFileName));
}

std::set<std::string> RunsIn(const std::string& results) {
  std::set<std::string> ids;
  if (!HasStore(results)) return ids;
  store::Store store = store::Store::Open(results, store::Mode::kRead);
  for (const store::RunSummary& run : store::ListRuns(&store)) {
    ids.insert(run.run_id);
  }
  return ids;
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

bool InGuest(const Stop& stop) {
  return stop.variant->kind == lab::Kind::kGuest;
}

size_t Processors() {
  return std::max(1U, std::thread::hardware_concurrency());
}

// A run of another store comes into `writer`'s, with what lies beside it.
// `from`, the place of that store, is called `to` in its command line.
void Adopt(store::Store* other, const std::string& run_id,
           const std::string& from, const std::string& to,
           store::RunWriter* writer) {
  report::RunReport report = store::LoadRun(other, run_id);
  std::string& command = report.context.command_line;
  for (size_t at = 0; (at = command.find(from, at)) != std::string::npos;) {
    command.replace(at, from.size(), to);
    at += to.size();
  }
  const std::string files = store::RunDirectory(from, run_id);
  if (std::filesystem::exists(files)) {
    const std::string here = writer->DirectoryOf(run_id);
    std::filesystem::create_directories(here);
    std::filesystem::copy(files, here,
                          std::filesystem::copy_options::recursive);
  }
  writer->End(report);
}

}  // namespace

void RequirePlainPath(const std::string& path) {
  if (path.find_first_of(" \t\n,:\\\"'") == std::string::npos) return;
  throw UsageError(
      fmt::format("the path {} has a blank, comma, colon or quote in it, which "
                  "mount options cannot: name another place (TMPDIR=DIR)",
                  path));
}

struct Tour::Visit {
  // What the process that runs the stop has to say.
  struct Board {
    bool done;
    int code;
    std::array<char, 8192> trouble;
  };

  Visit(Stop* of, lab::Job with)
      : stop(of),
        job(std::move(with)),
        out(memfd_create("out", MFD_CLOEXEC)),
        err(memfd_create("err", MFD_CLOEXEC)) {
    job.out = out;
    job.err = err;
    process =
        proc::Child::Spawn([this] { return RunIt(); }, {.own_group = true});
  }
  ~Visit() {
    close(out);
    close(err);
  }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

  int RunIt() const {
    const proc::Interrupts interrupts;
    const lab::Result result = RunOn(*stop->variant, job);
    proc::Interrupts::Take();
    board->code = result.code;
    result.trouble.copy(board->trouble.data(), board->trouble.size() - 1);
    board->done = true;
    return 0;
  }
  [[nodiscard]] lab::Result Told() {
    if (board->done) return {board->code, board->trouble.data()};
    return {kExitInconclusive,
            fmt::format("the process that sees to {} {}", stop->variant->name,
                        process.Stop().Describe())};
  }

  Stop* stop;
  lab::Job job;
  int out;
  int err;
  proc::TimePoint start = proc::Clock::now();
  proc::Shared<Board> board;
  proc::Child process;
};

Tour::Tour(std::vector<Stop>* stops, std::vector<std::string> args,
           uint64_t jobs, Context* context)
    : stops_(*stops), context_(*context), jobs_(jobs), progress_(context->err) {
  job_.args = Prepared(std::move(args), stops->size(), &job_.results);
  surveys_ = lab::FindSubcommand(job_.args[0])->turns;
  json_ = FlagValue("--format", job_.args) == "json";
  proc::SweepDead("");
  scratch_.emplace();
  RequirePlainPath(scratch_->path());
  // Claims about other users need a way through.
  chmod(scratch_->path().c_str(), 0711);
  job_.locklab = proc::ThisProgram();
  if (surveys_) KeepResults();
}

Tour::~Tour() = default;

// In a store: of --out, or for a table of all runs at the end. That it can be
// written to is found out before the runs take their time.
void Tour::KeepResults() {
  if (job_.results.empty()) {
    if (stops_.size() < 2 || json_) return;
    job_.results = *scratch_ / "results";
  }
  try {
    job_.results = check::ResultsDirectory(job_.results);
    job_.args = WithOut(job_.args, job_.results);
    earlier_ = RunsIn(job_.results);
    const store::RunWriter opened(job_.results);
  } catch (const store::StoreError& error) {
    throw UsageError(fmt::format("--out: {}", error.what()));
  }
}

std::string Tour::Matrix() const {
  if (job_.results.empty() || !HasStore(job_.results)) return "";
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

// --- when --------------------------------------------------------------------

// How many of this kind may run at a time. A guest keeps a processor busy. What
// measures from beginning to end does that by itself, unless it was asked for.
size_t Tour::Limit(const Stop& stop) const {
  if (stops_.size() == 1) return 1;
  if (jobs_ != 0) return jobs_;
  if (!surveys_) return 1;
  return InGuest(stop) ? Processors() : kLocalAtATime;
}

// Guests and others do not run side by side: there are no turns between them.
bool Tour::MayBegin(const Stop& stop) const {
  if (under_way_.empty()) return true;
  return under_way_.size() < Limit(stop) &&
         InGuest(stop) == InGuest(*under_way_.front().stop);
}

// As asked for; side by side all local ones first, since none of them runs
// beside a guest, and of the guests the slow ones, so that no processor waits
// for those at the end.
std::vector<Stop*> Tour::Order() const {
  std::vector<Stop*> order;
  for (Stop& stop : stops_) order.push_back(&stop);
  if (!surveys_ || jobs_ == 1) return order;
  std::ranges::stable_sort(order, {}, [](const Stop* stop) {
    if (!InGuest(*stop)) return 0;
    return stop->variant->slow ? 1 : 2;
  });
  return order;
}

void Tour::Run() {
  const proc::Interrupts interrupts;
  const std::vector<Stop*> order = Order();
  size_t next = 0;
  while ((next < order.size() && !enough_) || !under_way_.empty()) {
    while (next < order.size() && !enough_ && MayBegin(*order[next])) {
      Stop* stop = order[next++];
      if (Missing(stop)) continue;
      if (Limit(*stop) > 1) {
        Begin(stop);
      } else {
        RunHere(stop);
      }
    }
    if (!under_way_.empty()) Look();
    if (proc::Interrupts::Pending() != 0 && !enough_) {
      enough_ = true;
      for (Visit& visit : under_way_) {
        visit.process.Kill(proc::Interrupts::Pending());
      }
    }
  }
  progress_.Clear();
  proc::Interrupts::Take();  // the exit code says it
}

bool Tour::Missing(Stop* stop) {
  stop->reached = true;
  stop->missing = WhyNot(*stop->variant);
  if (stop->missing.empty()) return false;
  Show(*stop, "");
  return true;
}

// --- one after the other -----------------------------------------------------

void Tour::RunHere(Stop* stop) {
  std::ostream& out = json_ ? context_.err.stream : context_.out.stream;
  if (!json_ || context_.err.terminal) out << Title(*stop) << std::flush;
  lab::Job job = JobAt(*stop, false);
  const int aside = json_ ? memfd_create("output", MFD_CLOEXEC) : -1;
  job.out = json_ ? aside : STDOUT_FILENO;
  const auto start = proc::Clock::now();
  const lab::Result result = RunOn(*stop->variant, job);
  stop->duration_s =
      std::chrono::duration<double>(proc::Clock::now() - start).count();
  if (aside >= 0) {
    stop->output = Contents(aside);
    close(aside);
  }
  Done(job, result, stop);
  if (!stop->missing.empty()) Show(*stop, "");
  // The others would say the same.
  enough_ = stop->code == kExitUsage || proc::Interrupts::Pending() != 0;
}

// --- side by side ------------------------------------------------------------

void Tour::Begin(Stop* stop) {
  under_way_.emplace_back(stop, JobAt(*stop, true));
  ShowProgress();
}

void Tour::Look() {
  std::this_thread::sleep_for(20ms);
  for (auto visit = under_way_.begin(); visit != under_way_.end();) {
    if (!visit->process.Poll()) {
      ++visit;
      continue;
    }
    End(&*visit);
    visit = under_way_.erase(visit);
    ShowProgress();
  }
}

void Tour::End(Visit* visit) {
  Stop* stop = visit->stop;
  stop->duration_s =
      std::chrono::duration<double>(proc::Clock::now() - visit->start).count();
  stop->output = Contents(visit->out);
  Done(visit->job, visit->Told(), stop);
  // What is wrong with the flags is wrong for all of them, and said once.
  const bool said = enough_ && stop->code == kExitUsage;
  enough_ |= stop->code == kExitUsage;
  if (!said) Show(*stop, Contents(visit->err));
}

void Tour::ShowProgress() {
  if (under_way_.empty() || !context_.err.terminal) return;
  std::vector<std::string> names;
  for (const Visit& visit : under_way_) {
    names.push_back(visit.stop->variant->name);
  }
  size_t done = 0;
  for (const Stop& stop : stops_) done += stop.reached ? 1 : 0;
  progress_.Clear();
  progress_.Stage(fmt::format("{} of {} filesystems done; {}",
                              done - under_way_.size(), stops_.size(),
                              fmt::join(names, ", ")));
}

// --- both --------------------------------------------------------------------

std::string Tour::Title(const Stop& stop) const {
  return fmt::format("== {}: {} ({}, {} of {})\n", stop.variant->name,
                     stop.variant->doc, stop.variant->made,
                     &stop - stops_.data() + 1, stops_.size());
}

// A stop that has ended, all of it at once.
void Tour::Show(const Stop& stop, const std::string& complaints) {
  progress_.Clear();
  context_.err.stream << complaints << std::flush;
  if (json_) return;
  std::ostream& out = context_.out.stream;
  if (!stop.output.empty()) out << Title(stop) << stop.output;
  if (!stop.missing.empty()) {
    fmt::print(out, "== {}: unsupported: {}\n", stop.variant->name,
               stop.missing);
  }
  out.flush();
}

// A guest has locks on files of its own, which do not keep others on this host
// from a database: it keeps what it finds in a store that nobody else uses.
lab::Job Tour::JobAt(const Stop& stop, bool aside) const {
  lab::Job job = job_;
  job.scratch = *scratch_ / std::to_string(&stop - stops_.data());
  std::filesystem::create_directory(job.scratch);
  if (surveys_ && aside) {
    job.silent = true;
    if (!InGuest(stop)) job.turn = *scratch_ / "turn";
  }
  if (surveys_ && InGuest(stop) && !job.results.empty()) {
    job.results = job.scratch + "/results";
    job.args = WithOut(job.args, job.results);
  }
  return job;
}

void Tour::BringHome(const lab::Job& job, Stop* stop) {
  if (job.results == job_.results || !HasStore(job.results)) return;
  std::string trouble;
  try {
    store::Store guests = store::Store::Open(job.results, store::Mode::kRead);
    for (const store::RunSummary& run : store::ListRuns(&guests)) {
      store::RunWriter writer(job_.results);
      Adopt(&guests, run.run_id, job.results, job_.results, &writer);
      if (!writer.error().empty()) trouble = writer.error();
    }
  } catch (const std::exception& error) {
    trouble = error.what();
  }
  if (trouble.empty()) return;
  progress_.Clear();
  fmt::print(context_.err.stream, "locklab: the results of {}: {}\n",
             stop->variant->name, trouble);
  if (stop->code == kExitOk) stop->code = kExitFailed;
}

void Tour::Done(const lab::Job& job, const lab::Result& result, Stop* stop) {
  stop->code = result.code;
  stop->missing = result.trouble;
  BringHome(job, stop);
  // Room for the next.
  proc::RemoveTree(job.scratch);
}

}  // namespace locklab::cli
