// Reproducible tar.gz files, and the reading of those that anybody may have
// made.
#ifndef LOCKLAB_CONFORMANCE_BUNDLE_ARCHIVE_H_
#define LOCKLAB_CONFORMANCE_BUNDLE_ARCHIVE_H_

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace locklab::bundle {

// A file that is no bundle, is damaged or hostile, or cannot be read or
// written: what, where, why.
class BundleError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A regular file in an archive.
struct Member {
  std::string name;  // IsMemberName
  std::string path;  // whose content it is; empty: `text` is
  std::string text = {};
};

// One to three parts of letters, digits, ".", ":", "_" and "-", of which none
// begins with a dot or a dash, divided by "/": nothing that could leave a
// directory, be hidden or mean something to a shell.
[[nodiscard]] bool IsMemberName(std::string_view name);

// Writes `path` whole or not at all: the members in their order, without times,
// owners or anything else that is not in them, so that the same members make
// the same bytes. Blocks on disks. Throws BundleError.
void WriteArchive(const std::string& path, const std::vector<Member>& members);

// What is more than that is refused before it takes up space.
struct Limits {
  size_t members = 20'000;
  int64_t bytes = int64_t{8} << 30;  // of all members, unpacked
  // Unpacked bytes for each packed one, beyond the first 16 MiB: events that
  // were never written are zeros, which gzip makes very small, but there are
  // few of them.
  int64_t ratio = 200;
};

// Unpacks the archive into `dir`, which is empty, and returns the names of its
// members in their order. Throws BundleError for what WriteArchive would not
// have written: another format, damage, names that are not IsMemberName or
// occur twice, links, devices, more than the limits. Never writes outside of
// `dir`.
std::vector<std::string> ReadArchive(const std::string& path,
                                     const std::string& dir,
                                     const Limits& limits = {});

}  // namespace locklab::bundle

#endif  // LOCKLAB_CONFORMANCE_BUNDLE_ARCHIVE_H_
