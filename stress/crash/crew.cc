#include "stress/crash/crew.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>

#include "conformance/history/log_writer.h"
#include "conformance/proc/barrier.h"
#include "lib/os/forwarding_os.h"

namespace locklab::crash {
namespace {

using lockfile::os::Call;
using lockfile::os::SysResult;

// Tells when the lock has nothing to do but wait.
class ParkingOs : public lockfile::os::ForwardingOs {
 public:
  explicit ParkingOs(std::atomic<uint32_t>* parked) : parked_(*parked) {}

 protected:
  SysResult Around(const Call& call,
                   const std::function<SysResult()>& next) override {
    if (call.name == "WaitEvent" || call.name == "WaitLock") {
      parked_ = 1;
      proc::FutexWakeAll(parked_);
    }
    return next();
  }

 private:
  std::atomic<uint32_t>& parked_;
};

bool AwaitValue(std::atomic<uint32_t>& word, uint32_t value,
                proc::TimePoint deadline) {
  for (uint32_t seen = word; seen != value; seen = word) {
    if (!proc::WaitWhile(word, seen, deadline)) return false;
  }
  return true;
}

}  // namespace

class Crew::Waiter {
 public:
  Waiter(const SubjectFactory& subject, Post* post, Scene* scene, uint32_t me)
      : subject_(subject), post_(*post), scene_(*scene), me_(me) {}

  [[noreturn]] void Serve() {
    for (;;) {
      proc::WaitWhile(post_.ordered, post_.done, proc::kForever);
      Obey();
      post_.done.store(post_.ordered);
      // Whoever waits for it to be parked need not, any more.
      post_.parked = 1;
      proc::FutexWakeAll(post_.parked);
      proc::FutexWakeAll(post_.done);
    }
  }

 private:
  void Obey() {
    ParkingOs os(&post_.parked);
    const auto lock = subject_.MakeOn(os, post_.path);
    post_.asked_ns = history::NowNs();
    const Outcome got = lock->Acquire(std::chrono::nanoseconds(-1));
    if (!got.ok()) return Fail("acquire: " + got.message);
    post_.granted_ns = history::NowNs();
    scene_.witness.Enter(me_);
    scene_.witness.Leave(me_);
    const Outcome given = lock->Release();
    if (!given.ok()) return Fail("release: " + given.message);
    post_.ok = true;
  }

  void Fail(const std::string& what) {
    std::strncpy(post_.error, what.c_str(), sizeof post_.error - 1);
  }

  const SubjectFactory& subject_;
  Post& post_;
  Scene& scene_;
  const uint32_t me_;
};

Crew::Crew(const SubjectFactory& subject, int size, Scene* scene)
    : subject_(subject), scene_(scene), posts_(static_cast<size_t>(size)) {
  children_.resize(posts_.size());
  for (int i = 0; i < size; ++i) Spawn(i);
}

void Crew::Spawn(int index) {
  Post* const post = &posts_[static_cast<size_t>(index)];
  children_[static_cast<size_t>(index)] = proc::Child::Spawn([=, this] {
    Waiter(subject_, post, scene_, kVictim + 1 + static_cast<uint32_t>(index))
        .Serve();
    return 0;
  });
}

void Crew::Start(int index, const std::string& path) {
  Post& to = post(index);
  to.ok = false;
  to.asked_ns = to.granted_ns = 0;
  to.error[0] = '\0';
  to.parked = 0;
  const size_t length = std::min(path.size(), sizeof to.path - 1);
  std::memcpy(to.path, path.data(), length);
  to.path[length] = '\0';
  to.ordered.fetch_add(1);
  proc::FutexWakeAll(to.ordered);
}

bool Crew::AwaitParked(int index, proc::TimePoint deadline) {
  return AwaitValue(post(index).parked, 1, deadline);
}

bool Crew::AwaitDone(int index, proc::TimePoint deadline) {
  return AwaitValue(post(index).done, post(index).ordered, deadline);
}

Turn Crew::Result(int index) const {
  const Post& from = post(index);
  return {.ok = from.ok,
          .error = from.error,
          .asked_ns = from.asked_ns,
          .granted_ns = from.granted_ns};
}

void Crew::Replace(int index) {
  children_[static_cast<size_t>(index)].Stop();
  post(index).done.store(post(index).ordered);
  Spawn(index);
}

}  // namespace locklab::crash
