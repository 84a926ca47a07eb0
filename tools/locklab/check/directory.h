// The directory under examination: whether it can be examined at all.
#ifndef LOCKLAB_TOOLS_LOCKLAB_CHECK_DIRECTORY_H_
#define LOCKLAB_TOOLS_LOCKLAB_CHECK_DIRECTORY_H_

#include <cstdint>
#include <string>

namespace locklab::check {

// What a run needs at most at one time, in bytes.
inline constexpr uint64_t kSpaceNeeded = uint64_t{16} << 20;

// The absolute path of `dir`, symbolic links resolved. Throws cli::UsageError
// with one sentence if it is missing, no directory, not readable, not
// writable, or has less than kSpaceNeeded left.
[[nodiscard]] std::string UsableDirectory(const std::string& dir);

// The absolute path of `other`, which must show what `dir` (usable) holds.
// Throws cli::UsageError.
[[nodiscard]] std::string OtherMount(const std::string& dir,
                                     const std::string& other);

// Makes the directory for results if it is not there, and tries to write.
// Throws cli::UsageError.
[[nodiscard]] std::string ResultsDirectory(const std::string& dir);

// Makes the directory for the histories of a run in the run's own, and returns
// it. Throws cli::UsageError.
[[nodiscard]] std::string HistoriesDirectory(const std::string& run);

// Why nothing more can be found out in a directory that was usable: the disk
// is full, it was removed or mounted read-only. Empty: it is as it was. Tries
// by writing.
[[nodiscard]] std::string TroubleIn(const std::string& dir);

}  // namespace locklab::check

#endif  // LOCKLAB_TOOLS_LOCKLAB_CHECK_DIRECTORY_H_
