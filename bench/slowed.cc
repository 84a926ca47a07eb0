#include "bench/slowed.h"

#include <utility>

namespace locklab::bench {
namespace {

using Clock = std::chrono::steady_clock;

class SlowedSubject : public Subject {
 public:
  SlowedSubject(std::unique_ptr<Subject> base, double share)
      : base_(std::move(base)), share_(share) {}

  Outcome Acquire(std::chrono::nanoseconds timeout) override {
    return Spun([&] { return base_->Acquire(timeout); });
  }
  Outcome Release() override {
    return Spun([&] { return base_->Release(); });
  }
  void Warm() override { base_->Warm(); }
  Inspector* inspector() override { return base_->inspector(); }

 private:
  template <typename Call>
  Outcome Spun(const Call& call) {
    const auto start = Clock::now();
    Outcome outcome = call();
    const auto took = Clock::now() - start;
    const auto end = start + took * (1 + share_);
    while (Clock::now() < end) {
    }
    return outcome;
  }

  const std::unique_ptr<Subject> base_;
  const double share_;
};

}  // namespace

std::unique_ptr<Subject> Slowed::Make(const std::string& path) const {
  return std::make_unique<SlowedSubject>(base_.Make(path), share_);
}

}  // namespace locklab::bench
