// symlink: PATH.lock is a symbolic link whose text is the owner's record.
//
// Mechanism: symlink(2) fails if the name exists. The lock appears with its
// owner's record in it, at once and whole, and nothing has to be opened.
// On a disk of this host the ticket, which is such a link already, gets
// PATH.lock as its second name, where it can: a text as long as a record has a
// block of its own, and to make that takes longer than all the rest.
// Needs: symbolic links.
// Weaknesses: a link has no content beside its text, so it cannot be written
// by halves, but tools that follow links complain of a broken one. Not on FAT
// and SMB (but with mfsymlinks). NFS clients may cache a link's text.
#include <array>
#include <cerrno>
#include <string>

#include "lib/backends/makers.h"
#include "lib/backends/soft_file.h"

namespace lockfile {
namespace {

class SymlinkBackend final : public SoftFile {
 public:
  SymlinkBackend(os::Os& os, const std::string& lock_path,
                 const Options& options)
      : SoftFile(os, lock_path, options) {}

 protected:
  Status MakeTicket(const Hold& hold, const std::string& ticket) override {
    const int error = os_.Symlink(hold.record.c_str(), ticket.c_str()).error;
    // EEXIST: the name is ours alone, so a lost reply made it.
    if (error == 0 || error == EEXIST) return Status::Ok();
    return error == EPERM || error == ENOTSUP || error == ENOSYS
               ? PlaceFailed(error)
               : Status::Failed("create", ticket, error);
  }

  int Place(const Hold& hold, const std::string& ticket) override {
    if (local_) {
      const int error = os_.Link(ticket.c_str(), lock_path_.c_str()).error;
      if (!HasNoLinks(error)) return error;
    }
    return os_.Symlink(hold.record.c_str(), lock_path_.c_str()).error;
  }

  int IsMine(const Hold& hold, bool* mine) override {
    std::string text;
    const int error = ReadText(lock_path_, &text);
    *mine = error == 0 && text == hold.record;
    return error == ENOENT || error == EINVAL ? 0 : error;
  }

  int ReadLock(std::string* text, os::FileInfo* info,
               std::string* note) override {
    int error = ReadText(lock_path_, text);
    if (error == EINVAL) {
      *note = "something that is no symbolic link is in its place";
      error = 0;
    }
    return error == 0 ? os_.Lstat(lock_path_.c_str(), info).error : error;
  }

  int ReadText(const std::string& path, std::string* text) override {
    std::array<char, kMaxRecord + 64> buffer;
    const os::SysResult read =
        os_.ReadLink(path.c_str(), buffer.data(), buffer.size());
    if (read.ok()) text->assign(buffer.data(), static_cast<size_t>(read.value));
    return read.error;
  }

  Status PlaceFailed(int error) override {
    if (error != EPERM && error != ENOTSUP && error != ENOSYS) {
      return SoftFile::PlaceFailed(error);
    }
    return Status::Make(Errc::kUnsupported,
                        "the filesystem of " + names_.directory() +
                            " has no symbolic links (" + ErrnoName(error) +
                            "); use the mkdir backend",
                        error);
  }
};

}  // namespace

std::unique_ptr<Backend> MakeSymlink(os::Os& os, const std::string& path,
                                     const Options& options) {
  return std::make_unique<SymlinkBackend>(os, path + ".lock", options);
}

}  // namespace lockfile
