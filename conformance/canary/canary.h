// Locks that are broken on purpose, each in a way that real ones are. A run
// that does not catch them cannot be believed when it calls a lock correct.
#ifndef LOCKLAB_CONFORMANCE_CANARY_CANARY_H_
#define LOCKLAB_CONFORMANCE_CANARY_CANARY_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "conformance/subject/subject.h"

namespace locklab::canary {

struct Canary {
  std::string_view name;
  std::string_view doc;    // one line: what is wrong with it
  std::string_view claim;  // the id of the claim that must fail
  // The seed is for the pauses between its steps, which others slip through.
  std::unique_ptr<SubjectFactory> (*make)(uint64_t seed);
};

[[nodiscard]] std::span<const Canary> Canaries();
// nullptr: there is none such.
[[nodiscard]] const Canary* FindCanary(std::string_view name);

// The one that every run has to catch, by contention, on the directory that it
// examines: needs nothing of a filesystem but that files can be made.
[[nodiscard]] const Canary& StandardCanary();

}  // namespace locklab::canary

#endif  // LOCKLAB_CONFORMANCE_CANARY_CANARY_H_
