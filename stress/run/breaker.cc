#include "stress/run/breaker.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>

#include "conformance/proc/barrier.h"

namespace locklab::run {
namespace {

// What has been done so far, in this order.
constexpr uint32_t kLooked = 1;
constexpr uint32_t kOrdered = 2;  // by the one who made the breaker
constexpr uint32_t kReturned = 3;

}  // namespace

Breaker::Breaker(const SubjectFactory& subject, const std::string& path)
    : child_(proc::Child::Spawn(
          [this, &subject, path] { return Main(subject, path); },
          {.own_group = true})) {}

int Breaker::Main(const SubjectFactory& subject,
                  const std::string& path) const {
  const std::unique_ptr<Subject> lock = subject.Make(path);
  Inspector& inspector = *lock->inspector();
  std::optional<lockfile::Owner> owner;
  const Outcome read = inspector.ReadOwner(&owner);
  if (read.ok() && owner) order_->holder = owner->pid;
  std::snprintf(order_->error.data(), order_->error.size(), "%s",
                read.message.c_str());
  Tell(kLooked);
  if (!owner || !Await(kOrdered, proc::kForever)) return 0;
  bool broke = false;
  const Outcome outcome = inspector.BreakIf(*owner, &broke);
  order_->ok = outcome.ok();
  order_->broke = broke;
  std::snprintf(order_->error.data(), order_->error.size(), "%s",
                outcome.message.c_str());
  Tell(kReturned);
  return 0;
}

bool Breaker::Names(pid_t holder, proc::TimePoint deadline) {
  return Await(kLooked, deadline) && order_->holder == holder;
}

bool Breaker::Break(proc::TimePoint deadline, bool* broke) {
  Tell(kOrdered);
  if (!Await(kReturned, deadline)) return false;
  *broke = order_->broke;
  return order_->ok;
}

bool Breaker::Await(uint32_t step, proc::TimePoint deadline) const {
  for (;;) {
    const uint32_t now = order_->step.load();
    if (now >= step) return true;
    if (proc::Clock::now() >= deadline) return false;
    // It may die, too: then nobody wakes us.
    proc::FutexWait(order_->step, now,
                    std::min(deadline, proc::In(std::chrono::seconds(1))));
  }
}

void Breaker::Tell(uint32_t step) const {
  order_->step = step;
  proc::FutexWakeAll(order_->step);
}

}  // namespace locklab::run
