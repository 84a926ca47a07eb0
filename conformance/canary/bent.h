// What the other canaries have in common: a sound lock of the library with one
// thing bent.
#ifndef LOCKLAB_CONFORMANCE_CANARY_BENT_H_
#define LOCKLAB_CONFORMANCE_CANARY_BENT_H_

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "conformance/canary/canary.h"
#include "conformance/subject/subject.h"
#include "lib/os/forwarding_os.h"

namespace locklab::canary {

class Bent : public Subject, public Inspector {
 public:
  explicit Bent(const Site& site, std::string_view backend = "link")
      : os_(site.os),
        sound_(site.lease.count() > 0
                   ? BackendSubject(backend)->MakeLeasedOn(os_, site.path,
                                                           site.lease)
                   : BackendSubject(backend)->MakeOn(os_, site.path)) {}

  Outcome Acquire(std::chrono::nanoseconds timeout) override {
    return sound_->Acquire(timeout);
  }
  Outcome Release() override { return sound_->Release(); }
  Inspector* inspector() override { return this; }
  [[nodiscard]] std::string lock_path() const override {
    return ask().lock_path();
  }
  Outcome IsLocked(bool* locked) override { return ask().IsLocked(locked); }
  Outcome IAmLocking(bool* mine) override { return ask().IAmLocking(mine); }
  Outcome ReadOwner(std::optional<lockfile::Owner>* owner) override {
    return ask().ReadOwner(owner);
  }
  lockfile::Liveness HolderLife() override { return ask().HolderLife(); }
  Outcome Break(bool* broke) override { return ask().Break(broke); }
  Outcome BreakIf(const lockfile::Owner& expected, bool* broke) override {
    return ask().BreakIf(expected, broke);
  }
  Outcome Refresh() override { return ask().Refresh(); }

 protected:
  [[nodiscard]] Inspector& ask() const { return *sound_->inspector(); }

  lockfile::os::Os& os_;
  std::unique_ptr<Subject> sound_;
};

// A sound lock on an operating system that makes it unsound: a ForwardingOs
// made from what it stands on.
template <typename FaultyOs>
struct OwnOs {
  FaultyOs faulty;
};
template <typename FaultyOs>
class OnFaulty : private OwnOs<FaultyOs>, public Bent {
 public:
  explicit OnFaulty(const Site& site, std::string_view backend = "link")
      : OwnOs<FaultyOs>{FaultyOs(site.os)},
        Bent({.path = site.path, .seed = site.seed, .os = this->faulty},
             backend) {}
};

}  // namespace locklab::canary

#endif  // LOCKLAB_CONFORMANCE_CANARY_BENT_H_
