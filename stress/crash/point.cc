#include "stress/crash/point.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace locklab::crash {
namespace {

constexpr auto kOperations = std::to_array<OperationRow>({
    {Operation::kAcquire, "acquire", "takes a lock that is free"},
    {Operation::kHold, "hold", "holds the lock"},
    {Operation::kRefresh, "refresh", "tells that it lives, under a lease"},
    {Operation::kRelease, "release", "gives the lock back"},
    {Operation::kBreak, "break", "breaks the lock of a dead holder"},
});

constexpr auto kErrnos = std::to_array<int>(
    {EINTR, EIO, ENOSPC, EMFILE, ESTALE, EACCES, EDQUOT, ENOLCK, EEXIST, ENOENT,
     EPERM, EROFS, ENOTEMPTY, ENFILE, ENOMEM});

struct Plausible {
  std::string_view call;
  std::array<int, 8> errors;  // unused ones are 0, the last one always
};

// open(2), link(2), mkdir(2), rename(2), utimensat(2), flock(2), fcntl(2),
// stat(2), statfs(2), poll(2), pidfd_open(2), inotify_add_watch(2); nfs(5) for
// ESTALE, EIO and EINTR. Close is below: it is always done.
constexpr auto kPlausible = std::to_array<Plausible>({
    {"Open", {EINTR, EIO, ENOSPC, EMFILE, EACCES, ESTALE, EDQUOT}},
    {"ReadStart", {EINTR, EIO, ESTALE}},
    {"WriteStart", {EINTR, EIO, ENOSPC, EDQUOT, ESTALE}},
    {"Truncate", {EINTR, EIO, ESTALE}},
    {"Link", {EINTR, EIO, ENOSPC, EACCES, EDQUOT, ESTALE}},
    {"Symlink", {EINTR, EIO, ENOSPC, EACCES, EDQUOT, ESTALE}},
    {"ReadLink", {EINTR, EIO, EACCES, ESTALE}},
    {"Unlink", {EINTR, EIO, ENOSPC, EACCES, EDQUOT, ESTALE}},
    {"MakeDir", {EINTR, EIO, ENOSPC, EACCES, EDQUOT, ESTALE}},
    {"RemoveDir", {EINTR, EIO, ENOSPC, EACCES, EDQUOT, ESTALE}},
    {"Rename", {EINTR, EIO, ENOSPC, EACCES, EDQUOT, ESTALE}},
    {"RenameNoReplace", {EINTR, EIO, ENOSPC, EACCES, EDQUOT, ESTALE}},
    {"Lstat", {EINTR, EIO, EACCES, ESTALE}},
    {"Fstat", {EINTR, EIO, ESTALE}},
    {"ListDir", {EINTR, EIO, EMFILE, EACCES, ESTALE}},
    {"Touch", {EINTR, EIO, ENOSPC, EACCES, EDQUOT, ESTALE}},
    {"FilesystemType", {EINTR, EIO, EACCES, ESTALE}},
    {"TryLock", {EINTR, ENOLCK, EIO, ESTALE}},
    {"WaitLock", {EINTR, ENOLCK, EIO, ESTALE}},
    {"Unlock", {EINTR, ENOLCK, EIO, ESTALE}},
    {"QueryLock", {ENOLCK, EIO, ESTALE}},
    {"WatchOpen", {EMFILE}},
    {"WatchAdd", {ENOSPC, EACCES}},
    {"WatchGone", {ENOSPC, EACCES}},
    {"ProcessWatch", {EMFILE}},
    {"WaitEvent", {EINTR}},
    {"Random", {EINTR}},
});

// RFC 1813, 3.1 and 4.3: a request that is sent again finds its own work.
// close(2): the descriptor is gone whatever it returns.
constexpr auto kLost = std::to_array<Plausible>({
    {"Link", {EEXIST, EIO}},
    {"Symlink", {EEXIST, EIO}},
    {"MakeDir", {EEXIST, EIO}},
    {"Rename", {ENOENT, EIO}},
    {"RenameNoReplace", {ENOENT, EEXIST, EIO}},
    {"Unlink", {ENOENT, EIO}},
    {"RemoveDir", {ENOENT, EIO}},
    {"Touch", {EIO}},
    {"Close", {EINTR, EIO, ENOSPC, EDQUOT}},
});

template <size_t kSize>
std::span<const int> Find(const std::array<Plausible, kSize>& rows,
                          std::string_view call) {
  for (const Plausible& row : rows) {
    if (row.call != call) continue;
    const auto end = std::find(row.errors.begin(), row.errors.end(), 0);
    return {row.errors.begin(), end};
  }
  return {};
}

std::string ErrnoName(int error) {
  const char* name = strerrorname_np(error);
  return name == nullptr ? std::to_string(error) : name;
}

std::string FateName(const Point& point) {
  switch (point.fate) {
    case Fate::kDieBefore:
      return "before";
    case Fate::kDieAfter:
      return "after";
    case Fate::kError:
      return "error=" + ErrnoName(point.error);
    case Fate::kLostReply:
      return "lost=" + ErrnoName(point.error);
  }
  return "";
}

bool ParseFate(std::string_view text, Point* point) {
  if (text == "before" || text == "after") {
    point->fate = text == "after" ? Fate::kDieAfter : Fate::kDieBefore;
    return true;
  }
  const size_t equals = text.find('=');
  const std::string_view fate = text.substr(0, equals);
  if (equals == std::string_view::npos || (fate != "error" && fate != "lost")) {
    return false;
  }
  point->fate = fate == "lost" ? Fate::kLostReply : Fate::kError;
  for (const int error : kErrnos) {
    if (ErrnoName(error) == text.substr(equals + 1)) point->error = error;
  }
  return point->error != 0;
}

}  // namespace

std::span<const OperationRow> Operations() { return kOperations; }

std::string_view OperationName(Operation operation) {
  for (const OperationRow& row : kOperations) {
    if (row.operation == operation) return row.name;
  }
  return "";
}

std::string PointName(const Point& point) {
  return fmt::format("{}:{}:{}", OperationName(point.operation), point.call,
                     FateName(point));
}

std::optional<Point> ParsePoint(std::string_view text) {
  Point point;
  const size_t first = text.find(':');
  if (first == std::string_view::npos) return {};
  const size_t second = text.find(':', first + 1);
  if (second == std::string_view::npos) return {};
  const auto row = std::find_if(
      kOperations.begin(), kOperations.end(),
      [&](const OperationRow& r) { return r.name == text.substr(0, first); });
  if (row == kOperations.end()) return {};
  point.operation = row->operation;
  const char* const end = text.data() + second;
  const auto [at, error] =
      std::from_chars(text.data() + first + 1, end, point.call);
  if (error != std::errc() || at != end || point.call < 1) return {};
  if (!ParseFate(text.substr(second + 1), &point)) return {};
  return point;
}

std::span<const int> PlausibleErrors(std::string_view call) {
  return Find(kPlausible, call);
}

std::span<const int> LostReplyErrors(std::string_view call) {
  return Find(kLost, call);
}

}  // namespace locklab::crash
