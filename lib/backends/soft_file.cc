#include "lib/backends/soft_file.h"

#include <fcntl.h>

#include <cerrno>
#include <vector>

#include "lib/backends/record_file.h"

namespace lockfile {
namespace {

constexpr size_t kMaxEntries = 65536;  // of the directory, to find tickets
constexpr int kVanishings = 3;         // in a row: the filesystem lies

std::string FileVersion(const os::FileInfo& info) {
  return std::to_string(info.dev) + ":" + std::to_string(info.ino) + ":" +
         std::to_string(info.mtime_ns) + ":" + std::to_string(info.size) + ":";
}

// Whether after this errno of reading a lock it is not ours, as its number
// said. Others say that it cannot be told now. EINVAL is SMB's where the client
// knows by their number that two names are of one file: then the number is
// right.
bool SaysWhose(int error) {
  return error == ENOENT || error == EACCES || error == EPERM ||
         error == ELOOP || error == ENOTSUP || error == EISDIR ||
         error == ENXIO || error == ENOTDIR || error == EINVAL;
}

}  // namespace

bool HasNoLinks(int error) {
  return error == EPERM || error == ENOTSUP || error == ENOSYS ||
         error == EMLINK;
}

SoftFile::SoftFile(os::Os& os, const std::string& lock_path,
                   const Options& options)
    : Backend(os, lock_path, options),
      names_(lock_path),
      storage_(StorageOf(os, names_.directory())),
      local_(IsLocal(storage_)),
      guard_(os, names_.Guard(), names_, options, DirCell::Peers::kOursOnly) {}

Status SoftFile::Lost() const {
  return Status::Make(Errc::kLockLost,
                      lock_path_ + " was broken or removed while it was held");
}

Status SoftFile::PlaceFailed(int error) {
  return Status::Failed("create the lock", lock_path_, error);
}

Status SoftFile::TryTake(const Hold& hold, Take* take) {
  *take = Take::kHeld;
  os::FileInfo info;
  // A waiter looks before it builds. On a network filesystem a look may be
  // seconds old; there only the attempt itself tells.
  if (local_ && hold.look_first && os_.Lstat(lock_path_.c_str(), &info).ok()) {
    return Status::Ok();
  }
  const std::string ticket = names_.Ticket(hold.ticket);
  const bool kept = hold.prepared;
  Status status = kept ? Status::Ok() : Announce(hold, ticket);
  if (!status.ok()) return status;
  hold.prepared = true;
  int error = Place(hold, ticket);
  // The directory is there, since the ticket is: SMB keeps the name of a
  // removed file until its last reader has closed it, and shows it to nobody.
  if (error == ENOENT && !local_ && os_.Lstat(ticket.c_str(), &info).ok()) {
    error = EEXIST;
  }
  if (error == ENOENT && kept) {
    // Somebody cleared our ticket away while we waited: begin anew. What stands
    // there may bear its inode number by now, and is not ours.
    hold.prepared = false;
    hold.spent = true;
    return Status::Ok();
  }
  // The reply may have been lost and the request repeated, or it may lie: what
  // is there decides.
  bool mine = false;
  const int looked = error == EEXIST ? IsMine(hold, &mine) : Owns(hold, &mine);
  if (mine) {
    *take = Take::kTaken;
    ticket_used_.store(false);
    vanished_.store(0);
    return Status::Ok();
  }
  if (error == EEXIST) hold.look_first = true;
  if (error == EEXIST && KeepsTicket()) return Status::Ok();
  if (error == 0) return Unseen(hold, looked);
  if (error == EEXIST && hold.queued) {
    StepBack(hold, ticket);
    return Status::Ok();
  }
  GiveUp(hold);
  return error == EEXIST ? Status::Ok() : PlaceFailed(error);
}

Status SoftFile::Queue(const Hold& hold) {
  if (hold.prepared || hold.queued) return Status::Ok();
  if (KeepsTicket()) {
    Status status = MakeTicket(hold, names_.Ticket(hold.ticket));
    hold.prepared = status.ok();
    return status;
  }
  Status status = WriteRecordFile(os_, names_.Waiting(hold.ticket),
                                  hold.record + "\n", mode_, nullptr);
  hold.queued = status.ok();
  return status;
}

// The ticket is the file by which it waits, so that who watches that goes on to
// watch the ticket.
Status SoftFile::Announce(const Hold& hold, const std::string& ticket) {
  if (hold.queued) {
    const std::string waiting = names_.Waiting(hold.ticket);
    if (os_.Rename(waiting.c_str(), ticket.c_str()).ok()) return Status::Ok();
    os_.Unlink(waiting.c_str());
  }
  return MakeTicket(hold, ticket);
}

void SoftFile::StepBack(const Hold& hold, const std::string& ticket) {
  const std::string waiting = names_.Waiting(hold.ticket);
  if (os_.Rename(ticket.c_str(), waiting.c_str()).ok()) {
    hold.prepared = false;
  } else {
    GiveUp(hold);
  }
}

// After a placing that was reported done, and is not seen.
Status SoftFile::Unseen(const Hold& hold, int looked) {
  hold.prepared = false;
  const std::string ticket = names_.Ticket(hold.ticket);
  const int used = os_.Unlink(ticket.c_str()).error;
  if (looked != 0) {
    // It is there, then, and nobody but us would ever remove it.
    if (used == 0) os_.Unlink(lock_path_.c_str());
    return Status::Failed("look at", lock_path_, looked);
  }
  os_.Unlink(names_.Broken(hold.ticket).c_str());  // of a breaker that died
  hold.spent = true;
  if (vanished_.fetch_add(1) + 1 < kVanishings) return Status::Ok();
  return Status::Make(Errc::kLockFailed,
                      "the creation of " + lock_path_ +
                          " was reported done, but its effect is not there",
                      EIO);
}

void SoftFile::GiveUp(const Hold& hold) {
  if (hold.prepared) os_.Unlink(names_.Ticket(hold.ticket).c_str());
  if (hold.queued) os_.Unlink(names_.Waiting(hold.ticket).c_str());
  hold.prepared = false;
  hold.queued = false;
}

Status SoftFile::Release(const Hold& hold) {
  const std::string ticket = names_.Ticket(hold.ticket);
  bool mine = false;
  const int looked = Owns(hold, &mine);
  if (looked != 0) return Status::Failed("look at", lock_path_, looked);
  if (!mine && ticket_used_.load()) return Status::Ok();  // by us, last time
  if (!mine) {
    os_.Unlink(ticket.c_str());
    os_.Unlink(names_.Broken(hold.ticket).c_str());  // of a breaker that died
    return Lost();
  }
  if (!ticket_used_.load()) {
    const int error = os_.Unlink(ticket.c_str()).error;
    if (error != 0 && error != ENOENT) {
      return Status::Failed("remove", ticket, error);
    }
    bool ours = error == 0;
    const Status status = ours ? Status::Ok() : IsRightOurs(hold, &ours);
    if (!status.ok()) return status;
    if (!ours) return Lost();
    ticket_used_.store(true);
  }
  const int error = os_.Unlink(lock_path_.c_str()).error;
  if (error != 0 && error != ENOENT) {
    return Status::Failed("remove", lock_path_, error);
  }
  return Status::Ok();
}

// A breaker renames the ticket away, removes the lock, then the renamed ticket.
// So if that is not there and then the lock is still ours, no breaker was at
// it: the ticket was removed by a call of ours whose reply was lost.
Status SoftFile::IsRightOurs(const Hold& hold, bool* ours) {
  os::FileInfo info;
  const std::string broken = names_.Broken(hold.ticket);
  const int error = os_.Lstat(broken.c_str(), &info).error;
  if (error != 0 && error != ENOENT) {
    return Status::Failed("look at", broken, error);
  }
  // By its token: the number of its inode may be a successor's by now.
  Sight sight;
  const Status status = Look(&sight);
  if (!status.ok()) return status;
  const bool there =
      sight.owner.has_value() && sight.owner->token == hold.token;
  *ours = there && error == ENOENT;
  if (!there) os_.Unlink(broken.c_str());
  return status;
}

Status SoftFile::StillMine(const Hold& hold, bool* mine) {
  const int looked = Owns(hold, mine);
  if (looked != 0) return Status::Failed("look at", lock_path_, looked);
  if (!*mine) return Status::Ok();
  os::FileInfo info;
  const std::string ticket = names_.Ticket(hold.ticket);
  const int error = os_.Lstat(ticket.c_str(), &info).error;
  if (error != 0 && error != ENOENT) {
    return Status::Failed("look at", ticket, error);
  }
  *mine = error == 0;
  return Status::Ok();
}

int SoftFile::ReadLock(std::string* text, os::FileInfo* info,
                       std::string* note) {
  const int error = ReadRecordFile(os_, lock_path_, text, info);
  if (error == 0 || error == ENOENT) return error;
  if (error == ELOOP) {
    *note = "a symbolic link is in its place, which is not followed";
  } else if (error == ENOTSUP) {
    *note = "something that is no regular file is in its place";
  } else {
    *note = "it cannot be read (" + ErrnoName(error) + ")";
  }
  // It is there, then, as long as it can be looked at.
  return os_.Lstat(lock_path_.c_str(), info).error;
}

int SoftFile::ReadText(const std::string& path, std::string* text) {
  return ReadRecordFile(os_, path, text, nullptr);
}

std::optional<Owner> SoftFile::Parse(const std::string& text) const {
  return ParseRecord(text);
}

Status SoftFile::Look(Sight* sight) {
  *sight = Sight{};
  std::string text;
  os::FileInfo info;
  const int error = ReadLock(&text, &info, &sight->note);
  if (error == ENOENT) return Status::Ok();
  if (error != 0) return Status::Failed("look at", lock_path_, error);
  sight->held = true;
  sight->owner = Parse(text);
  sight->version = FileVersion(info) + text;
  if (sight->owner.has_value()) {
    const std::string ticket = TicketName(*sight->owner);
    sight->half_broken = os_.Lstat(names_.Broken(ticket).c_str(), &info).ok();
    return Status::Ok();
  }
  if (sight->note.empty() && MayBeHalfMade(text, info)) {
    sight->ownerless = Ownerless::kByProof;
  }
  if (sight->note.empty()) {
    sight->note = text.empty() ? "the lock file is empty"
                               : "its record is not one of ours";
  }
  return Status::Ok();
}

Status SoftFile::TakeGuard(const Hold& hold, bool* taken) {
  *taken = false;
  Status status;
  for (int attempt = 0; attempt < 3 && status.ok(); ++attempt) {
    Take take = Take::kHeld;
    status = guard_.TryTake(hold, &take);
    *taken = take == Take::kTaken;
    if (!status.ok() || *taken) return status;
    Sight sight;
    status = guard_.Look(&sight);
    if (!status.ok()) break;
    if (!sight.held) continue;
    const bool dead = sight.owner.has_value() &&
                      JudgeLife(os_, *sight.owner).life == Life::kDead;
    if (!dead && sight.ownerless != Ownerless::kByProof) break;
    Broke broke = Broke::kBusy;  // changed or broken: both are worth a try
    status = guard_.Break(
        sight, dead ? BreakReason::kHolderIsDead : BreakReason::kOwnerless,
        &broke);
  }
  guard_.GiveUp(hold);
  return status;
}

Status SoftFile::Break(const Sight& seen, BreakReason reason, Broke* broke) {
  *broke = Broke::kBusy;
  Owner me;
  Status status = MakeOwner(os_, &me);
  if (!status.ok()) return status;
  const Hold hold = MakeHold(me);
  bool taken = false;
  status = TakeGuard(hold, &taken);
  if (!status.ok() || !taken) return status;
  status = BreakUnderGuard(seen, reason, broke);
  const Status released = guard_.Release(hold);
  return status.ok() ? released : status;
}

Status SoftFile::BreakUnderGuard(const Sight& seen, BreakReason reason,
                                 Broke* broke) {
  Sight now;
  *broke = Broke::kChanged;
  Status status = Look(&now);
  if (!status.ok() || !now.held || now.version != seen.version) return status;
  bool gained = false;
  status = GainRight(seen, reason, &gained);
  if (!status.ok()) return status;
  if (!gained) {
    *broke = Broke::kBusy;
    return status;
  }
  const int error = os_.Unlink(lock_path_.c_str()).error;
  if (error != 0 && error != ENOENT) {
    return Status::Failed("remove", lock_path_, error);
  }
  *broke = Broke::kBroken;
  if (seen.owner.has_value()) {
    const std::string ticket = TicketName(*seen.owner);
    if (reason == BreakReason::kHolderIsDead) {
      os_.Unlink(names_.Ticket(ticket).c_str());
    }
    os_.Unlink(names_.Broken(ticket).c_str());
  }
  return Status::Ok();
}

Status SoftFile::GainRight(const Sight& seen, BreakReason reason,
                           bool* gained) {
  *gained = true;
  if (seen.ownerless == Ownerless::kByProof) {
    return GainFromCreators(reason, gained);
  }
  // A foreign lock has no ticket: nothing can be better than what was seen.
  const bool proven = reason == BreakReason::kHolderIsDead && local_;
  if (proven || !seen.owner.has_value()) return Status::Ok();
  const std::string name = TicketName(*seen.owner);
  const std::string ticket = names_.Ticket(name);
  const std::string broken = names_.Broken(name);
  const int error = os_.Rename(ticket.c_str(), broken.c_str()).error;
  if (error == 0) return Status::Ok();
  if (error != ENOENT) return Status::Failed("take away", ticket, error);
  // Used: by a breaker that died, by a holder that died, or by a holder that
  // is about to remove the lock itself.
  os::FileInfo info;
  *gained = os_.Lstat(broken.c_str(), &info).ok();
  if (*gained && local_) return Status::Ok();
  const bool dead = reason == BreakReason::kHolderIsDead ||
                    JudgeLife(os_, *seen.owner).life == Life::kDead;
  if (!*gained && !dead) return Status::Ok();
  // It may have died after it had removed the lock: what stands there now?
  if (!local_) return StandsOnServer(seen, gained);
  return StandsThere(seen, gained);
}

Status SoftFile::StandsThere(const Sight& seen, bool* there) {
  Sight now;
  const Status status = Look(&now);
  *there = now.held && now.version == seen.version;
  return status;
}

// Where there are no links, a second look has to do; not on SMB, which says so
// also of a file that is in use.
Status SoftFile::StandsOnServer(const Sight& seen, bool* there) {
  *there = false;
  const std::string ticket = TicketName(*seen.owner);
  const int error = AskServer(ticket, seen.version, there);
  if (HasNoLinks(error)) {
    return storage_ == Storage::kSmb ? Status::Ok() : StandsThere(seen, there);
  }
  return error == 0 ? Status::Ok()
                    : Status::Failed("look at", lock_path_, error);
}

// By a new name of it: under its own a client may show for long what it has
// open or in its cache (SMB: an open handle that is used again). Its text
// tells; where that cannot be had (SMB does not open a second name of a file in
// use), its number, which within a tick of the clock may be a successor's as
// well. Where there are no links, or none to a file of another user's,
// HasNoLinks.
int SoftFile::AskServer(const std::string& ticket, std::string_view version,
                        bool* there) {
  *there = false;
  const std::string name = names_.Copy(ticket);
  int error = os_.Link(lock_path_.c_str(), name.c_str()).error;
  if (error == EEXIST) {  // a dead one's, or the reply was lost
    const int cleared = os_.Unlink(name.c_str()).error;
    if (cleared != 0 && cleared != ENOENT) return cleared;
    error = os_.Link(lock_path_.c_str(), name.c_str()).error;
  }
  if (error == ENOENT) return 0;
  if (error == 0 || error == EEXIST)
    error = LookAside(name, version, ticket, there);
  os_.Unlink(name.c_str());
  return error;
}

int SoftFile::LookAside(const std::string& name, std::string_view version,
                        const std::string& ticket, bool* there) {
  std::string text;
  const int error = ReadText(name, &text);
  const std::optional<Owner> owner =
      error == 0 ? Parse(text) : std::optional<Owner>();
  if (owner.has_value()) {
    *there = TicketName(*owner) == ticket;
    return 0;
  }
  if (version.empty()) return error;
  os::FileInfo info;
  *there = os_.Lstat(name.c_str(), &info).ok() &&
           version.starts_with(FileVersion(info));
  return 0;
}

int SoftFile::Owns(const Hold& hold, bool* mine) {
  const int error = IsMine(hold, mine);
  if (error != 0 || *mine || local_ || !KnowsByNumber()) return error;
  if (AskServer(hold.ticket, "", mine) == 0) return 0;
  std::string text;
  const int read = ReadText(lock_path_, &text);
  if (read != 0) return SaysWhose(read) ? 0 : read;
  const std::optional<Owner> owner = Parse(text);
  *mine = owner.has_value() && owner->token == hold.token;
  return 0;
}

// The lock may be removed if it is the same file before and after the look for
// its creator, and still half made: then a living creator's ticket was there
// all the time. The open descriptor keeps its inode from being used again.
Status SoftFile::GainFromCreators(BreakReason reason, bool* gained) {
  *gained = false;
  constexpr int kFlags =
      O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  const os::SysResult opened = os_.Open(lock_path_.c_str(), kFlags, 0);
  if (opened.error == ENOENT) return Status::Ok();
  if (!opened.ok()) return Status::Failed("open", lock_path_, opened.error);
  const int fd = static_cast<int>(opened.value);
  os::FileInfo opened_info;
  os::FileInfo info;
  std::string text(kMaxRecord, '\0');
  if (os_.Fstat(fd, &opened_info).ok() && CreatorsAreDead(reason)) {
    const os::SysResult read = os_.ReadStart(fd, text.data(), text.size());
    text.resize(read.ok() ? static_cast<size_t>(read.value) : 0);
    *gained = read.ok() && !Parse(text).has_value() &&
              MayBeHalfMade(text, opened_info) &&
              os_.Lstat(lock_path_.c_str(), &info).ok() &&
              info.SameFile(opened_info);
  }
  os_.Close(fd);
  return Status::Ok();
}

bool SoftFile::ListTickets(std::vector<std::string>* tails) {
  std::vector<std::string> entries;
  if (!os_.ListDir(names_.directory().c_str(), kMaxEntries, &entries).ok() ||
      entries.size() == kMaxEntries) {
    return false;
  }
  for (const std::string& entry : entries) {
    const std::string_view tail = names_.Tail(entry);
    if (!tail.empty()) tails->emplace_back(tail);
  }
  return true;
}

Status SoftFile::Refresh(const Hold& hold) {
  bool mine = false;
  const Status status = StillMine(hold, &mine);
  if (!status.ok()) return status;
  if (!mine) return Lost();
  const int error = os_.Touch(lock_path_.c_str()).error;
  if (error == ENOENT) return Lost();
  return error == 0 ? Status::Ok()
                    : Status::Failed("refresh", lock_path_, error);
}

void SoftFile::CollectLitter(const Hold& hold) {
  std::vector<std::string> tickets = FindDeadTickets(os_, names_);
  // Of our own it says that the lock is being broken, whatever a cache shows.
  std::erase(tickets, hold.ticket + std::string(kBroken));
  // A dead creator's ticket is the proof that its half-made lock is nobody's.
  // As long as the lock is ours there is none, and the dead will not make one.
  bool mine = false;
  if (!tickets.empty() && StillMine(hold, &mine).ok() && mine) {
    RemoveTickets(os_, names_, tickets);
  }
  // A breaker may have died before it had cleared its guard away.
  Sight sight;
  if (!guard_.Look(&sight).ok() || !sight.held) return;
  const bool dead = sight.owner.has_value() &&
                    JudgeLife(os_, *sight.owner).life == Life::kDead;
  if (!dead && sight.ownerless == Ownerless::kNo) return;
  Broke broke = Broke::kBusy;
  (void)guard_.Break(
      sight, dead ? BreakReason::kHolderIsDead : BreakReason::kOwnerless,
      &broke);
}

}  // namespace lockfile
