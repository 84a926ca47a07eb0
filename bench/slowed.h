// A lock that is slower than it has to be, by a share: for experiments on what
// finds that out.
#ifndef LOCKLAB_BENCH_SLOWED_H_
#define LOCKLAB_BENCH_SLOWED_H_

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "conformance/subject/subject.h"

namespace locklab::bench {

// The same lock under the same name; after each acquire and each release it
// spins for `share` of the time that this took. `base` outlives it.
class Slowed : public SubjectFactory {
 public:
  Slowed(const SubjectFactory& base, double share)
      : base_(base), share_(share) {}

  [[nodiscard]] std::string_view name() const override { return base_.name(); }
  [[nodiscard]] std::unique_ptr<Subject> Make(
      const std::string& path) const override;
  [[nodiscard]] lockfile::Traits traits() const override {
    return base_.traits();
  }

 private:
  const SubjectFactory& base_;
  const double share_;
};

}  // namespace locklab::bench

#endif  // LOCKLAB_BENCH_SLOWED_H_
