#include "stress/crash/victim.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <functional>
#include <string_view>

#include "conformance/history/log_writer.h"
#include "conformance/proc/barrier.h"
#include "conformance/proc/patience.h"
#include "conformance/proc/poll_until.h"
#include "lib/os/forwarding_os.h"
#include "stress/crash/stepper.h"

namespace locklab::crash {
namespace {

using namespace std::chrono_literals;
using lockfile::os::Call;
using lockfile::os::SysResult;

// Whoever does not get the lock by then says so.
const auto kPatience = proc::Patient(10s);

// Nobody waits for it to run out: that its holder died is proven before.
constexpr auto kLease = 60s;

void Copy(std::string_view text, char* to, size_t size) {
  const size_t length = std::min(text.size(), size - 1);
  std::memcpy(to, text.data(), length);
  to[length] = '\0';
}

// Counts the calls from Arm() on, and lets the fate happen at its call.
class FatedOs : public lockfile::os::ForwardingOs {
 public:
  FatedOs(const Point& point, Scene* scene) : point_(point), scene_(*scene) {}

  void Arm() { armed_ = true; }
  void Disarm() { armed_ = false; }

  // Nothing more is written by this process: its memory as the witness sees it
  // is put right first, since a dead process holds nothing.
  [[noreturn]] void Die() {
    scene_.trace.reached = true;
    scene_.trace.died_ns = history::NowNs();
    scene_.witness.Leave(kVictim);
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }

 protected:
  SysResult Around(const Call& call,
                   const std::function<SysResult()>& next) override {
    if (!armed_ || ++scene_.trace.calls != point_.call) return next();
    Note(call);
    switch (point_.fate) {
      case Fate::kDieBefore:
        Die();
      case Fate::kDieAfter:
        (void)next();
        Die();
      case Fate::kError:
        if (!Has(PlausibleErrors(call.name))) return next();
        scene_.trace.reached = true;
        return SysResult::Fail(point_.error);
      case Fate::kLostReply:
        break;
    }
    const SysResult result = next();
    if (!result.ok() || !Has(LostReplyErrors(call.name))) return result;
    scene_.trace.reached = true;
    return SysResult::Fail(point_.error);
  }

 private:
  [[nodiscard]] bool Has(std::span<const int> errors) const {
    return std::find(errors.begin(), errors.end(), point_.error) !=
           errors.end();
  }

  void Note(const Call& call) {
    Trace& trace = scene_.trace;
    Copy(call.name, trace.call, sizeof trace.call);
    const std::string_view about =
        call.target.empty() ? call.path : call.target;
    Copy(about.substr(about.rfind('/') + 1), trace.path, sizeof trace.path);
  }

  const Point point_;
  Scene& scene_;
  bool armed_ = false;
};

class Victim {
 public:
  Victim(const SubjectFactory& subject, const std::string& path,
         const Point& point, Engine engine, Scene* scene)
      : os_(point, scene),
        led_(engine == Engine::kPtrace),
        point_(point),
        scene_(*scene),
        lock_(MakeVictims(subject, point.operation,
                          led_ ? lockfile::os::Os::Real() : os_, path)) {
    if (led_) LetParentLead();
  }

  int Run() {
    const bool holds = HoldsAtFirst(point_.operation);
    if (holds && !Acquire("the victim's acquire beforehand")) return 1;
    if (holds) scene_.witness.Enter(kVictim);
    if (point_.operation == Operation::kBreak) {
      (void)lock_->inspector()->ReadOwner(&corpse_);
      if (!corpse_) {
        Copy("the dead holder cannot be read", scene_.trace.error,
             sizeof scene_.trace.error);
        return 1;
      }
    }
    if (!AwaitGo() || !Act()) return 1;
    lock_.reset();
    scene_.trace.finished = true;
    return 0;
  }

 private:
  bool Acquire(const char* what) {
    return Tell(what, lock_->Acquire(kPatience));
  }

  bool AwaitGo() {
    scene_.ready = 1;
    proc::FutexWakeAll(scene_.ready);
    return proc::WaitWhile(scene_.go, 0, proc::In(kPatience));
  }

  // Between these two the calls are counted.
  void Arm() {
    if (led_) return MarkEdge(self_);
    os_.Arm();
  }
  void Disarm() {
    if (led_) return MarkEdge(self_);
    os_.Disarm();
  }

  bool Act() {
    if (point_.operation == Operation::kHold) os_.Die();
    Arm();
    bool holds = false;
    switch (point_.operation) {
      case Operation::kHold:
        break;
      case Operation::kAcquire:
        holds = Acquire("acquire");
        if (holds) scene_.witness.Enter(kVictim);
        break;
      case Operation::kRefresh:
        Tell("refresh", lock_->inspector()->Refresh());
        holds = true;
        break;
      case Operation::kRelease:
        Release();
        break;
      case Operation::kBreak:
        Break();
        break;
    }
    Disarm();
    // Whatever a refresh came to, it is no reason to lose the lock.
    return !holds || Release() || point_.operation != Operation::kRefresh;
  }

  // True: it went well.
  bool Tell(const char* what, const Outcome& outcome) {
    if (outcome.ok()) return true;
    Copy(std::string(what) + ": " + outcome.message, scene_.trace.error,
         sizeof scene_.trace.error);
    return false;
  }

  void Break() {
    bool broke = false;
    Tell("break", lock_->inspector()->BreakIf(*corpse_, &broke));
  }

  bool Release() {
    scene_.witness.Leave(kVictim);
    return Tell("release", lock_->Release());
  }

  FatedOs os_;
  const bool led_;  // from outside, by ptrace
  const pid_t self_ = getpid();
  const Point point_;
  Scene& scene_;
  std::unique_ptr<Subject> lock_;
  std::optional<lockfile::Owner> corpse_;  // whose lock is to be broken
};

}  // namespace

std::unique_ptr<Subject> MakeVictims(const SubjectFactory& subject,
                                     Operation operation, lockfile::os::Os& os,
                                     const std::string& path) {
  return operation == Operation::kRefresh
             ? subject.MakeLeasedOn(os, path, kLease)
             : subject.MakeOn(os, path);
}

int VictimMain(const SubjectFactory& subject, const std::string& path,
               const Point& point, Engine engine, Scene* scene) {
  return Victim(subject, path, point, engine, scene).Run();
}

int CorpseMain(const SubjectFactory& subject, const std::string& path) {
  // Never destroyed: that would give it back.
  auto* lock = subject.Make(path).release();
  return lock->Acquire(kPatience).ok() ? 0 : 1;
}

}  // namespace locklab::crash
