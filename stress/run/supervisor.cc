#include "stress/run/supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include "conformance/history/cut_log.h"
#include "conformance/history/log_reader.h"
#include "conformance/proc/barrier.h"
#include "conformance/proc/filesystem.h"
#include "conformance/proc/interrupts.h"
#include "conformance/proc/patience.h"
#include "stress/run/aftermath.h"

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
// And whether it is time for a fault.
constexpr auto kFaultSlice = 1ms;
// A lock that nobody got for so long, or for half of the deadline if that is
// shorter, though all want it, is not merely slow.
const auto kStandstill =
    proc::Patient<std::chrono::milliseconds>(std::chrono::seconds(10));

// That all logs together have room for: each is asked for and given back.
uint64_t MostGrants(const ContentionPlan& plan) {
  constexpr int64_t kEventsAGrant = 4;
  return static_cast<uint64_t>(
      plan.history_bytes /
      (kEventsAGrant * static_cast<int64_t>(sizeof(history::Event))));
}

std::string FlawOfFaults(const ContentionPlan& plan) {
  if (!plan.faults.any()) return "";
  if (plan.threads > 1 || plan.locks > 1) {
    return "faults are done to processes of one thread that want one lock";
  }
  // One number is for who breaks.
  const int spare = static_cast<int>(history::kMaxActors) - plan.processes - 1;
  if (plan.faults.most_kills > spare) {
    return fmt::format("{} kills of {} processes were asked for; it takes {}",
                       plan.faults.most_kills, plan.processes, spare);
  }
  return "";
}

// What is wrong with a plan; empty: nothing.
std::string FlawOf(const ContentionPlan& plan) {
  constexpr int64_t kMost = history::kMaxActors;
  if (plan.processes < 1 || plan.processes > kMost) {
    return fmt::format("{} processes were asked for; it takes 1 to {}",
                       plan.processes, kMost);
  }
  if (plan.threads < 1 || int64_t{plan.processes} * plan.threads > kMost) {
    return fmt::format(
        "{} threads in each of {} processes were asked for; it takes 1 to {} "
        "in all",
        plan.threads, plan.processes, kMost);
  }
  if (plan.locks < 1 || plan.locks > plan.contenders()) {
    return fmt::format(
        "{} locks were asked for; it takes 1 to {}, one for each contender",
        plan.locks, plan.contenders());
  }
  if (plan.acquisitions <= 0 && plan.duration <= 0ms) {
    return "neither a number of acquisitions nor a duration was asked for";
  }
  return FlawOfFaults(plan);
}

// Of those that take the place of others.
int Spares(const FaultPlan& faults) {
  const bool kills =
      faults.Asks(FaultKind::kKill) || faults.Asks(FaultKind::kBreakDead);
  return kills ? faults.most_kills : 0;
}

size_t IfSound(const ContentionPlan& plan, int count) {
  return FlawOf(plan).empty() ? static_cast<size_t>(count) : 0;
}

// In memory, where recording disturbs no disk, if there is room for the logs;
// empty: the usual place.
std::string LogsParent(const ContentionPlan& plan) {
  constexpr char kMemory[] = "/dev/shm";
  struct statvfs room {};
  if (statvfs(kMemory, &room) != 0 || access(kMemory, W_OK) != 0) return "";
  constexpr int64_t kEach = 1 << 20;
  const auto wanted = static_cast<uint64_t>(
      std::min(plan.history_bytes, kEach * plan.contenders()));
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
      boards_(IfSound(plan, plan.locks)),
      responses_(plan.rate > 0 ? IfSound(plan, plan.locks) : 0),
      slots_(IfSound(plan, plan.contenders() + Spares(plan.faults))),
      gone_(IfSound(plan, plan.processes + Spares(plan.faults))) {
  facts_.processes = plan.processes;
  facts_.contenders = plan.contenders();
  facts_.counter_file = plan.counter_file;
  facts_.trouble = FlawOf(plan);
  facts_.floor = plan.floor;
  if (plan.floor == 0) {
    facts_.floor = plan.acquisitions > 0 ? plan.acquisitions
                                         : int64_t{10} * plan.contenders();
  }
}

std::vector<Facts> Supervisor::Run() {
  if (!facts_.trouble.empty()) return {facts_};
  try {
    MakePlaces();
    SpawnAll();
    AwaitReady();
    if (facts_.trouble.empty()) Drive();
  } catch (const std::exception& error) {
    Trouble(error.what());
  }
  KillTheRest();
  if (injector_) {
    facts_.faults = injector_->Report();
    if (facts_.trouble.empty() && facts_.hung.empty()) {
      SeeAftermath(subject_, sites_[0].here.lock, "counter", &facts_.faults);
    }
  }
  std::vector<Facts> all;
  for (size_t lock = 0; lock < sites_.size(); ++lock) {
    all.push_back(FactsOf(lock));
  }
  if (all.empty()) all.push_back(facts_);
  return all;
}

void Supervisor::MakePlaces() {
  work_.emplace(plan_.dir);
  if (plan_.keep_history.empty()) {
    const std::string parent = LogsParent(plan_);
    if (!parent.empty()) proc::SweepDead(parent);
    logs_.emplace(parent);
  }
  const proc::Filesystem filesystem = proc::FilesystemOf(plan_.dir);
  info_.actor = history::kSupervisor;
  info_.seed = plan_.seed;
  info_.subject = subject_.name();
  info_.command_line = plan_.command_line;
  info_.fs_type = filesystem.type;
  info_.fs_options = filesystem.options;
  for (size_t lock = 0; lock < boards_.size(); ++lock) MakeSite(lock);
}

void Supervisor::MakeSite(size_t lock) {
  Site& site = sites_.emplace_back();
  const std::string number =
      plan_.locks > 1 ? fmt::format("-{}", lock) : std::string();
  const auto fill = [&number](const std::string& dir, Places* places) {
    places->lock = dir + "/target" + number;
    places->counter = dir + "/counter" + number;
  };
  fill(work_->path(), &site.here);
  site.here.history = logs_ ? logs_->path() : plan_.keep_history;
  if (plan_.locks > 1) site.here.history += "/lock" + number;
  std::filesystem::create_directories(site.here.history);
  site.there = site.here;
  if (!plan_.other_dir.empty()) {
    fill(plan_.other_dir + work_->path().substr(work_->path().rfind('/')),
         &site.there);
  }
  // Deaths are few, unless they are made.
  const uint32_t limit = plan_.faults.any() ? 1'000'000 : 10'000;
  site.log.emplace(LogPath(site.here.history, history::kSupervisor), info_,
                   limit);
  if (plan_.counter_file)
    site.counter_errno = MakeCounterFile(site.here.counter);
}

void Supervisor::SpawnAll() {
  for (int i = 0; i < plan_.processes && facts_.trouble.empty(); ++i) Spawn();
}

void Supervisor::Spawn() {
  const size_t process = workers_.size();
  try {
    // A group of its own: Ctrl-C on the terminal is for the supervisor.
    workers_.push_back(proc::Child::Spawn(
        [this, process] { return ProcessMain(process); }, {.own_group = true}));
  } catch (const std::exception& error) {
    Trouble(fmt::format("only {} of {} workers could be started: {}", process,
                        plan_.processes, error.what()));
  }
}

int Supervisor::ProcessMain(size_t process) {
  const std::vector<Actor> actors = ActorsOf(process);
  std::atomic<int> code{0};
  std::vector<std::thread> threads;
  try {
    for (size_t i = 1; i < actors.size(); ++i) {
      threads.emplace_back([this, &code, actor = actors[i]] {
        const int result = WorkerMain(actor);
        if (result != 0) code = result;
      });
    }
  } catch (const std::system_error& error) {
    fmt::format_to_n(slots_[actors[0]].error.data(),
                     slots_[actors[0]].error.size() - 1,
                     "no thread can be started: {}", error.what());
    _exit(1);  // and take those with it that could be
  }
  const int result = WorkerMain(actors[0]);
  for (std::thread& thread : threads) thread.join();
  return result != 0 ? result : code.load();
}

int Supervisor::WorkerMain(Actor actor) {
  Slot& slot = slots_[actor];
  try {
    history::LogInfo info = info_;
    info.actor = actor;
    const Site& site = sites_[LockOf(actor)];
    const Post post{
        .places = ProcessOf(actor) % 2 == 0 ? site.here : site.there,
        .gate = *gate_,
        .board = boards_[LockOf(actor)],
        .slots = slots_.span(),
        .response =
            responses_.size() > 0 ? &responses_[LockOf(actor)] : nullptr};
    return Worker(subject_, plan_, post, info).Run();
  } catch (const std::exception& error) {
    fmt::format_to_n(slot.error.data(), slot.error.size() - 1, "{}",
                     error.what());
    return 1;
  }
}

std::vector<Actor> Supervisor::ActorsOf(size_t process) const {
  std::vector<Actor> actors;
  const auto each = static_cast<size_t>(plan_.threads);
  for (size_t i = 0; i < each; ++i) {
    actors.push_back(static_cast<Actor>(process * each + i));
  }
  return actors;
}

std::vector<Actor> Supervisor::ContendersFor(size_t lock) const {
  std::vector<Actor> actors;
  const size_t end = workers_.size() * static_cast<size_t>(plan_.threads);
  for (size_t actor = lock; actor < end;
       actor += static_cast<size_t>(plan_.locks)) {
    actors.push_back(static_cast<Actor>(actor));
  }
  return actors;
}

void Supervisor::AwaitReady() {
  const auto wanted = static_cast<uint32_t>(plan_.contenders());
  const proc::TimePoint deadline = proc::In(plan_.deadline);
  for (;;) {
    const uint32_t ready = gate_->ready.load();
    if (ready == wanted || !facts_.trouble.empty()) return;
    if (proc::Interrupts::Pending() != 0) return;
    if (proc::Clock::now() >= deadline) {
      Trouble(fmt::format("only {} of {} workers were ready at the deadline",
                          ready, wanted));
      return;
    }
    proc::FutexWait(gate_->ready, ready, proc::In(kSlice));
    WatchDeaths();
  }
}

void Supervisor::Drive() {
  const proc::TimePoint start = proc::Clock::now();
  const proc::TimePoint deadline = start + plan_.deadline;
  const proc::TimePoint stop =
      plan_.duration > 0ms ? start + plan_.duration : proc::kForever;
  moved_ = start;
  MakeInjector();
  gate_->start_ns = history::NowNs();
  gate_->go = 1;
  proc::FutexWakeAll(gate_->go);
  for (;;) {
    const uint32_t finished = gate_->finished.load();
    const proc::TimePoint now = proc::Clock::now();
    // The dead were replaced.
    if (finished == static_cast<uint32_t>(plan_.contenders()) ||
        Over(now, deadline)) {
      return;
    }
    if (now >= stop) gate_->Stop();
    if (injector_) injector_->Step(now, gate_->stop != 0);
    // Those who are killed in time never fill their logs: all together do.
    if (injector_ && Grants() > MostGrants(plan_)) gate_->Stop();
    proc::TimePoint wake =
        std::min(now + (injector_ ? kFaultSlice : kSlice), deadline);
    if (now < stop) wake = std::min(wake, stop);
    proc::FutexWait(gate_->finished, finished, wake);
    WatchDeaths();
  }
}

uint64_t Supervisor::Grants() const {
  uint64_t grants = 0;
  for (const Board& board : boards_.span()) grants += board.grants;
  return grants;
}

bool Supervisor::Over(proc::TimePoint now, proc::TimePoint deadline) {
  const uint64_t grants = Grants();
  if (std::exchange(grants_, grants) != grants) moved_ = now;
  if (proc::Interrupts::Pending() != 0) {
    Trouble("interrupted by " + proc::SignalName(proc::Interrupts::Pending()));
    return true;
  }
  // Somebody died: the rest are let finish, for what they may yet show.
  if (!facts_.trouble.empty()) gate_->Stop();
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
  for (size_t process = 0; process < workers_.size(); ++process) {
    if (gone_[process]) continue;
    for (const Actor actor : ActorsOf(process)) {
      if (!slots_[actor].finished) facts_.hung.push_back(actor);
    }
  }
}

void Supervisor::MakeInjector() {
  if (!plan_.faults.any()) return;
  injector_.emplace(
      Injector::Scene{.subject = subject_,
                      .lock = sites_[0].here.lock,
                      .board = boards_[0],
                      .slots = slots_.span(),
                      .victims = *this,
                      .breaker = static_cast<Actor>(slots_.size())},
      plan_.faults, plan_.seed);
}

Actor Supervisor::count() const { return static_cast<Actor>(workers_.size()); }

bool Supervisor::gone(Actor actor) const { return gone_[actor]; }

proc::Child& Supervisor::process(Actor actor) { return workers_[actor]; }

void Supervisor::Record(Actor actor, const history::Event& event) {
  sites_[0].log->AppendFor(actor, event);
}

void Supervisor::Bury(Actor actor) {
  gone_[actor] = true;
  if (slots_[actor].updating) ++facts_.died_updating;
  RecordCrash(actor, Phase::kReturn, SIGKILL);
  const std::string log = LogPath(sites_[0].here.history, actor);
  if (std::filesystem::exists(log)) history::CutLog(log);
  // What it was about it did not get done.
  if (plan_.floor == 0 && plan_.acquisitions > 0) --facts_.floor;
}

bool Supervisor::HasSpare() const { return workers_.size() < slots_.size(); }

void Supervisor::Replace() { Spawn(); }

void Supervisor::WatchDeaths() {
  if (!proc::Child::AnyEnded()) return;
  for (size_t process = 0; process < workers_.size(); ++process) {
    if (gone_[process]) continue;
    const auto end = workers_[process].Poll();
    if (end) OnDeath(process, *end);
  }
}

void Supervisor::OnDeath(size_t process, const proc::ExitStatus& end) {
  gone_[process] = true;
  for (const Actor actor : ActorsOf(process)) {
    Slot& slot = slots_[actor];
    if (slot.finished && end.ok()) continue;
    slot.doomed = true;
    if (slot.updating) ++facts_.died_updating;
    RecordCrash(actor, Phase::kReturn, end.signal);
    Trouble(end.signal != 0 ? fmt::format("worker {} {}, not by this run",
                                          actor, end.Describe())
                            : fmt::format("worker {} could not go on: {}",
                                          actor, slot.error.data()));
  }
}

void Supervisor::KillTheRest() {
  gate_->Stop();
  const auto finished = [this](Actor actor) -> bool {
    return slots_[actor].finished;
  };
  for (size_t process = 0; process < workers_.size(); ++process) {
    const std::vector<Actor> actors = ActorsOf(process);
    if (gone_[process] || std::all_of(actors.begin(), actors.end(), finished)) {
      continue;
    }
    for (const Actor actor : actors) {
      if (finished(actor)) continue;
      slots_[actor].doomed = true;
      RecordCrash(actor, Phase::kInvoke, SIGKILL);
    }
    workers_[process].Kill(SIGKILL);
  }
  for (size_t process = 0; process < workers_.size(); ++process) {
    if (gone_[process]) continue;
    // A finished one is on its way out; the others were killed.
    auto end = workers_[process].Wait(proc::In(10s));
    if (!end) end = workers_[process].Stop();
    for (const Actor actor : ActorsOf(process)) {
      if (finished(actor)) continue;
      if (slots_[actor].updating) ++facts_.died_updating;
      RecordCrash(actor, Phase::kReturn, end->signal);
    }
    gone_[process] = true;
  }
}

void Supervisor::RecordCrash(Actor actor, Phase phase, int signal) {
  if (LockOf(actor) >= sites_.size()) return;
  auto& log = sites_[LockOf(actor)].log;
  if (!log) return;
  log->AppendFor(
      actor,
      {.sys = static_cast<int16_t>(signal), .op = Op::kCrash, .phase = phase});
}

void Supervisor::Trouble(const std::string& what) {
  if (facts_.trouble.empty()) facts_.trouble = what;
}

Facts Supervisor::FactsOf(size_t lock) {
  Facts facts = facts_;
  if (plan_.locks > 1) {
    facts.contenders = static_cast<int>(ContendersFor(lock).size());
  }
  facts.floor /= plan_.locks;
  std::erase_if(facts.hung, [&](Actor actor) { return LockOf(actor) != lock; });
  if (!sites_[lock].log) return facts;
  sites_[lock].log.reset();
  CollectWitnesses(lock, &facts);
  JudgeHistory(lock, &facts);
  return facts;
}

void Supervisor::CollectWitnesses(size_t lock, Facts* facts) const {
  const Board& board = boards_[lock];
  facts->clashes = board.clashes;
  const auto kept = std::min<size_t>(static_cast<size_t>(facts->clashes),
                                     board.first_clashes.size());
  facts->first_clashes.assign(
      board.first_clashes.begin(),
      board.first_clashes.begin() + static_cast<ptrdiff_t>(kept));
  facts->stale_reads = board.stale_reads;
  for (const Actor actor : ContendersFor(lock)) {
    const Slot& slot = slots_[actor];
    facts->updates += slot.updates;
    facts->backlog += slot.backlog;
    facts->usage.cpu_ns += slot.cpu_ns;
    facts->usage.slept += slot.slept;
    facts->usage.preempted += slot.preempted;
    if (facts->first_error.empty() && slot.error[0] != '\0') {
      facts->first_error =
          fmt::format("worker {}: {}", actor, slot.error.data());
    }
  }
  if (lock < responses_.size()) facts->response = responses_[lock].Read();
  facts->counter_errno = sites_[lock].counter_errno;
  if (facts->counter_errno == 0) facts->counter_errno = board.counter_errno;
  if (plan_.counter_file && facts->counter_errno == 0) {
    facts->counter_errno =
        ReadCounterFile(sites_[lock].here.counter, &facts->counter);
  }
}

void Supervisor::JudgeHistory(size_t lock, Facts* facts) const {
  const std::string& dir = sites_[lock].here.history;
  std::vector<std::string> paths;
  // Those of this run: a worker that never started left none.
  for (const Actor actor : ContendersFor(lock)) {
    const std::string path = LogPath(dir, actor);
    if (std::filesystem::exists(path)) paths.push_back(path);
  }
  paths.push_back(LogPath(dir, history::kSupervisor));
  try {
    history::MergedReader reader(paths);
    facts->judgement = judge::Judge(reader);
  } catch (const std::exception& error) {
    if (facts->trouble.empty()) facts->trouble = error.what();
  }
}

}  // namespace locklab::run
