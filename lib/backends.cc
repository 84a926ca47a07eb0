#include "lib/backends.h"

#include <array>
#include <cerrno>

#include "lib/backends/makers.h"
#include "lib/backends/naming.h"

namespace lockfile {
namespace {

constexpr auto kBackends = std::to_array<BackendRow>({
    {.name = "link",
     .doc = "a private file hard-linked to PATH.lock, judged by its inode",
     .suffix = ".lock",
     .traits = {.python_compatible = true, .needs = "hard links"},
     .make = MakeLink},
    {.name = "mkdir",
     .doc = "a directory PATH.lock, prepared aside with its owner inside",
     .suffix = ".lock",
     .traits = {.python_compatible = true},
     .make = MakeMkdir},
    {.name = "symlink",
     .doc = "a symbolic link PATH.lock whose text is the owner's record",
     .suffix = ".lock",
     .traits = {.python_compatible = true, .needs = "symbolic links"},
     .make = MakeSymlink},
    {.name = "pid",
     .doc = "a pid file at PATH itself, never visible empty",
     .suffix = "",
     .traits = {.python_compatible = true,
                .needs = "hard links, or renames that do not replace"},
     .make = MakePid},
    {.name = "excl",
     .doc = "PATH.lock created with O_CREAT|O_EXCL",
     .suffix = ".lock",
     .traits = {.needs = "an atomic O_EXCL"},
     .make = MakeExcl},
    {.name = "sqlite",
     .doc = "a row with a unique key in the database PATH.lock.db",
     .suffix = ".lock.db",
     .traits = {.keeps_file = true,
                .needs = "working fcntl locks for SQLite",
                .longest_path = kLongestSqlitePath,
                .bypasses_seam = true},
     .make = MakeSqlite},
    {.name = "flock",
     .doc = "flock(2) on PATH.lock",
     .suffix = ".lock",
     .traits = {.released_on_crash = true,
                .survives_fork = true,
                .breakable = false,
                .keeps_file = true,
                .needs = "flock"},
     .make = MakeFlock},
    {.name = "fcntl",
     .doc = "fcntl(2) F_SETLK on PATH.lock, with a table of this process",
     .suffix = ".lock",
     .traits = {.released_on_crash = true,
                .breakable = false,
                .keeps_file = true,
                .needs = "POSIX locks"},
     .make = MakeFcntl},
    {.name = "ofd",
     .doc = "fcntl(2) F_OFD_SETLK on PATH.lock",
     .suffix = ".lock",
     .traits = {.released_on_crash = true,
                .survives_fork = true,
                .breakable = false,
                .keeps_file = true,
                .needs = "POSIX locks, Linux"},
     .make = MakeOfd},
});

// Takes and gives back one lock.
Status TryOut(const BackendRow& row, os::Os& os, const std::string& path) {
  const std::unique_ptr<Backend> backend = row.make(os, path, Options{});
  Owner me;
  Status status = MakeOwner(os, &me);
  if (!status.ok()) return status;
  const Hold hold = MakeHold(me);
  Take take = Take::kHeld;
  status = backend->TryTake(hold, &take);
  if (!status.ok()) return status;
  if (take == Take::kHeld) {
    return Status::Make(Errc::kUnsupported,
                        "a lock that nobody else knows of was refused");
  }
  Sight sight;
  status = backend->Look(&sight);
  if (status.ok() && (!sight.held || !sight.owner.has_value())) {
    status = Status::Make(Errc::kUnsupported,
                          "a lock that was just taken cannot be seen");
  }
  const Status released = backend->Release(hold);
  return status.ok() ? released : status;
}

// A scratch directory that is gone, with what lies in it, at the end.
class Scratch {
 public:
  Scratch(os::Os& os, const std::string& dir) : os_(os) {
    Owner me;
    status_ = MakeOwner(os, &me);
    if (!status_.ok()) return;
    path_ = dir + "/lockfile-probe." + TicketName(me);
    const int error = os.MakeDir(path_.c_str(), 0700).error;
    if (error != 0) status_ = Status::Failed("create", path_, error);
  }
  ~Scratch() {
    std::vector<std::string> entries;
    os_.ListDir(path_.c_str(), 1024, &entries);
    for (const std::string& entry : entries) {
      const std::string path = path_ + "/" + entry;
      if (!os_.Unlink(path.c_str()).ok()) os_.RemoveDir(path.c_str());
    }
    os_.RemoveDir(path_.c_str());
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  [[nodiscard]] const Status& status() const { return status_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  os::Os& os_;
  Status status_;
  std::string path_;
};

}  // namespace

std::span<const BackendRow> Backends() { return kBackends; }

const BackendRow* FindBackend(std::string_view name) {
  for (const BackendRow& row : kBackends) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

std::string BackendNames() {
  std::string out;
  for (const BackendRow& row : kBackends) {
    if (!out.empty()) out += ", ";
    out += row.name;
  }
  return out;
}

std::vector<Probe> probe(const std::string& dir, os::Os* os) {
  os::Os& seam = os != nullptr ? *os : os::Os::Real();
  const Scratch scratch(seam, dir);
  std::vector<Probe> out;
  for (const BackendRow& row : kBackends) {
    Probe result;
    result.backend = &row;
    result.status =
        scratch.status().ok()
            ? TryOut(row, seam, scratch.path() + "/" + std::string(row.name))
            : scratch.status();
    result.supported = result.status.ok();
    result.reason = result.status.message;
    out.push_back(std::move(result));
  }
  return out;
}

}  // namespace lockfile
