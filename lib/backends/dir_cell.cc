#include "lib/backends/dir_cell.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "lib/backends/record_file.h"

namespace lockfile {
namespace {

constexpr size_t kMaxEntries = 256;  // of a lock directory that are looked at
constexpr int kLooks = 4;            // until a moving target stands still
constexpr int kVanishings = 3;       // in a row: the filesystem lies

// The errno values by which rename says that something is in the place.
bool IsOccupied(int error) {
  return error == EEXIST || error == ENOTEMPTY || error == ENOTDIR ||
         error == EISDIR;
}

bool IsNotToBeHad(int error) {
  return error == EINVAL || error == ENOSYS || error == ENOTSUP;
}

// The entry of a holder that is Python's lockfile: HOST.[-THREAD]PID, where the
// thread is hexadecimal.
bool IsForeignOwner(std::string_view entry) {
  const size_t dot = entry.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return false;
  entry.remove_prefix(dot + 1);
  if (entry.starts_with('-')) entry.remove_prefix(1);
  return !entry.empty() && std::ranges::all_of(entry, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

bool IsOurOwner(std::string_view entry) {
  return ParseTicket(entry).has_value();
}

bool IsOwner(std::string_view entry) {
  return IsOurOwner(entry) || IsForeignOwner(entry);
}

// A directory must be searchable for whom it is to be readable.
mode_t DirMode(mode_t mode) { return mode | ((mode & 0444) >> 2) | 0700; }

}  // namespace

DirCell::DirCell(os::Os& os, const std::string& lock_path, LockNames aside,
                 const Options& options, Peers peers)
    : Backend(os, lock_path, options),
      names_(std::move(aside)),
      storage_(StorageOf(os, names_.directory())),
      local_(IsLocal(storage_)),
      dir_mode_(options.mode.has_value() ? DirMode(*options.mode) : 0777),
      replaces_(peers == Peers::kOursOnly) {}

Status DirCell::Prepare(const Hold& hold, const std::string& aside) {
  const os::SysResult made = os_.MakeDir(aside.c_str(), dir_mode_);
  // Nobody else uses this name: if it is there whatever was reported (EEXIST,
  // EIO), the reply was lost, and it was made for us.
  os::FileInfo info;
  if (!made.ok() && made.error != EEXIST &&
      !os_.Lstat(aside.c_str(), &info).ok()) {
    return Status::Failed("create the lock directory", aside, made.error);
  }
  const Status wrote = WriteRecordFile(os_, aside + "/" + hold.ticket,
                                       hold.record + "\n", mode_, nullptr);
  if (!wrote.ok()) Discard(hold, aside);
  return wrote;
}

void DirCell::Discard(const Hold& hold, const std::string& aside) {
  os_.Unlink((aside + "/" + hold.ticket).c_str());
  os_.RemoveDir(aside.c_str());
}

// SMB says EACCES for a directory in which somebody has a file open: the one
// in the place, or ours that was closed just now. We may write here, or there
// would be nothing to put into the place.
int DirCell::Place(const std::string& aside) {
  int error = 0;
  for (int attempt = 0; attempt < kLooks; ++attempt) {
    error = PlaceOnce(aside);
    if (local_ || error != EACCES) return error;
    os::FileInfo info;
    if (os_.Lstat(lock_path_.c_str(), &info).ok()) return EEXIST;
  }
  return error;
}

int DirCell::PlaceOnce(const std::string& aside) {
  if (!replaces_) {
    const int error =
        os_.RenameNoReplace(aside.c_str(), lock_path_.c_str()).error;
    if (!IsNotToBeHad(error)) return error;
    // This filesystem cannot: leave at least those empty directories alone
    // that are there already, for the sake of foreign creators.
    std::vector<std::string> entries;
    if (os_.ListDir(lock_path_.c_str(), 1, &entries).ok()) return EEXIST;
  }
  return os_.Rename(aside.c_str(), lock_path_.c_str()).error;
}

bool DirCell::SeemsHeld() {
  os::FileInfo info;
  if (!os_.Lstat(lock_path_.c_str(), &info).ok()) return false;
  if (!replaces_) return true;
  std::vector<std::string> entries;  // an empty one is there to be replaced
  os_.ListDir(lock_path_.c_str(), 1, &entries);
  return !entries.empty();
}

Status DirCell::TryTake(const Hold& hold, Take* take) {
  *take = Take::kHeld;
  os::FileInfo info;
  // A waiter looks before it builds. On a network filesystem a look may be
  // seconds old; there only the attempt itself tells.
  if (local_ && hold.look_first && SeemsHeld()) return Status::Ok();
  const std::string aside = names_.Ticket(hold.ticket);
  const bool kept = hold.prepared;
  Status status = kept ? Status::Ok() : Prepare(hold, aside);
  if (!status.ok()) return status;
  hold.prepared = true;
  const int error = Place(aside);
  // Whatever the reply said: if our entry is in the place, the lock is ours.
  const std::string entry = lock_path_ + "/" + hold.ticket;
  const int looked = os_.Lstat(entry.c_str(), &info).error;
  if (looked == 0) {
    *take = Take::kTaken;
    vanished_.store(0);
    return Status::Ok();
  }
  if (IsOccupied(error)) {
    hold.look_first = true;
    return Status::Ok();
  }
  GiveUp(hold);
  if (error == ENOENT && kept) {
    // Somebody cleared away what we had prepared: begin anew.
    hold.spent = true;
    return Status::Ok();
  }
  return Unseen(hold, error, looked);
}

// After a try whose effect was looked for and not found.
Status DirCell::Unseen(const Hold& hold, int placed, int looked) {
  if (looked != ENOENT && looked != ENOTDIR) {
    // It may be there all the same: nobody but us would ever remove it.
    (void)TakeOutMine(hold);
    return Status::Failed("look at", lock_path_, looked);
  }
  if (placed != 0) {
    return Status::Failed("create the lock directory", lock_path_, placed);
  }
  hold.spent = true;  // broken already
  ClearBroken(hold);
  if (vanished_.fetch_add(1) + 1 < kVanishings) return Status::Ok();
  return Status::Make(Errc::kLockFailed,
                      "the rename to " + lock_path_ +
                          " was reported done, but its effect is not there",
                      EIO);
}

Status DirCell::Queue(const Hold& hold) {
  if (hold.prepared) return Status::Ok();
  Status status = Prepare(hold, names_.Ticket(hold.ticket));
  hold.prepared = status.ok();
  return status;
}

void DirCell::GiveUp(const Hold& hold) {
  if (hold.prepared) Discard(hold, names_.Ticket(hold.ticket));
  hold.prepared = false;
}

// NFS keeps a file that somebody on this host has open (who reads the record)
// as .nfsXXXX where it was, and the directory could not be removed: so there
// the entry goes to `aside` first, a name that only who does this uses.
int DirCell::TakeOut(const std::string& entry, const std::string& aside) {
  if (local_) return os_.Unlink(entry.c_str()).error;
  const int moved = os_.Rename(entry.c_str(), aside.c_str()).error;
  const int gone = os_.Unlink(aside.c_str()).error;
  // Whatever the reply said: if it was there, it was we who moved it.
  if (moved == 0 || gone == 0) return 0;
  return moved == ENOENT ? ENOENT : os_.Unlink(entry.c_str()).error;
}

// A breaker that died in the middle of that has left our entry.
void DirCell::ClearBroken(const Hold& hold) {
  if (!local_) os_.Unlink(names_.Broken(hold.ticket).c_str());
}

// Whoever lets go of a removed directory last gives back its blocks, which may
// take a disk longer than all the rest. While rmdir does that, nobody gets
// another directory into the place; so it is left to the close.
Status DirCell::Release(const Hold& hold) {
  if (replaces_ || storage_ != Storage::kDisk) return TakeOutMine(hold);
  constexpr int kFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  const os::SysResult opened = os_.Open(lock_path_.c_str(), kFlags, 0);
  Status status = TakeOutMine(hold);
  if (opened.ok()) os_.Close(static_cast<int>(opened.value));
  return status;
}

Status DirCell::TakeOutMine(const Hold& hold) {
  const std::string entry = lock_path_ + "/" + hold.ticket;
  const int gone = TakeOut(entry, names_.Ticket(hold.ticket));
  if (gone == ENOENT || gone == ENOTDIR) {
    ClearBroken(hold);
    return Status::Make(Errc::kLockLost, lock_path_ +
                                             " was broken or removed while it "
                                             "was held");
  }
  if (gone != 0) return Status::Failed("remove", entry, gone);
  return RemoveOwnerless(names_.Ticket(hold.ticket));
}

Status DirCell::RemoveOwnerless(const std::string& aside) {
  for (int attempt = 0;; ++attempt) {
    const int error = os_.RemoveDir(lock_path_.c_str()).error;
    if (error == 0 || error == ENOENT || error == ENOTDIR) {
      return Status::Ok();
    }
    if (error != ENOTEMPTY && error != EEXIST) {
      return Status::Failed("remove the lock directory", lock_path_, error);
    }
    std::vector<std::string> entries;
    os_.ListDir(lock_path_.c_str(), kMaxEntries, &entries);
    if (std::ranges::any_of(entries, IsOwner)) return Status::Ok();  // theirs
    if (attempt == kLooks) {
      return Status::Failed("empty the lock directory", lock_path_, error);
    }
    MoveStrangersOut(aside);
  }
}

// Only what is not named like an owner is touched: this can never hit a lock.
void DirCell::MoveStrangersOut(const std::string& aside) {
  std::vector<std::string> entries;
  os_.ListDir(lock_path_.c_str(), kMaxEntries, &entries);
  for (const std::string& entry : entries) {
    if (IsOwner(entry)) continue;
    const std::string path = lock_path_ + "/" + entry;
    if (os_.Unlink(path.c_str()).ok()) continue;
    if (os_.RemoveDir(path.c_str()).ok()) continue;
    // A directory with something in it: set it aside, whoever it belongs to.
    os_.Rename(path.c_str(), (aside + "." + entry).c_str());
  }
}

Status DirCell::StillMine(const Hold& hold, bool* mine) {
  *mine = false;
  os::FileInfo info;
  const std::string entry = lock_path_ + "/" + hold.ticket;
  const os::SysResult found = os_.Lstat(entry.c_str(), &info);
  if (found.error == ENOENT || found.error == ENOTDIR) return Status::Ok();
  if (!found.ok()) return Status::Failed("look at", entry, found.error);
  *mine = true;
  return Status::Ok();
}

Status DirCell::Look(Sight* sight) {
  for (int attempt = 0; attempt < kLooks; ++attempt) {
    *sight = Sight{};
    std::vector<std::string> entries;
    const os::SysResult listed =
        os_.ListDir(lock_path_.c_str(), kMaxEntries, &entries);
    if (listed.error == ENOENT) return Status::Ok();
    sight->held = true;
    if (listed.error == ENOTDIR || listed.error == ELOOP) {
      sight->note = "something that is no directory is in its place";
      return Status::Ok();
    }
    os::FileInfo info;
    if (!listed.ok()) {
      const int error = os_.Lstat(lock_path_.c_str(), &info).error;
      if (error == ENOENT) *sight = Sight{};
      if (error == ENOENT) return Status::Ok();
      if (error != 0) return Status::Failed("look at", lock_path_, error);
      sight->note = "it cannot be read (" + ErrnoName(listed.error) + ")";
      return Status::Ok();
    }
    bool again = false;
    Status status = LookInside(entries, sight, &again);
    if (!again) return status;
  }
  return Status::Ok();  // held by ever new holders
}

Status DirCell::LookInside(const std::vector<std::string>& entries,
                           Sight* sight, bool* again) {
  os::FileInfo info;
  if (!os_.Lstat(lock_path_.c_str(), &info).ok()) {
    *again = true;
    return Status::Ok();
  }
  sight->version = std::to_string(info.ino);
  for (const std::string& entry : entries) sight->version += "/" + entry;
  sight->version += "/";
  if (entries.empty()) {
    // Inode numbers are used again: the time tells a new directory.
    sight->version += "@" + std::to_string(info.mtime_ns);
    sight->ownerless = Ownerless::kAfterGrace;
    sight->note = "the lock directory is empty";
    return Status::Ok();
  }
  const auto holder = std::ranges::find_if(entries, IsOurOwner);
  if (holder == entries.end()) {
    sight->note = "its holder left no record (a foreign program)";
    return Status::Ok();
  }
  std::string text;
  const int error =
      ReadRecordFile(os_, lock_path_ + "/" + *holder, &text, &info);
  *again = error == ENOENT;
  sight->version += "@" + std::to_string(info.mtime_ns);
  sight->owner = error == 0 ? ParseRecord(text) : std::nullopt;
  if (sight->owner.has_value() && TicketName(*sight->owner) != *holder) {
    sight->owner.reset();
  }
  if (sight->owner.has_value()) return Status::Ok();
  sight->note = "its record cannot be read";
  // Its text may not have reached the disk when the power failed.
  if (JudgeTicket(os_, *holder) == Life::kDead) {
    sight->ownerless = Ownerless::kByProof;
  }
  return Status::Ok();
}

Status DirCell::Break(const Sight& seen, BreakReason reason, Broke* broke) {
  Sight now;
  *broke = Broke::kChanged;
  const Status looked = Look(&now);
  if (!looked.ok()) return looked;
  if (!now.held || now.version != seen.version) return Status::Ok();
  if (now.version.empty()) {
    return Status::Make(Errc::kLockFailed,
                        "cannot break " + lock_path_ + ": " + now.note,
                        ENOTDIR);
  }
  std::string aside = lock_path_ + ".strangers";
  if (seen.owner.has_value()) {
    const std::string ticket = TicketName(*seen.owner);
    aside = names_.Ticket(ticket);
    const std::string entry = lock_path_ + "/" + ticket;
    const int gone = TakeOut(entry, names_.Broken(ticket));
    if (gone == ENOENT) return Status::Ok();
    if (gone != 0) return Status::Failed("remove", entry, gone);
  } else if (reason == BreakReason::kAsked) {
    // A foreign or unreadable lock: what was seen in it goes, as in Python.
    std::vector<std::string> entries;
    os_.ListDir(lock_path_.c_str(), kMaxEntries, &entries);
    for (const std::string& entry : entries) {
      if (seen.version.find("/" + entry + "/") == std::string::npos) continue;
      os_.Unlink((lock_path_ + "/" + entry).c_str());
    }
  }
  if (seen.ownerless == Ownerless::kByProof) return BreakUnreadable(broke);
  if (reason == BreakReason::kOwnerless) {
    // Empty or not at all: rmdir compares by itself.
    const int error = os_.RemoveDir(lock_path_.c_str()).error;
    if (error == 0) *broke = Broke::kBroken;
    return Status::Ok();
  }
  *broke = Broke::kBroken;
  return RemoveOwnerless(aside);
}

// An entry is named for one hold alone: nobody makes it again.
Status DirCell::BreakUnreadable(Broke* broke) {
  std::vector<std::string> entries;
  os_.ListDir(lock_path_.c_str(), kMaxEntries, &entries);
  for (const std::string& entry : entries) {
    if (JudgeTicket(os_, entry) != Life::kDead) continue;
    const std::string path = lock_path_ + "/" + entry;
    const int gone = TakeOut(path, names_.Broken(entry));
    if (gone != 0 && gone != ENOENT) {
      return Status::Failed("remove", path, gone);
    }
    *broke = Broke::kBroken;
  }
  return RemoveOwnerless(lock_path_ + ".strangers");
}

Status DirCell::Refresh(const Hold& hold) {
  const std::string entry = lock_path_ + "/" + hold.ticket;
  const os::SysResult touched = os_.Touch(entry.c_str());
  if (touched.error == ENOENT || touched.error == ENOTDIR) {
    return Status::Make(Errc::kLockLost, lock_path_ + " was broken");
  }
  if (!touched.ok()) return Status::Failed("refresh", entry, touched.error);
  return Status::Ok();
}

void DirCell::CollectLitter(const Hold& hold) {
  (void)hold;
  RemoveTickets(os_, names_, FindDeadTickets(os_, names_));
}

}  // namespace lockfile
