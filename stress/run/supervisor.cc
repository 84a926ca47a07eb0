#include "stress/run/supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <filesystem>
#include <utility>

#include "conformance/history/log_reader.h"
#include "conformance/proc/barrier.h"
#include "conformance/proc/filesystem.h"
#include "conformance/proc/interrupts.h"

namespace locklab::run {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using history::Actor;
using history::LogPath;
using history::Op;
using history::Phase;

// How often the supervisor looks for deaths and interrupts.
constexpr auto kSlice = 20ms;
// A lock that nobody got for so long, or for half of the deadline if that is
// shorter, though all want it, is not merely slow.
constexpr std::chrono::milliseconds kStandstill = 10s;

// What is wrong with a plan; empty: nothing.
std::string FlawOf(const ContentionPlan& plan) {
  if (plan.processes < 1 ||
      plan.processes > static_cast<int>(history::kMaxActors)) {
    return fmt::format("{} processes were asked for; it takes 1 to {}",
                       plan.processes, history::kMaxActors);
  }
  if (plan.acquisitions <= 0 && plan.duration <= 0ms) {
    return "neither a number of acquisitions nor a duration was asked for";
  }
  return "";
}

size_t Workers(const ContentionPlan& plan) {
  return FlawOf(plan).empty() ? static_cast<size_t>(plan.processes) : 0;
}

// In memory, where recording disturbs no disk, if there is room for the logs;
// empty: the usual place.
std::string LogsParent(const ContentionPlan& plan) {
  constexpr char kMemory[] = "/dev/shm";
  constexpr uint64_t kEach = 1 << 20;
  struct statvfs room {};
  if (statvfs(kMemory, &room) != 0 || access(kMemory, W_OK) != 0) return "";
  const uint64_t wanted = kEach * static_cast<uint64_t>(plan.processes);
  return room.f_bavail * room.f_frsize >= 2 * wanted ? kMemory : "";
}

int MakeCounterFile(const std::string& path) {
  const int64_t zero = 0;
  const int fd =
      open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return errno;
  const bool written = write(fd, &zero, sizeof zero) == sizeof zero;
  const int error = written ? 0 : errno;
  return close(fd) == 0 ? error : errno;
}

int ReadCounterFile(const std::string& path, int64_t* value) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  const ssize_t got = read(fd, value, sizeof *value);
  const int error = got < 0 ? errno : EIO;
  close(fd);
  return got == sizeof *value ? 0 : error;
}

}  // namespace

Supervisor::Supervisor(const SubjectFactory& subject,
                       const ContentionPlan& plan)
    : subject_(subject),
      plan_(plan),
      slots_(Workers(plan)),
      gone_(Workers(plan)) {
  facts_.processes = plan.processes;
  facts_.counter_file = plan.counter_file;
  facts_.trouble = FlawOf(plan);
  facts_.floor = plan.floor;
  if (plan.floor == 0) {
    facts_.floor = plan.acquisitions > 0 ? plan.acquisitions
                                         : int64_t{10} * plan.processes;
  }
}

Facts Supervisor::Run() {
  if (!facts_.trouble.empty()) return std::move(facts_);
  try {
    MakePlaces();
    SpawnAll();
    AwaitReady();
    if (facts_.trouble.empty()) Drive();
  } catch (const std::exception& error) {
    Trouble(error.what());
  }
  KillTheRest();
  if (log_) {
    log_.reset();
    CollectWitnesses();
    JudgeHistory();
  }
  return std::move(facts_);
}

void Supervisor::MakePlaces() {
  work_.emplace(plan_.dir);
  places_.lock = *work_ / "target";
  places_.counter = *work_ / "counter";
  other_places_ = places_;
  if (!plan_.other_dir.empty()) {
    const std::string name = work_->path().substr(work_->path().rfind('/'));
    other_places_.lock = plan_.other_dir + name + "/target";
    other_places_.counter = plan_.other_dir + name + "/counter";
  }
  const std::string parent = LogsParent(plan_);
  if (plan_.keep_history.empty()) {
    if (!parent.empty()) proc::SweepDead(parent);
    logs_.emplace(parent);
    places_.history = logs_->path();
  } else {
    std::filesystem::create_directories(plan_.keep_history);
    places_.history = plan_.keep_history;
  }
  other_places_.history = places_.history;
  const proc::Filesystem filesystem = proc::FilesystemOf(plan_.dir);
  info_.actor = history::kSupervisor;
  info_.seed = plan_.seed;
  info_.subject = subject_.name();
  info_.command_line = plan_.command_line;
  info_.fs_type = filesystem.type;
  info_.fs_options = filesystem.options;
  log_.emplace(LogPath(places_.history, history::kSupervisor), info_);
  if (plan_.counter_file) {
    facts_.counter_errno = MakeCounterFile(places_.counter);
  }
}

void Supervisor::SpawnAll() {
  for (Actor actor = 0; actor < slots_.size(); ++actor) {
    try {
      // A group of its own: Ctrl-C on the terminal is for the supervisor.
      workers_.push_back(proc::Child::Spawn(
          [this, actor] { return WorkerMain(actor); }, {.own_group = true}));
    } catch (const std::exception& error) {
      Trouble(fmt::format("only {} of {} workers could be started: {}", actor,
                          plan_.processes, error.what()));
      return;
    }
  }
}

int Supervisor::WorkerMain(Actor actor) {
  Slot& slot = slots_[actor];
  try {
    history::LogInfo info = info_;
    info.actor = actor;
    const Places& places = actor % 2 == 0 ? places_ : other_places_;
    return Worker(subject_, plan_, places, info, *board_, slots_.span()).Run();
  } catch (const std::exception& error) {
    fmt::format_to_n(slot.error.data(), slot.error.size() - 1, "{}",
                     error.what());
    return 1;
  }
}

void Supervisor::AwaitReady() {
  const proc::TimePoint deadline = proc::In(plan_.deadline);
  for (;;) {
    const uint32_t ready = board_->ready.load();
    if (ready == workers_.size() || !facts_.trouble.empty()) return;
    if (proc::Interrupts::Pending() != 0) return;
    if (proc::Clock::now() >= deadline) {
      Trouble(fmt::format("only {} of {} workers were ready at the deadline",
                          ready, workers_.size()));
      return;
    }
    proc::FutexWait(board_->ready, ready, proc::In(kSlice));
    WatchDeaths();
  }
}

void Supervisor::Drive() {
  const proc::TimePoint start = proc::Clock::now();
  const proc::TimePoint deadline = start + plan_.deadline;
  const proc::TimePoint stop =
      plan_.duration > 0ms ? start + plan_.duration : proc::kForever;
  moved_ = start;
  board_->go = 1;
  proc::FutexWakeAll(board_->go);
  for (;;) {
    const uint32_t finished = board_->finished.load();
    const proc::TimePoint now = proc::Clock::now();
    if (finished == workers_.size() || Over(now, deadline)) return;
    if (now >= stop) board_->stop = true;
    proc::TimePoint wake = std::min(now + kSlice, deadline);
    if (now < stop) wake = std::min(wake, stop);
    proc::FutexWait(board_->finished, finished, wake);
    WatchDeaths();
  }
}

bool Supervisor::Over(proc::TimePoint now, proc::TimePoint deadline) {
  const uint64_t grants = board_->grants.load();
  if (std::exchange(grants_, grants) != grants) moved_ = now;
  if (proc::Interrupts::Pending() != 0) {
    Trouble("interrupted by " + proc::SignalName(proc::Interrupts::Pending()));
    return true;
  }
  // Somebody died: the rest are let finish, for what they may yet show.
  if (!facts_.trouble.empty()) board_->stop = true;
  if (std::all_of(workers_.begin(), workers_.end(),
                  [](const proc::Child& child) { return !child.running(); })) {
    return true;
  }
  if (now < deadline) return false;
  OnDeadline(now);
  return true;
}

void Supervisor::OnDeadline(proc::TimePoint now) {
  if (now - moved_ < std::min(kStandstill, plan_.deadline / 2)) {
    Trouble(
        fmt::format("the deadline of {} ms came while the lock still "
                    "changed hands: {} acquisitions",
                    plan_.deadline.count(), grants_));
    return;
  }
  for (Actor actor = 0; actor < workers_.size(); ++actor) {
    if (!slots_[actor].finished) facts_.hung.push_back(actor);
  }
}

void Supervisor::WatchDeaths() {
  for (Actor actor = 0; actor < workers_.size(); ++actor) {
    if (gone_[actor]) continue;
    const auto end = workers_[actor].Poll();
    if (end) OnDeath(actor, *end);
  }
}

void Supervisor::OnDeath(Actor actor, const proc::ExitStatus& end) {
  gone_[actor] = true;
  const Slot& slot = slots_[actor];
  if (end.ok() && slot.finished) return;
  slots_[actor].doomed = true;
  if (slot.updating) ++facts_.died_updating;
  RecordCrash(actor, Phase::kReturn, end.signal);
  Trouble(end.signal != 0 ? fmt::format("worker {} {}, not by this run", actor,
                                        end.Describe())
                          : fmt::format("worker {} could not go on: {}", actor,
                                        slot.error.data()));
}

void Supervisor::KillTheRest() {
  board_->stop = true;
  for (Actor actor = 0; actor < workers_.size(); ++actor) {
    proc::Child& worker = workers_[actor];
    if (gone_[actor] || slots_[actor].finished) continue;
    slots_[actor].doomed = true;
    RecordCrash(actor, Phase::kInvoke, SIGKILL);
    worker.Kill(SIGKILL);
  }
  for (Actor actor = 0; actor < workers_.size(); ++actor) {
    if (gone_[actor]) continue;
    // A finished one is on its way out; the others were killed.
    auto end = workers_[actor].Wait(proc::In(10s));
    if (!end) end = workers_[actor].Stop();
    if (!slots_[actor].finished) {
      if (slots_[actor].updating) ++facts_.died_updating;
      RecordCrash(actor, Phase::kReturn, end->signal);
    }
    gone_[actor] = true;
  }
}

void Supervisor::RecordCrash(Actor actor, Phase phase, int signal) {
  if (!log_) return;
  log_->AppendFor(
      actor,
      {.sys = static_cast<int16_t>(signal), .op = Op::kCrash, .phase = phase});
}

void Supervisor::Trouble(const std::string& what) {
  if (facts_.trouble.empty()) facts_.trouble = what;
}

void Supervisor::CollectWitnesses() {
  const Board& board = *board_;
  facts_.clashes = board.clashes;
  const auto kept = std::min<size_t>(static_cast<size_t>(facts_.clashes),
                                     board.first_clashes.size());
  facts_.first_clashes.assign(
      board.first_clashes.begin(),
      board.first_clashes.begin() + static_cast<ptrdiff_t>(kept));
  facts_.stale_reads = board.stale_reads;
  for (Actor actor = 0; actor < workers_.size(); ++actor) {
    const Slot& slot = slots_[actor];
    facts_.updates += slot.updates;
    if (facts_.first_error.empty() && slot.error[0] != '\0') {
      facts_.first_error =
          fmt::format("worker {}: {}", actor, slot.error.data());
    }
  }
  if (facts_.counter_errno == 0) facts_.counter_errno = board.counter_errno;
  if (plan_.counter_file && facts_.counter_errno == 0) {
    facts_.counter_errno = ReadCounterFile(places_.counter, &facts_.counter);
  }
}

void Supervisor::JudgeHistory() {
  std::vector<std::string> paths;
  // Those of this run: a worker that never started left none.
  for (Actor actor = 0; actor < workers_.size(); ++actor) {
    const std::string path = LogPath(places_.history, actor);
    if (std::filesystem::exists(path)) paths.push_back(path);
  }
  paths.push_back(LogPath(places_.history, history::kSupervisor));
  try {
    history::MergedReader reader(paths);
    facts_.judgement = judge::Judge(reader);
  } catch (const std::exception& error) {
    Trouble(error.what());
  }
}

}  // namespace locklab::run
