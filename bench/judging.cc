// What judging costs: events a second from log files and from memory, and the
// memory that a history of twice or eight times the length takes.
#include <sys/resource.h>

#include <array>
#include <cstdint>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "conformance/history/log_format.h"
#include "conformance/history/log_reader.h"
#include "conformance/judge/sweep.h"
#include "conformance/proc/child.h"
#include "conformance/proc/shared.h"
#include "conformance/proc/temp_dir.h"

namespace locklab::bench {
namespace {

using history::Actor;
using history::Event;
using history::Op;
using history::Phase;
using history::Result;
using std::chrono_literals::operator""s;

constexpr int64_t kEventsATurn = 4;
constexpr std::array<Actor, 2> kCrowds = {8, 1000};

// What `actors` processes leave that contend for one lock: each has it in its
// turn, while all others wait for it.
class Contention {
 public:
  explicit Contention(Actor actors) : actors_(actors), asked_(actors) {}

  template <typename Take>
  void Turn(const Take& take) {
    const Actor actor = NextActor();
    if (!asked_[actor]) take(Make(actor, Op::kAcquire, Phase::kInvoke));
    take(Make(actor, Op::kAcquire, Phase::kReturn, ++grants_));
    take(Make(actor, Op::kRelease, Phase::kInvoke));
    take(Make(actor, Op::kRelease, Phase::kReturn));
    take(Make(actor, Op::kAcquire, Phase::kInvoke));
    asked_[actor] = true;
  }

 private:
  // Not one after the other, but always in the same way.
  Actor NextActor() {
    draw_ = draw_ * 6364136223846793005 + 1442695040888963407;
    return static_cast<Actor>((draw_ >> 33) % actors_);
  }
  Event Make(Actor actor, Op op, Phase phase, uint64_t token = 0) {
    now_ns_ += 300;
    return {.time_ns = now_ns_,
            .token = token,
            .actor = actor,
            .op = op,
            .phase = phase,
            .result = phase == Phase::kReturn ? Result::kOk : Result::kNone};
  }

  const Actor actors_;
  std::vector<bool> asked_;
  uint64_t grants_ = 0;
  uint64_t draw_ = 7;
  int64_t now_ns_ = 1'000'000'000;
};

// The logs of such a run, `events` long in all, and removed at the end.
class Logs {
 public:
  Logs(const std::string& parent, Actor actors, int64_t events) : dir_(parent) {
    std::vector<std::vector<Event>> logs(actors);
    Contention contention(actors);
    for (int64_t turn = 0; turn < events / kEventsATurn; ++turn) {
      contention.Turn(
          [&](const Event& event) { logs[event.actor].push_back(event); });
    }
    for (Actor actor = 0; actor < actors; ++actor) Write(actor, logs[actor]);
  }

  [[nodiscard]] judge::Judgement Judge() const {
    history::MergedReader reader(history::LogsIn(dir_.path()));
    judge::Judgement judgement = judge::Judge(reader);
    if (judgement.violations != 0 || judgement.malformed != 0) {
      throw std::runtime_error("a history without faults was found wanting");
    }
    return judgement;
  }

 private:
  // As LogWriter does, but without the room that it keeps for more: a thousand
  // times that is much on a disk.
  void Write(Actor actor, std::vector<Event>& events) const {
    const std::string path = history::LogPath(dir_.path(), actor);
    std::ofstream file(path, std::ios::binary);
    const history::LogHeader header = history::PackHeader({.actor = actor});
    file.write(reinterpret_cast<const char*>(&header), sizeof header);
    uint32_t sequence = 0;
    for (Event& event : events) {
      event.sequence = ++sequence;
      event.check = history::Checksum(event);
    }
    file.write(reinterpret_cast<const char*>(events.data()),
               static_cast<std::streamsize>(events.size() * sizeof(Event)));
    if (!file.flush()) throw std::runtime_error("no room for " + path);
  }

  const proc::TempDir dir_;
};

void MeasureFiles(benchmark::State& state, const std::string& dir, Actor actors,
                  int64_t events) {
  try {
    const Logs logs(dir, actors, events);
    int64_t judged = 0;
    for (auto _ : state) judged += logs.Judge().events;
    state.SetItemsProcessed(judged);
  } catch (const std::exception& error) {
    Fail(state, error.what());
  }
}

void MeasureSweep(benchmark::State& state, Actor actors) {
  judge::Sweep sweep;
  Contention contention(actors);
  std::vector<Event> events;
  const auto keep = [&](const Event& event) { events.push_back(event); };
  int64_t judged = 0;
  for (auto _ : state) {
    state.PauseTiming();
    events.clear();
    for (int turn = 0; turn < 5000; ++turn) contention.Turn(keep);
    judged += static_cast<int64_t>(events.size());
    state.ResumeTiming();
    for (const Event& event : events) sweep.Add(event);
  }
  state.SetItemsProcessed(judged);
  if (sweep.Finish().violations != 0) Fail(state, "violations out of nothing");
}

// How many KiB a process of its own grows by while it judges.
int64_t GrowthKib(const Logs& logs) {
  proc::Shared<int64_t> kib;
  proc::Child judge = proc::Child::Spawn([&] {
    rusage before{};
    rusage after{};
    getrusage(RUSAGE_SELF, &before);
    const auto judgement = logs.Judge();
    getrusage(RUSAGE_SELF, &after);
    *kib = after.ru_maxrss - before.ru_maxrss;
    return judgement.events > 0 ? 0 : 1;
  });
  const auto end = judge.Wait(proc::In(120s));
  if (!end || !end->ok()) throw std::runtime_error("the judge failed");
  return *kib;
}

void MeasureMemory(benchmark::State& state, const std::string& dir,
                   Actor actors, int64_t events) {
  try {
    const Logs whole(dir, actors, events);
    const Logs eighth(dir, actors, events / 8);
    int64_t whole_kib = 0;
    int64_t eighth_kib = 0;
    for (auto _ : state) {
      whole_kib = GrowthKib(whole);
      eighth_kib = GrowthKib(eighth);
    }
    state.counters["grown_kib"] = static_cast<double>(whole_kib);
    state.counters["eighth_grown_kib"] = static_cast<double>(eighth_kib);
    state.counters["history_kib"] =
        static_cast<double>(events * int64_t{sizeof(Event)} / 1024);
  } catch (const std::exception& error) {
    Fail(state, error.what());
  }
}

}  // namespace

void RegisterJudging(const std::string& dir, int64_t events) {
  for (const Actor actors : kCrowds) {
    const std::string name = "judge/" + std::to_string(actors);
    benchmark::RegisterBenchmark((name + "/files").c_str(),
                                 [=](benchmark::State& state) {
                                   MeasureFiles(state, dir, actors, events);
                                 })
        ->Unit(benchmark::kMillisecond);
    benchmark::RegisterBenchmark(
        (name + "/sweep").c_str(),
        [=](benchmark::State& state) { MeasureSweep(state, actors); })
        ->Unit(benchmark::kMillisecond);
    benchmark::RegisterBenchmark((name + "/memory").c_str(),
                                 [=](benchmark::State& state) {
                                   MeasureMemory(state, dir, actors, events);
                                 })
        ->Iterations(1);
  }
}

}  // namespace locklab::bench
