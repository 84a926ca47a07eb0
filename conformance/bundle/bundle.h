// Result bundles: one file with all that the verdicts of a run stand on, so
// that somebody else can judge it again.
#ifndef LOCKLAB_CONFORMANCE_BUNDLE_BUNDLE_H_
#define LOCKLAB_CONFORMANCE_BUNDLE_BUNDLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "conformance/bundle/archive.h"
#include "conformance/report/report.h"

namespace locklab::bundle {

// Writes a tar.gz of manifest.json (what the run was, and each member's size
// and SHA-256), report.json, and what of these is in `run_dir`:
// history/BACKEND/*.hist, expectations/*. The same run always makes the same
// bytes. Blocks on disks. Throws BundleError; `path` is whole then or as it
// was.
void WriteBundle(const report::RunReport& report, const std::string& run_dir,
                 const std::string& path);

// What a bundle is worth.
struct Verification {
  std::string digest;  // SHA-256 of the file
  int64_t bytes = 0;
  report::RunReport report;  // as it is in the bundle
  int histories = 0;         // that were judged again
  int64_t events = 0;
  // Where what it says does not follow from what it holds; empty: it follows.
  std::vector<std::string> discrepancies;
};

// Unpacks a bundle aside, compares its digests, judges its histories again, and
// derives from that and from the findings of the claims all verdicts, the
// recommendation and the exit code. What a claim found is taken from the
// report, except for claims that were judged by a history: these must agree
// with it. Takes seconds for some hundred MB. Throws BundleError if the file is
// no bundle, is damaged, hostile or of a newer format.
[[nodiscard]] Verification Verify(const std::string& path);

}  // namespace locklab::bundle

#endif  // LOCKLAB_CONFORMANCE_BUNDLE_BUNDLE_H_
