// Canaries that get on badly with strangers, with crowds, and with want: of
// disk space, of descriptors.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>
#include <string>
#include <thread>

#include "conformance/canary/bent.h"
#include "conformance/canary/families.h"

namespace locklab::canary {
namespace {

using namespace std::chrono_literals;  // NOLINT
using std::chrono::nanoseconds;

// --- strangers -------------------------------------------------------------

Site At(const Site& site, std::string path) {
  return {.path = std::move(path), .seed = site.seed, .os = site.os};
}

// Tells locks apart by the text of the path, as one in a common place does.
class NamedByText : public Bent {
 public:
  explicit NamedByText(const Site& site) : Bent(At(site, Place(site.path))) {}

 private:
  static std::string Place(const std::string& path) {
    return path + "." + std::to_string(std::hash<std::string>()(path));
  }
};

// Says that it is Python's lock, and is in another file.
class OwnDialect : public Bent {
 public:
  explicit OwnDialect(const Site& site) : Bent(At(site, site.path + "-own")) {}
};

// --- crowds ----------------------------------------------------------------

// A table of those who wait, with room for a few.
class FewSlots : public Bent {
 public:
  explicit FewSlots(const Site& site) : Bent(site) {}
  Outcome Acquire(nanoseconds timeout) override {
    const std::string slot = TakeSlot();
    if (slot.empty()) {
      return {.got = Got::kError,
              .sys = EUSERS,
              .message = "too many wait for " + lock_path(),
              .code = lockfile::Errc::kLockFailed};
    }
    // So that others come meanwhile, however quick this one is.
    std::this_thread::sleep_for(1ms);
    Outcome outcome = sound_->Acquire(timeout);
    os_.Unlink(slot.c_str());
    return outcome;
  }

 private:
  // Empty: all are taken.
  std::string TakeSlot() {
    constexpr int kSlots = 16;
    for (int i = 0; i < kSlots; ++i) {
      std::string slot = lock_path() + ".slot" + std::to_string(i);
      const auto made =
          os_.Open(slot.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (!made.ok() && made.error != EEXIST) {
        return slot;  // The lock itself will say what is wrong.
      }
      if (!made.ok()) continue;
      os_.Close(static_cast<int>(made.value));
      return slot;
    }
    return "";
  }
};

// Whoever comes first has to let all others go first from then on.
class HasFavourites : public Bent {
 public:
  explicit HasFavourites(const Site& site) : Bent(site, "flock") {
    const std::string mark = lock_path() + ".first";
    const auto made =
        os_.Open(mark.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    is_first_ = made.ok();
    if (is_first_) os_.Close(static_cast<int>(made.value));
  }
  Outcome Acquire(nanoseconds timeout) override {
    if (is_first_) std::this_thread::sleep_for(30ms);
    return sound_->Acquire(timeout);
  }

 private:
  bool is_first_ = false;
};

// --- want ------------------------------------------------------------------

// Does not look at what its calls return.
class TakesErrorForLock : public Bent {
 public:
  explicit TakesErrorForLock(const Site& site) : Bent(site) {}
  Outcome Acquire(nanoseconds timeout) override {
    const Outcome outcome = sound_->Acquire(timeout);
    imagined_ = outcome.got == Got::kError && outcome.sys != ENOENT;
    return imagined_ ? Outcome{} : outcome;
  }
  Outcome Release() override {
    return imagined_ ? Outcome{} : sound_->Release();
  }

 private:
  bool imagined_ = false;
};

// A file that it made before the error stays.
class LittersOnError : public Bent {
 public:
  explicit LittersOnError(const Site& site) : Bent(site) {}
  Outcome Acquire(nanoseconds timeout) override {
    Outcome outcome = sound_->Acquire(timeout);
    if (outcome.got == Got::kError) {
      const std::string half = lock_path() + ".half";
      [[maybe_unused]] const int left = symlink("half made", half.c_str());
    }
    return outcome;
  }
};

// What has failed once is broken for ever.
class NeverForgives : public Bent {
 public:
  explicit NeverForgives(const Site& site) : Bent(site) {}
  Outcome Acquire(nanoseconds timeout) override {
    if (failure_.got == Got::kError) return failure_;
    Outcome outcome = sound_->Acquire(timeout);
    if (outcome.got == Got::kError) failure_ = outcome;
    return outcome;
  }

 private:
  Outcome failure_;
};

constexpr auto kRows = std::to_array<Canary>({
    {.name = "named-by-text",
     .doc = "another name of the directory is another lock",
     .claim = "exclusion.across_links_to_directory",
     .also = "exclusion.across_mounts",
     .lock = Make<NamedByText>},
    {.name = "own-dialect",
     .doc = "says that it shares Python's files, and has its own",
     .claim = "exclusion.foreign_peer",
     .says = "Python's try while we hold it: ok instead of refused",
     .traits = {.python_compatible = true},
     .lock = Make<OwnDialect>},
    {.name = "few-slots",
     .doc = "has room for sixteen who wait, and an error for the others",
     .claim = "load.thousand_processes",
     .says = "too many wait",
     .lock = Make<FewSlots>},
    {.name = "has-favourites",
     .doc = "lets one process wait longer than all others",
     .claim = "load.fairness",
     .says = "the slowest of 8 processes",
     .traits = kKernelTraits,
     .lock = Make<HasFavourites>},
    {.name = "takes-error-for-lock",
     .doc = "does not look whether the calls that make the lock fail",
     .claim = "load.full_disk",
     .also = "load.fd_exhaustion",
     .says = "two processes hold the lock at once",
     .lock = Make<TakesErrorForLock>},
    {.name = "litters-on-error",
     .doc = "leaves a half-made file behind where a call fails",
     .claim = "load.full_disk",
     .also = "load.fd_exhaustion",
     .says = "these files are left",
     .lock = Make<LittersOnError>},
    {.name = "never-forgives",
     .doc = "goes on to fail when the reason is gone",
     .claim = "load.full_disk",
     .also = "load.fd_exhaustion",
     .says = "acquire in good times",
     .lock = Make<NeverForgives>},
});

}  // namespace

std::span<const Canary> ScarcityCanaries() { return kRows; }

}  // namespace locklab::canary
