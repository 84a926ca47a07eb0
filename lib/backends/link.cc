// link: a private file, the ticket, is hard-linked to PATH.lock.
//
// Mechanism: link(2) fails if the name exists, on every filesystem that has
// hard links and over every version of NFS. The lock appears with its owner's
// record in it, at once and whole.
// Needs: hard links.
// Weaknesses: two names a lock. Not on FAT, some FUSE and SMB servers.
//
// pid: the same at PATH itself, with the pid in the first line, as daemons
// keep it. Where there are no hard links, a copy is renamed into place without
// replacing, which tmpfs, ext4, xfs, btrfs, FAT and SMB can do.
//
// When the power fails, both names may be on the disk, and the text not. Then
// the ticket's name tells who has made the file that is the lock.
//
// The link count is not looked at: NFS and some FUSE filesystems cache it or
// make it up. Ticket and lock are one inode; that decides. The ticket keeps
// the inode from being used again as long as the lock is held. Where the names
// of a file may have numbers of their own (soft_file.h), the text decides.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "lib/backends/makers.h"
#include "lib/backends/record_file.h"
#include "lib/backends/soft_file.h"

namespace lockfile {
namespace {

class LinkBackend : public SoftFile {
 public:
  LinkBackend(os::Os& os, const std::string& lock_path, const Options& options)
      : SoftFile(os, lock_path, options) {}

 protected:
  [[nodiscard]] virtual std::string Text(const Hold& hold) const {
    return hold.record + "\n";
  }

  Status MakeTicket(const Hold& hold, const std::string& ticket) override {
    return WriteRecordFile(os_, ticket, Text(hold), mode_, &mine_);
  }

  int Place(const Hold& hold, const std::string& ticket) override {
    (void)hold;
    return os_.Link(ticket.c_str(), lock_path_.c_str()).error;
  }

  int IsMine(const Hold& hold, bool* mine) override {
    (void)hold;
    os::FileInfo info;
    const int error = os_.Lstat(lock_path_.c_str(), &info).error;
    *mine = error == 0 && info.SameFile(mine_);
    return error == ENOENT ? 0 : error;
  }

  [[nodiscard]] bool KnowsByNumber() const override { return true; }

  // SMB opens no second name of a file that this host has open under its first,
  // be it because the kernel puts off closing it: EINVAL. The holder's ticket
  // is the first.
  int ReadLock(std::string* text, os::FileInfo* info,
               std::string* note) override {
    const int error = SoftFile::ReadLock(text, info, note);
    if (error != 0 || note->empty() || local_) return error;
    std::vector<std::string> tails;
    ListTickets(&tails);
    for (const std::string& tail : tails) {
      const std::string ticket = names_.Ticket(tail);
      os::FileInfo found;
      if (JudgeTicket(os_, tail).has_value() &&
          os_.Lstat(ticket.c_str(), &found).ok() && found.SameFile(*info) &&
          ReadRecordFile(os_, ticket, text, &found) == 0 &&
          found.SameFile(*info)) {
        *info = found;
        note->clear();
        break;
      }
    }
    return 0;
  }

  // Another's lock may well be an empty file. One that has a second name, which
  // is a dead one's ticket, was put there by the dead. Elsewhere than on a disk
  // of this host what is seen may be old.
  [[nodiscard]] bool MayBeHalfMade(const std::string& text,
                                   const os::FileInfo& info) override {
    (void)text;
    std::vector<std::string> tails;
    if (!local_ || !ListTickets(&tails)) return false;
    return std::ranges::any_of(tails, [&](const std::string& tail) {
      os::FileInfo ticket;
      return JudgeTicket(os_, tail) == Life::kDead &&
             os_.Lstat(names_.Ticket(tail).c_str(), &ticket).ok() &&
             ticket.SameFile(info);
    });
  }

  Status PlaceFailed(int error) override {
    if (!HasNoLinks(error)) return SoftFile::PlaceFailed(error);
    return Status::Make(
        Errc::kUnsupported,
        "the filesystem of " + names_.directory() + " has no hard links (" +
            ErrnoName(error) +
            "); use the mkdir backend, or LockFile without naming one",
        error);
  }

  os::FileInfo mine_;  // the file that is to be, or is, the lock
};

class PidBackend final : public LinkBackend {
 public:
  using LinkBackend::LinkBackend;

 protected:
  [[nodiscard]] std::string Text(const Hold& hold) const override {
    return std::to_string(os_.Pid()) + "\n" + hold.record + "\n";
  }

  int Place(const Hold& hold, const std::string& ticket) override {
    const int error = LinkBackend::Place(hold, ticket);
    if (error == 0) has_links_ = true;
    // SMB says the same of a file that is in use, and renames there without
    // asking whether another client has made the name meanwhile.
    if (has_links_ && error == ENOTSUP) return EEXIST;
    if (!HasNoLinks(error)) return error;
    const std::string copy = names_.Copy(hold.ticket);
    const Status wrote = WriteRecordFile(os_, copy, Text(hold), mode_, &mine_);
    if (!wrote.ok()) return wrote.sys;
    const int placed =
        os_.RenameNoReplace(copy.c_str(), lock_path_.c_str()).error;
    // If the copy was still there to be removed, it is not the lock; its inode
    // number may become another's now.
    if (placed != 0 && os_.Unlink(copy.c_str()).ok()) mine_ = os::FileInfo{};
    return placed;
  }

  std::optional<Owner> Parse(const std::string& text) const override {
    const size_t line = text.find('\n');
    if (line == std::string::npos) return std::nullopt;
    std::optional<Owner> owner = ParseRecord(text.substr(line + 1));
    if (owner.has_value() && text.substr(0, line) != std::to_string(owner->pid))
      return std::nullopt;
    return owner;
  }

  Status PlaceFailed(int error) override {
    if (error != EINVAL && error != ENOSYS && error != ENOTSUP) {
      return SoftFile::PlaceFailed(error);
    }
    return Status::Make(
        Errc::kUnsupported,
        "the filesystem of " + names_.directory() +
            " has neither hard links nor renames that do not replace; use "
            "the mkdir backend",
        error);
  }

 private:
  std::atomic<bool> has_links_{false};  // one was made here
};

}  // namespace

std::unique_ptr<Backend> MakeLink(os::Os& os, const std::string& path,
                                  const Options& options) {
  return std::make_unique<LinkBackend>(os, path + ".lock", options);
}

std::unique_ptr<Backend> MakePid(os::Os& os, const std::string& path,
                                 const Options& options) {
  return std::make_unique<PidBackend>(os, path, options);
}

}  // namespace lockfile
