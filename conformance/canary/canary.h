// Locks that are broken on purpose, each in a way that real ones are. A run
// that does not catch them cannot be believed when it calls a lock correct.
//
// The table is made of families, one file each: see families.h. To add a
// canary: a small class and a row in the file of its family.
#ifndef LOCKLAB_CONFORMANCE_CANARY_CANARY_H_
#define LOCKLAB_CONFORMANCE_CANARY_CANARY_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/subject/subject.h"
#include "lib/os/os.h"

namespace locklab::canary {

// Where a broken lock is made, and what it stands on.
struct Site {
  std::string path;  // what is locked
  // For the pauses between its steps, which others slip through.
  uint64_t seed;
  lockfile::os::Os& os;                // outlives the lock
  std::chrono::milliseconds lease{0};  // 0: none
};

struct Canary {
  std::string_view name;
  std::string_view doc;    // one line: what is wrong with it
  std::string_view claim;  // the id of the claim that must fail: its fault
  // Others that must fail of the same fault, separated by blanks.
  std::string_view also = "";
  // Part of what each of these findings has to say.
  std::string_view says = "";
  // What it declares of itself, perhaps wrongly.
  lockfile::Traits traits = {};
  bool leases = false;  // can be held under a lease
  std::unique_ptr<Subject> (*lock)(const Site& site);

  // The lock under test; goes through the seam. This row outlives it.
  [[nodiscard]] std::unique_ptr<SubjectFactory> make(uint64_t seed) const;
  // `claim`, then `also`.
  [[nodiscard]] std::vector<std::string_view> claims() const;
};

// All rows; the standard canary is the first.
[[nodiscard]] std::span<const Canary> Canaries();
// nullptr: there is none such.
[[nodiscard]] const Canary* FindCanary(std::string_view name);

// The one that every run has to catch, by contention, on the directory that it
// examines: needs nothing of a filesystem but that files can be made.
[[nodiscard]] const Canary& StandardCanary();

}  // namespace locklab::canary

#endif  // LOCKLAB_CONFORMANCE_CANARY_CANARY_H_
