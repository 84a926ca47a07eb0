#include "stress/crash/experiment.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "conformance/history/log_writer.h"
#include "conformance/proc/barrier.h"
#include "conformance/proc/child.h"
#include "conformance/proc/patience.h"
#include "conformance/proc/poll_until.h"
#include "conformance/proc/shared.h"
#include "conformance/proc/temp_dir.h"
#include "stress/crash/crew.h"
#include "stress/crash/scene.h"
#include "stress/crash/stepper.h"
#include "stress/crash/victim.h"

namespace locklab::crash {
namespace {

using namespace std::chrono_literals;
using proc::Child;

// What is certain to come has this long.
const auto kSoon = proc::Patient(10s);

// What comes at once on a good day, and may not come at all.
constexpr auto kToPark = 200ms;

std::string Who(uint32_t id) {
  return id == kVictim ? "the victim" : fmt::format("waiter {}", id - kVictim);
}

// What experiments are made with.
struct Bench {
  Bench(const SubjectFactory& of, std::string in, Engine by,
        std::chrono::milliseconds within)
      : subject(of),
        dir(std::move(in)),
        engine(by),
        bound(within),
        crew(of, kMaxWaiters, &*scene) {}

  const SubjectFactory& subject;
  const std::string dir;
  const Engine engine;
  const std::chrono::milliseconds bound;
  proc::Shared<Scene> scene;
  Crew crew;
  int64_t count = 0;
};

// The course of one experiment.
class Course {
 public:
  Course(Bench& bench, const Point& point)
      : bench_(bench),
        point_(point),
        place_(fmt::format("{}/e{}", bench.dir, bench.count++)),
        path_(place_ + "/job") {
    result_.point = point;
  }

  Result Run() {
    try {
      Play();
    } catch (const Finding& finding) {
      result_.finding = finding;
    } catch (const std::exception& error) {
      result_.finding = Finding::Inconclusive(error.what());
    }
    proc::RemoveTree(place_);
    return std::move(result_);
  }

 private:
  using Crew = locklab::crash::Crew;

  void Play() {
    std::construct_at(&*bench_.scene);
    if (mkdir(place_.c_str(), 0755) != 0) {
      throw std::system_error(errno, std::generic_category(), place_);
    }
    if (point_.operation == Operation::kBreak) LeaveCorpse();
    Child victim = Child::Spawn([this] {
      return VictimMain(bench_.subject, path_, point_, bench_.engine,
                        &*bench_.scene);
    });
    AwaitReady(&victim);
    const bool held = HoldsAtFirst(point_.operation);
    for (int i = 0; i < point_.waiters; ++i) Order(i);
    // A lock that waits in ways of its own is given a moment to get there.
    for (int i = 0; held && i < point_.waiters; ++i) {
      (void)bench_.crew.AwaitParked(i, proc::In(kToPark));
    }
    bench_.scene->go = 1;
    proc::FutexWakeAll(bench_.scene->go);
    if (bench_.engine == Engine::kPtrace) Lead(victim.pid());
    SeeTheEndOf(&victim);
    AwaitOthers();
    Judge();
  }

  void LeaveCorpse() {
    Child corpse =
        Child::Spawn([this] { return CorpseMain(bench_.subject, path_); });
    const auto end = corpse.Wait(proc::In(kSoon));
    if (!end || !end->ok()) {
      throw Finding::Fail("a process could not take the free lock");
    }
  }

  void AwaitReady(Child* victim) {
    const auto deadline = proc::In(2 * kSoon);
    auto& ready = bench_.scene->ready;
    while (ready == 0) {
      proc::FutexWait(ready, 0, std::min(deadline, proc::In(50ms)));
      if (ready != 0) return;
      const auto end = victim->Poll();
      if (end || proc::Clock::now() >= deadline) {
        throw Finding::Fail(
            fmt::format("the victim {} before it began: {}",
                        end ? end->Describe() : "hangs",
                        static_cast<const char*>(bench_.scene->trace.error)));
      }
    }
  }

  void Order(int index) { bench_.crew.Start(index, path_); }

  // The seam's part, done from outside.
  void Lead(pid_t victim) {
    if (point_.operation == Operation::kHold) return;
    Scene& scene = *bench_.scene;
    const Step step =
        LeadToDeath(victim, point_.call, point_.fate == Fate::kDieAfter,
                    proc::In(bench_.bound + kSoon), [&scene] {
                      scene.trace.reached = true;
                      scene.trace.died_ns = history::NowNs();
                      scene.witness.Leave(kVictim);
                    });
    scene.trace.calls = step.calls;
    if (!step.reached && !step.ended) {
      throw Finding::Inconclusive("the victim could not be led to its point: " +
                                  step.call);
    }
    if (step.reached) {
      std::strncpy(scene.trace.call, step.call.c_str(),
                   sizeof scene.trace.call - 1);
    }
  }

  // Proof that what was to happen happened.
  void SeeTheEndOf(Child* victim) {
    const auto end = victim->Wait(proc::In(bench_.bound + kSoon));
    const Trace& trace = bench_.scene->trace;
    result_.calls = trace.calls;
    result_.reached = trace.reached;
    if (result_.reached) {
      result_.call = trace.call;
      if (trace.path[0] != '\0') result_.call += fmt::format(" {}", trace.path);
    }
    if (!end) {
      victim->Stop();
      throw Finding::Fail("the victim hangs after " + At());
    }
    const bool killed = end->signal == SIGKILL;
    if (killed != (result_.reached && Dies(point_.fate))) {
      throw Finding::Inconclusive(fmt::format(
          "the victim {}, which was not the plan", end->Describe()));
    }
    if (!killed && !end->ok()) {
      throw Finding::Fail(fmt::format("the victim {} after {}: {}",
                                      end->Describe(), At(),
                                      static_cast<const char*>(trace.error)));
    }
  }

  [[nodiscard]] std::string At() const {
    return fmt::format("{} ({})", PointName(point_),
                       result_.call.empty() ? "not reached" : result_.call);
  }

  // Those that waited, then one more: it finds what all others left.
  void AwaitOthers() {
    for (int i = 0; i < point_.waiters; ++i) Await(i);
    Order(point_.waiters);
    Await(point_.waiters);
  }

  void Await(int index) {
    if (!bench_.crew.AwaitDone(index, proc::In(bench_.bound))) {
      bench_.crew.Replace(index);
      for (int i = 0; i < point_.waiters; ++i) {
        if (i != index && !bench_.crew.AwaitDone(i, proc::TimePoint::min())) {
          bench_.crew.Replace(i);
        }
      }
      throw Finding::Fail(
          fmt::format("the lock was not to be had within {} ms after {}",
                      bench_.bound.count(), At()));
    }
    turns_.push_back(bench_.crew.Result(index));
  }

  void Judge() {
    const Witness& witness = bench_.scene->witness;
    if (witness.clashes > 0) {
      throw Finding::Fail(
          fmt::format("{} got the lock while {} held it, after {}",
                      Who(witness.intruder), Who(witness.holder), At()));
    }
    for (const Turn& turn : turns_) {
      if (turn.ok) continue;
      throw Finding::Fail(
          fmt::format("another's {}, after {}", turn.error, At()));
    }
    Measure();
    FindLitter();
    result_.finding = Finding::Pass();
  }

  void Measure() {
    const int64_t died = bench_.scene->trace.died_ns;
    if (died == 0) return;
    for (const Turn& turn : turns_) {
      if (turn.granted_ns < died) continue;
      const int64_t took = turn.granted_ns - std::max(died, turn.asked_ns);
      if (result_.recovery_ns < 0 || took < result_.recovery_ns) {
        result_.recovery_ns = took;
      }
    }
  }

  void FindLitter() {
    // What a lock keeps on purpose: its file, and nothing beside it.
    const lockfile::Traits traits = bench_.subject.traits();
    std::vector<std::string> left;
    for (const auto& entry : std::filesystem::directory_iterator(place_)) {
      left.push_back(entry.path().filename().string());
    }
    const size_t kept = traits.keeps_file ? 1 : 0;
    if (left.size() <= kept) return;
    std::sort(left.begin(), left.end());
    throw Finding::Fail(
        fmt::format("left after {}: {}", At(), fmt::join(left, ", ")));
  }

  Bench& bench_;
  const Point point_;
  const std::string place_;
  const std::string path_;
  std::vector<Turn> turns_;
  Result result_;
};

}  // namespace

struct Laboratory::State : Bench {
  using Bench::Bench;
  const bool may_trace = engine != Engine::kPtrace || MayTrace();
};

Engine EngineFor(const SubjectFactory& subject) {
  const auto lock = subject.MakeOn(lockfile::os::Os::Real(), "/excuse");
  return lock == nullptr || subject.traits().bypasses_seam ? Engine::kPtrace
                                                           : Engine::kSeam;
}

Laboratory::Laboratory(const SubjectFactory& subject, std::string dir,
                       Engine engine, std::chrono::milliseconds bound)
    : state_(std::make_unique<State>(subject, std::move(dir), engine, bound)) {}

Laboratory::~Laboratory() = default;

std::string Laboratory::Excuse(Operation operation) const {
  const auto lock =
      state_->subject.MakeOn(lockfile::os::Os::Real(), state_->dir + "/excuse");
  if (lock == nullptr) return "its system calls cannot be stopped at";
  if (state_->engine == Engine::kPtrace && !state_->may_trace) {
    return "ptrace is not permitted here";
  }
  if (operation == Operation::kRefresh &&
      !MakeVictims(state_->subject, Operation::kRefresh,
                   lockfile::os::Os::Real(), state_->dir + "/excuse")) {
    return "it has no leases";
  }
  if (operation != Operation::kBreak) return "";
  if (lock->inspector() == nullptr) return "it has no break";
  return state_->subject.traits().breakable ? "" : "the kernel frees it";
}

Result Laboratory::Try(const Point& point) {
  return Course(*state_, point).Run();
}

}  // namespace locklab::crash
