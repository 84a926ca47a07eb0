#include "stress/run/shrink.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "conformance/proc/interrupts.h"
#include "conformance/proc/poll_until.h"
#include "stress/run/contention.h"

namespace locklab::run {
namespace {

class Shrinker {
 public:
  Shrinker(Shrinkable failing,
           const std::function<bool(const Shrinkable&)>& fails,
           const ShrinkBudget& budget)
      : best_(std::move(failing)),
        fails_(fails),
        budget_(budget),
        deadline_(proc::In(budget.time)) {}

  Shrunk Run() {
    out_.reproduced = Fails(best_);
    if (out_.reproduced) {
      Shrinkable before;
      do {
        before = best_;
        Faults();
        Processes();
        Acquisitions();
      } while (best_ != before && !Late());
      out_.complete = !Late();
      Repeat();
    }
    out_.run = std::move(best_);
    return out_;
  }

 private:
  [[nodiscard]] bool Late() const {
    return proc::Clock::now() >= deadline_ || proc::Interrupts::Pending() != 0;
  }

  [[nodiscard]] bool Fails(const Shrinkable& candidate) {
    for (int i = 0; i < budget_.tries && !Late(); ++i) {
      ++out_.runs;
      if (fails_(candidate)) return true;
    }
    return false;
  }

  [[nodiscard]] bool Take(const Shrinkable& candidate) {
    if (!Fails(candidate)) return false;
    best_ = candidate;
    return true;
  }

  // Leaves out parts, which become finer when none of them can be spared.
  void Faults() {
    size_t parts = 2;
    while (!best_.schedule.empty() && !Late()) {
      if (LeaveOutOne(parts)) {
        parts = std::max<size_t>(parts - 1, 2);
      } else if (parts >= best_.schedule.size()) {
        return;
      } else {
        parts = std::min(2 * parts, best_.schedule.size());
      }
    }
  }

  // True: one of so many equal parts was not needed.
  [[nodiscard]] bool LeaveOutOne(size_t parts) {
    const size_t size = best_.schedule.size();
    parts = std::min(parts, size);
    for (size_t part = 0; part < parts; ++part) {
      const auto at = [&](size_t index) {
        return static_cast<ptrdiff_t>(size * index / parts);
      };
      Shrinkable candidate = best_;
      const auto begin = candidate.schedule.begin();
      candidate.schedule.erase(begin + at(part), begin + at(part + 1));
      if (Take(candidate)) return true;
    }
    return false;
  }

  void Processes() {
    while (best_.processes > 1 && !Late()) {
      Shrinkable half = best_;
      half.processes = (best_.processes + 1) / 2;
      Shrinkable less = best_;
      --less.processes;
      if (half != less && Take(half)) continue;
      if (!Take(less)) return;
    }
  }

  void Acquisitions() {
    while (best_.acquisitions > 1 && !Late()) {
      Shrinkable fewer = best_;
      fewer.acquisitions = (best_.acquisitions + 1) / 2;
      Shrinkable earlier = fewer;
      for (Fault& fault : earlier.schedule) fault.grant = (fault.grant + 1) / 2;
      if (!Take(earlier) && !Take(fewer)) return;
    }
  }

  void Repeat() {
    const proc::TimePoint until = proc::In(budget_.time / 2);
    while (out_.repeats < budget_.repeats && proc::Clock::now() < until) {
      ++out_.repeats;
      if (fails_(best_)) ++out_.failed;
    }
  }

  Shrinkable best_;
  const std::function<bool(const Shrinkable&)>& fails_;
  const ShrinkBudget budget_;
  const proc::TimePoint deadline_;
  Shrunk out_;
};

constexpr std::array<Finding ContentionResult::*, 4> kFindings = {
    &ContentionResult::exclusion, &ContentionResult::coherence,
    &ContentionResult::progress, &ContentionResult::survival};

// What happened until it failed, as far as that is known.
Shrinkable UntilItFailed(const ContentionPlan& plan,
                         const ContentionResult& failed) {
  Shrinkable run{.schedule = failed.faults.done,
                 .processes = plan.processes,
                 .acquisitions = failed.acquisitions};
  const auto& evidence = failed.judgement.evidence;
  const uint64_t last = evidence.empty() ? 0 : evidence[0].intruded.token;
  if (last > 0) {
    // And a little more: another time it may come later.
    run.acquisitions =
        std::min(run.acquisitions, static_cast<int64_t>(2 * last) + 100);
    std::erase_if(run.schedule,
                  [last](const Fault& fault) { return fault.grant > last; });
  }
  return run;
}

ContentionPlan PlanOf(const ContentionPlan& plan, const Shrinkable& run) {
  ContentionPlan small = plan;
  small.faults.schedule = run.schedule;
  small.faults.weights = {};
  // A schedule has so many kills at most.
  small.faults.most_kills = static_cast<int>(run.schedule.size());
  small.processes = run.processes;
  small.acquisitions = run.acquisitions;
  small.keep_history.clear();
  return small;
}

}  // namespace

const Finding* FailureOf(const ContentionResult& result) {
  for (const auto finding : kFindings) {
    if ((result.*finding).verdict == Verdict::kFail) return &(result.*finding);
  }
  return nullptr;
}

ShrunkRun ShrinkRun(const SubjectFactory& subject, const ContentionPlan& plan,
                    const ShrinkBudget& budget) {
  // A run that hangs takes until its deadline.
  constexpr auto kDeadline = std::chrono::seconds(5);
  ShrunkRun out;
  ContentionResult failed;
  for (int i = 0; i < budget.tries && FailureOf(failed) == nullptr; ++i) {
    failed = RunContention(subject, plan);
    ++out.shrunk.runs;
  }
  if (FailureOf(failed) == nullptr) return out;
  ContentionPlan quick = plan;
  if (failed.progress.verdict == Verdict::kFail) {
    quick.deadline =
        std::min<std::chrono::milliseconds>(plan.deadline, kDeadline);
  }
  const auto fails = [&](const Shrinkable& run) {
    const ContentionResult result = RunContention(subject, PlanOf(quick, run));
    for (const auto finding : kFindings) {
      if ((failed.*finding).verdict == Verdict::kFail &&
          (result.*finding).verdict == Verdict::kFail) {
        out.reason = (result.*finding).reason;
        return true;
      }
    }
    return false;
  };
  out.shrunk = Shrink(UntilItFailed(plan, failed), fails, budget);
  out.plan = PlanOf(plan, out.shrunk.run);
  return out;
}

Shrunk Shrink(const Shrinkable& failing,
              const std::function<bool(const Shrinkable&)>& fails,
              const ShrinkBudget& budget) {
  return Shrinker(failing, fails, budget).Run();
}

}  // namespace locklab::run
