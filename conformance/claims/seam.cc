#include "conformance/claims/seam.h"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string_view>
#include <utility>

namespace locklab::claims {

using lockfile::os::SysResult;

namespace {

struct ChangeRow {
  std::string_view name;  // of the seam's function
  Change change;
};

constexpr auto kChanges = std::to_array<ChangeRow>({
    {"WriteStart", Change::kWrite},
    {"Truncate", Change::kTruncate},
    {"Link", Change::kLink},
    {"Symlink", Change::kSymlink},
    {"Unlink", Change::kUnlink},
    {"MakeDir", Change::kMakeDir},
    {"RemoveDir", Change::kRemoveDir},
    {"Rename", Change::kRename},
    {"RenameNoReplace", Change::kRename},
    {"TryLock", Change::kLock},
    {"WaitLock", Change::kLock},
    {"Unlock", Change::kUnlock},
});

std::optional<Change> ChangeOf(const lockfile::os::Call& call) {
  if (call.name == "Open" && (call.flags & O_CREAT) != 0) {
    return Change::kCreate;
  }
  for (const ChangeRow& row : kChanges) {
    if (row.name == call.name) return row.change;
  }
  return std::nullopt;
}

}  // namespace

HookOs::HookOs(Hook hook)
    : InterceptingOs([hook = std::move(hook)](const lockfile::os::Call& call) {
        const std::optional<Change> change = ChangeOf(call);
        return seam::Fault{.before = change ? hook(*change) : 0};
      }) {}

SysResult BehindOs::Around(const lockfile::os::Call& call,
                           const std::function<SysResult()>& next) {
  ++calls_;
  const bool looks =
      call.name == "Lstat" || call.name == "ListDir" || call.name == "ReadLink";
  if (looks && call.path == path_) return SysResult::Fail(ENOENT);
  return next();
}

LyingOs::Identity LyingOs::Self() {
  Identity self = ForwardingOs::Self();
  if (lie_) lie_(&self);
  return self;
}

int64_t LyingOs::WallSeconds() {
  const int64_t now = ForwardingOs::WallSeconds();
  return clock_ ? clock_(now) : now;
}

void StopSign::Arm(int nth) {
  stopped_ = 0;
  go_ = 0;
  left_ = nth;
}

int StopSign::Pass() {
  if (left_.load() < 0 || left_.fetch_sub(1) != 0) return 0;
  stopped_ = 1;
  proc::FutexWakeAll(stopped_);
  proc::WaitWhile(go_, 0, proc::kForever);
  return 0;
}

bool StopSign::AwaitStop(proc::TimePoint deadline) {
  return proc::WaitWhile(stopped_, 0, deadline);
}

void StopSign::Go() {
  left_ = -1;
  go_ = 1;
  proc::FutexWakeAll(go_);
}

}  // namespace locklab::claims
