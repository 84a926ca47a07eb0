// What many canaries have in common: a file PATH.lock, tried again and again.
#ifndef LOCKLAB_CONFORMANCE_CANARY_NAIVE_LOCK_H_
#define LOCKLAB_CONFORMANCE_CANARY_NAIVE_LOCK_H_

#include <chrono>
#include <cstdint>
#include <random>
#include <string>

#include "conformance/canary/canary.h"
#include "conformance/subject/subject.h"

namespace locklab::canary {

class NaiveLock : public Subject {
 public:
  explicit NaiveLock(const Site& site)
      : os_(site.os), file_(site.path + ".lock"), seed_(site.seed) {}

  Outcome Acquire(std::chrono::nanoseconds timeout) override;
  // Removes the file, whoever made it.
  Outcome Release() override;

 protected:
  // Tries once: taken, refused or failed.
  virtual Outcome Try() = 0;

  // Makes the file: refused if it is there (O_EXCL), or not even then (0).
  Outcome Create(int exclusive);

  // Stands still between a look and the deed, for up to 200 us.
  void Dither();

  [[nodiscard]] const std::string& file() const { return file_; }
  static Outcome Refused();
  static Outcome Failed(const char* what, const std::string& path, int error);

  lockfile::os::Os& os_;

 private:
  const std::string file_;
  const uint64_t seed_;
  std::mt19937_64 random_;
  int seeded_for_ = 0;  // the process: forks must not dither in step
};

}  // namespace locklab::canary

#endif  // LOCKLAB_CONFORMANCE_CANARY_NAIVE_LOCK_H_
