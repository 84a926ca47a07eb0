#include "lib/backends/soft_file.h"

#include <cerrno>
#include <vector>

#include "lib/backends/record_file.h"

namespace lockfile {
namespace {

constexpr size_t kMaxEntries = 65536;  // of the directory, to find tickets

}  // namespace

SoftFile::SoftFile(os::Os& os, const std::string& lock_path,
                   const Options& options)
    : Backend(os, lock_path, options),
      names_(lock_path),
      local_(IsLocalFilesystem(os, names_.directory())),
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
  Status status = kept ? Status::Ok() : MakeTicket(hold, ticket);
  if (!status.ok()) return status;
  hold.prepared = true;
  const int error = Place(hold, ticket);
  // The reply may have been lost and the request repeated, or it may lie: what
  // is there decides.
  bool mine = false;
  const int looked = IsMine(hold, &mine);
  if (mine) {
    *take = Take::kTaken;
    ticket_used_.store(false);
    return Status::Ok();
  }
  if (error == EEXIST) hold.look_first = true;
  if (error == EEXIST && KeepsTicket()) return Status::Ok();
  GiveUp(hold);
  if (error == EEXIST) return Status::Ok();
  // Somebody cleared our ticket away while we waited: make it anew.
  if (error == ENOENT && kept) return TryTake(hold, take);
  if (error != 0) return PlaceFailed(error);
  if (looked != 0) return Status::Failed("look at", lock_path_, looked);
  return Status::Make(Errc::kLockFailed,
                      "the creation of " + lock_path_ +
                          " was reported done, but its effect is not there",
                      EIO);
}

void SoftFile::GiveUp(const Hold& hold) {
  if (hold.prepared) os_.Unlink(names_.Ticket(hold.ticket).c_str());
  hold.prepared = false;
}

Status SoftFile::Release(const Hold& hold) {
  const std::string ticket = names_.Ticket(hold.ticket);
  bool mine = false;
  const int looked = IsMine(hold, &mine);
  if (looked != 0) return Status::Failed("look at", lock_path_, looked);
  if (!mine) {
    os_.Unlink(ticket.c_str());
    return Lost();
  }
  if (!ticket_used_.load()) {
    const int error = os_.Unlink(ticket.c_str()).error;
    if (error == ENOENT) return Lost();
    if (error != 0) return Status::Failed("remove", ticket, error);
    ticket_used_.store(true);
  }
  const int error = os_.Unlink(lock_path_.c_str()).error;
  if (error != 0 && error != ENOENT) {
    return Status::Failed("remove", lock_path_, error);
  }
  return Status::Ok();
}

Status SoftFile::StillMine(const Hold& hold, bool* mine) {
  const int looked = IsMine(hold, mine);
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
  return os_.Lstat(lock_path_.c_str(), info).ok() ? 0 : error;
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
  sight->version = std::to_string(info.dev) + ":" + std::to_string(info.ino) +
                   ":" + std::to_string(info.mtime_ns) + ":" +
                   std::to_string(info.size) + ":" + text;
  if (sight->owner.has_value()) return Status::Ok();
  if (sight->note.empty() && MayBeHalfMade(text)) {
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
    if (!sight.owner.has_value() ||
        JudgeLife(os_, *sight.owner).life != Life::kDead) {
      break;
    }
    Broke broke = Broke::kBusy;  // changed or broken: both are worth a try
    status = guard_.Break(sight, BreakReason::kHolderIsDead, &broke);
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
    os_.Unlink(names_.Ticket(ticket).c_str());
    os_.Unlink(names_.Broken(ticket).c_str());
  }
  return Status::Ok();
}

Status SoftFile::GainRight(const Sight& seen, BreakReason reason,
                           bool* gained) {
  *gained = true;
  if (reason == BreakReason::kOwnerless) {
    *gained = CreatorsAreDead();
    return Status::Ok();
  }
  // A foreign lock has no ticket: nothing can be better than what was seen.
  if (reason == BreakReason::kHolderIsDead || !seen.owner.has_value()) {
    return Status::Ok();
  }
  const std::string name = TicketName(*seen.owner);
  const std::string ticket = names_.Ticket(name);
  const std::string broken = names_.Broken(name);
  const int error = os_.Rename(ticket.c_str(), broken.c_str()).error;
  if (error == 0) return Status::Ok();
  if (error != ENOENT) return Status::Failed("take away", ticket, error);
  // Used: by a breaker that died, by a holder that died, or by a holder that
  // is about to remove the lock itself.
  os::FileInfo info;
  *gained = os_.Lstat(broken.c_str(), &info).ok() ||
            JudgeLife(os_, *seen.owner).life == Life::kDead;
  return Status::Ok();
}

// A lock without a record was made by one who had made its ticket before. It
// is a dead one's if there is such a ticket of a dead process, and no other.
bool SoftFile::CreatorsAreDead() {
  std::vector<std::string> entries;
  if (!os_.ListDir(names_.directory().c_str(), kMaxEntries, &entries).ok()) {
    return false;
  }
  bool any_dead = false;
  for (const std::string& entry : entries) {
    const std::string_view tail = names_.Tail(entry);
    if (tail.empty()) continue;
    const std::optional<Life> life = JudgeTicket(os_, tail);
    if (life == Life::kAlive || life == Life::kUnknown) return false;
    any_dead = any_dead || life == Life::kDead;
  }
  return any_dead;
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

void SoftFile::CollectLitter() {
  CollectDeadTickets(os_, names_);
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
