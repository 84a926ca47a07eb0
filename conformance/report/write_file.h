// Putting a report where it can be found.
#ifndef LOCKLAB_CONFORMANCE_REPORT_WRITE_FILE_H_
#define LOCKLAB_CONFORMANCE_REPORT_WRITE_FILE_H_

#include <functional>
#include <ostream>
#include <string>
#include <string_view>

namespace locklab::report {

// Writes `path` whole or leaves what was there: through a file beside it that
// is synced and renamed, and removed if that fails. A device
// or a pipe is written to as it is. Returns what went wrong as one sentence, or
// nothing.
[[nodiscard]] std::string WriteFile(const std::string& path,
                                    std::string_view content);

// The same for what is too much to hold in memory: `write` puts it into the
// stream. What it throws goes through, and `path` is left as it was.
[[nodiscard]] std::string StreamFile(
    const std::string& path, const std::function<void(std::ostream&)>& write);

}  // namespace locklab::report

#endif  // LOCKLAB_CONFORMANCE_REPORT_WRITE_FILE_H_
