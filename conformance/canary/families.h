// The families of canaries: one file each, its rows in a table at the file's
// end. To add a family: a file, a line here and a line in canary.cc.
#ifndef LOCKLAB_CONFORMANCE_CANARY_FAMILIES_H_
#define LOCKLAB_CONFORMANCE_CANARY_FAMILIES_H_

#include <memory>
#include <span>

#include "conformance/canary/canary.h"

namespace locklab::canary {

std::span<const Canary> ExclusionCanaries();
std::span<const Canary> WaitingCanaries();
std::span<const Canary> OwnershipCanaries();
std::span<const Canary> StalenessCanaries();
std::span<const Canary> SurroundingsCanaries();
std::span<const Canary> ScarcityCanaries();

// For Canary::lock.
template <typename Lock>
std::unique_ptr<Subject> Make(const Site& site) {
  return std::make_unique<Lock>(site);
}

// What a lock declares that lives in the kernel.
inline constexpr lockfile::Traits kKernelTraits = {
    .released_on_crash = true, .breakable = false, .keeps_file = true};

}  // namespace locklab::canary

#endif  // LOCKLAB_CONFORMANCE_CANARY_FAMILIES_H_
