// What claims need beside a lock and a directory: privileges, mounts, foreign
// programs, abilities of the filesystem. One row each; claims name them in
// Claim::needs, and a run may demand them.
#ifndef LOCKLAB_CONFORMANCE_CLAIMS_FEATURES_H_
#define LOCKLAB_CONFORMANCE_CLAIMS_FEATURES_H_

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace locklab {

// Where a feature is looked for; as in ClaimContext.
struct Place {
  std::string dir;        // exists, may be written, may hold other files
  std::string other_dir;  // the same through another mount, or empty
};

struct Feature {
  std::string_view name;    // "second-mount"
  std::string_view doc;     // one line
  std::string_view remedy;  // what to install or to do where it is missing
  // Why it is not to be had; empty: it is there. Found by doing the thing in
  // `place.dir`, of which nothing is left. May start processes, changes
  // nothing in this one, may block as long as the filesystem does.
  std::string (*probe)(const Place& place);
};

// All rows.
[[nodiscard]] std::span<const Feature> Features();
[[nodiscard]] const Feature* FindFeature(std::string_view name);

// The names in Claim::needs.
[[nodiscard]] std::vector<std::string_view> NamesIn(std::string_view needs);

// Probes in this process. What a claim that needs it says: "needs NAME:
// REASON; REMEDY", or empty: it is there.
[[nodiscard]] std::string WhyMissing(const Feature& feature,
                                     const Place& place);
// The same in a process of its own, for a caller that must not hang: one that
// is not done within `deadline` counts as missing.
[[nodiscard]] std::string WhyMissing(const Feature& feature, const Place& place,
                                     std::chrono::milliseconds deadline);

}  // namespace locklab

#endif  // LOCKLAB_CONFORMANCE_CLAIMS_FEATURES_H_
