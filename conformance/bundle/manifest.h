// What a bundle says of itself: its first member, manifest.json.
#ifndef LOCKLAB_CONFORMANCE_BUNDLE_MANIFEST_H_
#define LOCKLAB_CONFORMANCE_BUNDLE_MANIFEST_H_

#include <string>
#include <string_view>
#include <vector>

#include "conformance/digest/sha256.h"
#include "conformance/report/report.h"

namespace locklab::bundle {

// Of the layout of bundles; schema_version is that of the report in it.
inline constexpr int kFormatVersion = 1;

inline constexpr std::string_view kManifestName = "manifest.json";
inline constexpr std::string_view kReportName = "report.json";
// history/BACKEND/NAME.hist, expectations/NAME.
inline constexpr std::string_view kHistoryFolder = "history";
// What the history of the run's canary stands for a BACKEND.
inline constexpr std::string_view kCanaryFolder = "canary";
inline constexpr std::string_view kExpectationsFolder = "expectations";

// One of the others.
struct Item {
  std::string name;
  digest::FileDigest digest;

  bool operator==(const Item&) const = default;
};

struct Manifest {
  int format_version = kFormatVersion;
  // What of the report everybody wants to know without reading it: suite
  // version, seed, command line, environment, claims. As JSON, since nothing
  // is done with it but to compare it.
  std::string about;
  std::vector<Item> items;  // by name
};

// `about` as it follows from a report.
[[nodiscard]] std::string AboutOf(const report::RunReport& report);

// Indented, fields in a fixed order, one newline at the end.
[[nodiscard]] std::string ToJson(const Manifest& manifest);

// Strict. Throws BundleError, without the name of the bundle; of a newer format
// it says so.
[[nodiscard]] Manifest ManifestFromJson(std::string_view text);

}  // namespace locklab::bundle

#endif  // LOCKLAB_CONFORMANCE_BUNDLE_MANIFEST_H_
