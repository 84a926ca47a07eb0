// The names that a soft lock uses beside the lock's own.
//
// A lock at /d/x.lock has, beside it:
//   x.lock.TICKET          a ticket: see soft_file.h
//   x.lock.TICKET.broken   a ticket that a breaker took away from its holder
//   x.lock.TICKET.copy     what the pid backend renames into place, or another
//                          name of the lock, to see past a client's cache
//   x.lock.TICKET.wait     says that somebody waits, where a ticket would say
//                          more than that
//   x.lock.break           the guard under which breakers work: a lock itself
//
// A ticket's name says who made it, so that what a dead process left behind
// can be told and removed without reading it, even if it died before it could
// write anything into it:
//   TOKEN.HOST(16 hex)BOOT(8)NAMESPACES(8).PID.START      (all hexadecimal)
#ifndef LOCKLAB_LIB_BACKENDS_NAMING_H_
#define LOCKLAB_LIB_BACKENDS_NAMING_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/os/os.h"
#include "lib/owner.h"

namespace lockfile {

inline constexpr std::string_view kWaiting = ".wait";
inline constexpr std::string_view kBroken = ".broken";

// The part of a ticket's name behind the token: the same for all holds of a
// process.
[[nodiscard]] std::string TicketTail(const Owner& owner);
// The whole of it: token, dot, tail.
[[nodiscard]] std::string TicketName(const Owner& owner);

// Whether the maker of the ticket of this name lives, by the rules of
// JudgeLife. nullopt: not the name of a ticket.
[[nodiscard]] std::optional<Life> JudgeTicket(os::Os& os,
                                              std::string_view name);

// When a hold was first asked for, as its token says: see Owner::token.
[[nodiscard]] uint64_t StampOf(std::string_view token);

// What a ticket's name says of its maker. Points into the name.
struct TicketFacts {
  std::string_view token;
  std::string_view scope;  // host, boot and namespaces
  uint64_t pid = 0;
  uint64_t start = 0;
};
// nullopt: not the name of a ticket. A ".wait" behind it is overlooked.
[[nodiscard]] std::optional<TicketFacts> ParseTicket(std::string_view name);

class LockNames {
 public:
  explicit LockNames(const std::string& lock_path);

  [[nodiscard]] const std::string& directory() const { return directory_; }
  [[nodiscard]] std::string Ticket(std::string_view ticket) const {
    return stem_path_ + std::string(ticket);
  }
  [[nodiscard]] std::string Broken(std::string_view ticket) const {
    return Ticket(ticket) + std::string(kBroken);
  }
  [[nodiscard]] std::string Copy(std::string_view ticket) const {
    return Ticket(ticket) + ".copy";
  }
  [[nodiscard]] std::string Waiting(std::string_view ticket) const {
    return Ticket(ticket) + std::string(kWaiting);
  }
  [[nodiscard]] std::string Guard() const { return stem_path_ + "break"; }
  // The part of a directory entry's name behind "x.lock."; empty: the entry
  // has nothing to do with this lock.
  [[nodiscard]] std::string_view Tail(std::string_view entry) const;

 private:
  std::string directory_;  // "/d"
  std::string stem_;       // "x.lock.", shortened if it is too long
  std::string stem_path_;  // "/d/x.lock."
};

// Where a directory is: on a filesystem of this host alone, where a look is
// fresh and inotify tells of every change, or not. Unknown ones count as
// remote. kSmb: Linux's SMB client, remote.
enum class Storage { kRemote, kSmb, kMemory, kDisk };
[[nodiscard]] Storage StorageOf(os::Os& os, const std::string& path);
[[nodiscard]] constexpr bool IsLocal(Storage storage) {
  return storage == Storage::kMemory || storage == Storage::kDisk;
}
[[nodiscard]] inline bool IsLocalFilesystem(os::Os& os,
                                            const std::string& directory) {
  return IsLocal(StorageOf(os, directory));
}

// The tickets for this lock that dead processes left, for its holder: those
// that breakers took away are of no use to anybody then, whoever made them.
// Looks at a bounded number of entries, the oldest first, and asks about a few
// living processes at most.
[[nodiscard]] std::vector<std::string> FindDeadTickets(os::Os& os,
                                                       const LockNames& names);
void RemoveTickets(os::Os& os, const LockNames& names,
                   const std::vector<std::string>& tickets);

}  // namespace lockfile

#endif  // LOCKLAB_LIB_BACKENDS_NAMING_H_
