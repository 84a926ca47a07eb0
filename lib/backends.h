// The table of lock backends: one row each, in backends.cc. Lists, help texts,
// documentation tables and tests are made from it.
#ifndef LOCKLAB_LIB_BACKENDS_H_
#define LOCKLAB_LIB_BACKENDS_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/errors.h"
#include "lib/options.h"

namespace lockfile {

class Backend;

// What a backend promises wherever it works at all.
struct Traits {
  bool released_on_crash = false;  // by the kernel, at once
  bool excludes_threads = true;    // two objects in one process exclude
  // A forked child that outlives a crashed holder keeps the lock from others.
  bool survives_fork = false;
  bool breakable = true;    // break_lock() can take it from a live holder
  bool keeps_file = false;  // a file stays behind after release, on purpose
  // The C++ and the Python `lockfile` exclude each other on one path.
  bool python_compatible = false;
  std::string_view needs = "";  // of the filesystem
  // Bytes that the lock's own path may have, beside the limits of the system;
  // a longer one is ENAMETOOLONG. 0: it has no such limit.
  size_t longest_path = 0;
  // Makes system calls that do not pass lib/os: another library makes them.
  bool bypasses_seam = false;
};

struct BackendRow {
  std::string_view name;
  std::string_view doc;     // one line
  std::string_view suffix;  // the lock for PATH lives at PATH + suffix
  Traits traits;
  // `path`: absolute, what is to be locked.
  std::unique_ptr<Backend> (*make)(os::Os& os, const std::string& path,
                                   const Options& options);
};

[[nodiscard]] std::span<const BackendRow> Backends();
// nullptr: no such backend.
[[nodiscard]] const BackendRow* FindBackend(std::string_view name);
// "link, mkdir, symlink, ...": for messages.
[[nodiscard]] std::string BackendNames();

struct Probe {
  const BackendRow* backend = nullptr;
  bool supported = false;
  Status status;       // why not
  std::string reason;  // for people; empty where supported
};

// Which backends the directory supports, found by doing the thing: each takes
// and gives back a lock of its own in a scratch directory inside `dir`, which
// is removed again. Does not wait; takes some milliseconds on a local disk.
// A missing or unwritable `dir` makes every row unsupported with that reason.
[[nodiscard]] std::vector<Probe> probe(const std::string& dir,
                                       os::Os* os = nullptr);

}  // namespace lockfile

#endif  // LOCKLAB_LIB_BACKENDS_H_
