// The locks that --backend names: backends of the library, locks that are
// broken on purpose, and those of others behind an adapter.
#ifndef LOCKLAB_TOOLS_LOCKLAB_SUBJECTS_H_
#define LOCKLAB_TOOLS_LOCKLAB_SUBJECTS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/subject/subject.h"

namespace locklab::cli {

struct NamedSubject {
  std::string name;  // "link", "canary:unlink-dead", "adapter:./mine"
  // Of the library: has a probe and a floor. nullptr: it is another's.
  const lockfile::BackendRow* backend = nullptr;
  std::shared_ptr<SubjectFactory> factory = nullptr;
};

// Every name that there is, the library's first. Besides, adapter:PROGRAM is
// one for every PROGRAM with a slash in it.
[[nodiscard]] std::vector<std::string_view> SubjectNames();

// Those that `list`, separated by commas, names; "": all of the library.
// Doubles are dropped. `seed` is for what canaries leave to chance. Throws
// UsageError.
[[nodiscard]] std::vector<NamedSubject> ParseSubjects(const std::string& list,
                                                      uint64_t seed);

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_SUBJECTS_H_
