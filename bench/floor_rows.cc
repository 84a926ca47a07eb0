// The data of the floors, and its names.
#include <fmt/format.h>

#include "bench/floor.h"

namespace locklab::bench {
namespace {

constexpr bool kOnDisk = true;

// A private file with the record, hard-linked into place; is it the same one?
// Is it still? Away with both. (pid: the same.)
constexpr Step kLinkSteps[] = {
    {Op::kOpenNew, Name::kTicket},
    {Op::kWrite},
    {Op::kFstat},
    {Op::kClose},
    {Op::kLink, Name::kLock},
    {Op::kLstat, Name::kLock},
    // release
    {Op::kLstat, Name::kLock},
    {Op::kUnlink, Name::kTicket},
    {Op::kUnlink, Name::kLock},
};

// A private directory with an entry, renamed into place; is the entry there?
// On a disk, what rmdir would free is left to the close.
constexpr Step kMkdirSteps[] = {
    {Op::kMakeDir, Name::kTicket},
    {Op::kOpenNew, Name::kTicketEntry},
    {Op::kWrite},
    {Op::kClose},
    {Op::kRename, Name::kLock},
    {Op::kLstat, Name::kLockEntry},
    // release
    {Op::kOpenPlace, Name::kLock, kOnDisk},
    {Op::kUnlink, Name::kLockEntry},
    {Op::kRemoveDir, Name::kLock},
    {Op::kClose, Name::kNone, kOnDisk},
};

// A private link, which gets the lock's name, too; does it read back?
constexpr Step kSymlinkSteps[] = {
    {Op::kSymlink, Name::kTicket},
    {Op::kLink, Name::kLock},
    {Op::kReadLink, Name::kLock},
    // release
    {Op::kReadLink, Name::kLock},
    {Op::kUnlink, Name::kTicket},
    {Op::kUnlink, Name::kLock},
};

// A private file, then the lock with the same text; is it the one at the path?
// Does it read back? Away with both.
constexpr Step kExclSteps[] = {
    {Op::kOpenNew, Name::kTicket},
    {Op::kWrite},
    {Op::kClose},
    {Op::kOpenNew, Name::kLock},
    {Op::kWrite},
    {Op::kFstat},
    {Op::kLstat, Name::kLock},
    {Op::kClose},
    // release
    {Op::kOpenRead, Name::kLock},
    {Op::kRead},
    {Op::kClose},
    {Op::kUnlink, Name::kTicket},
    {Op::kUnlink, Name::kLock},
};

// The file is there; is it still the one at the path, with the lock on it?
constexpr Step kFlockSteps[] = {
    {Op::kOpenLock, Name::kLock},
    {Op::kFstat},
    {Op::kFlock},
    {Op::kLstat, Name::kLock},
    {Op::kWrite},
    // release
    {Op::kLstat, Name::kLock},
    {Op::kMark},
    {Op::kFlockUnlock},
    {Op::kClose},
};
constexpr Step kOfdSteps[] = {
    {Op::kOpenLock, Name::kLock},
    {Op::kFstat},
    {Op::kOfdSetLk},
    {Op::kLstat, Name::kLock},
    {Op::kWrite},
    // release
    {Op::kLstat, Name::kLock},
    {Op::kMark},
    {Op::kOfdSetLkUnlock},
    {Op::kClose},
};

// Does this process have the file open already? And at release: has nobody in
// this process dropped the lock by closing another descriptor?
constexpr Step kFcntlSteps[] = {
    {Op::kLstat, Name::kLock},
    {Op::kOpenLock, Name::kLock},
    {Op::kFstat},
    {Op::kSetLk},
    {Op::kLstat, Name::kLock},
    {Op::kWrite},
    // release
    {Op::kLstat, Name::kLock},
    {Op::kOfdGetLk},
    {Op::kRead},
    {Op::kLstat, Name::kLock},
    {Op::kMark},
    {Op::kSetLkUnlock},
    {Op::kClose},
};

constexpr FloorRow kRows[] = {
    {"link", kLinkSteps},   {"mkdir", kMkdirSteps}, {"symlink", kSymlinkSteps},
    {"pid", kLinkSteps},    {"excl", kExclSteps},   {"flock", kFlockSteps},
    {"fcntl", kFcntlSteps}, {"ofd", kOfdSteps},
};

std::string_view CallName(Op op) {
  switch (op) {
    case Op::kOpenNew:
    case Op::kOpenLock:
    case Op::kOpenRead:
    case Op::kOpenPlace:
      return "Open";
    case Op::kWrite:
    case Op::kMark:
      return "WriteStart";
    case Op::kRead:
      return "ReadStart";
    case Op::kFstat:
      return "Fstat";
    case Op::kClose:
      return "Close";
    case Op::kLink:
      return "Link";
    case Op::kRename:
      return "RenameNoReplace";
    case Op::kSymlink:
      return "Symlink";
    case Op::kReadLink:
      return "ReadLink";
    case Op::kLstat:
      return "Lstat";
    case Op::kUnlink:
      return "Unlink";
    case Op::kMakeDir:
      return "MakeDir";
    case Op::kRemoveDir:
      return "RemoveDir";
    case Op::kFlock:
    case Op::kSetLk:
    case Op::kOfdSetLk:
      return "TryLock";
    case Op::kFlockUnlock:
    case Op::kSetLkUnlock:
    case Op::kOfdSetLkUnlock:
      return "Unlock";
    case Op::kOfdGetLk:
      return "QueryLock";
  }
  return "";
}

}  // namespace

std::span<const FloorRow> FloorRows() { return kRows; }

const FloorRow* FindFloor(std::string_view backend) {
  for (const FloorRow& row : kRows) {
    if (row.backend == backend) return &row;
  }
  return nullptr;
}

std::string_view NameText(Name name) {
  switch (name) {
    case Name::kNone:
      return "";
    case Name::kLock:
      return " lock";
    case Name::kLockEntry:
      return " lock/entry";
    case Name::kTicket:
      return " ticket";
    case Name::kTicketEntry:
      return " ticket/entry";
  }
  return "";
}

std::string Describe(const Step& step) {
  return fmt::format("{}{}", CallName(step.op), NameText(step.name));
}

}  // namespace locklab::bench
