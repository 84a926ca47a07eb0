#include "stress/scenarios/calls.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "conformance/proc/shared.h"
#include "conformance/seam/intercepting_os.h"
#include "stress/run/contention.h"

namespace locklab::scenario {
namespace {

// The same lock, whose calls are counted.
class Counted : public SubjectFactory {
 public:
  Counted(const SubjectFactory& base, std::atomic<int64_t>& calls)
      : base_(base), os_([&calls](const seam::Call&) {
          calls.fetch_add(1, std::memory_order_relaxed);
          return seam::Fault{};
        }) {}

  [[nodiscard]] std::string_view name() const override { return base_.name(); }
  [[nodiscard]] std::unique_ptr<Subject> Make(
      const std::string& path) const override {
    return base_.MakeOn(os_, path);
  }
  [[nodiscard]] lockfile::Traits traits() const override {
    return base_.traits();
  }

 private:
  const SubjectFactory& base_;
  mutable seam::InterceptingOs os_;
};

bool StandsOnTheSeam(const SubjectFactory& subject) {
  return !subject.traits().bypasses_seam &&
         subject.MakeOn(lockfile::os::Os::Real(), "/nowhere/lock") != nullptr;
}

}  // namespace

std::optional<double> CallsPerAcquisition(const SubjectFactory& subject,
                                          run::ContentionPlan plan,
                                          std::chrono::milliseconds duration) {
  if (!StandsOnTheSeam(subject)) return std::nullopt;
  plan.deadline += duration - plan.duration;
  plan.duration = duration;
  plan.keep_history.clear();
  const proc::Shared<std::atomic<int64_t>> calls;
  const run::ContentionResult result =
      run::RunContention(Counted(subject, *calls), plan);
  if (result.acquisitions == 0) return std::nullopt;
  return static_cast<double>(calls->load()) /
         static_cast<double>(result.acquisitions);
}

}  // namespace locklab::scenario
