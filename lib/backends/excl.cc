// excl: PATH.lock is created with O_CREAT | O_EXCL, then written.
//
// Mechanism: open(2) fails if the name exists. Needs nothing but that: works
// where there are neither links nor renames that keep from replacing.
// Needs: an O_EXCL that is atomic (NFS: since version 3).
// Weaknesses: the lock is visible empty for a moment. A creator that dies in
// that moment has left its ticket before, by which it is known to be dead; a
// creator that is merely slow has one, too, and is known to be alive. If the
// reply to the creation is lost, the creator does not know that it was made:
// then it stands empty until the creator's process ends.
#include <fcntl.h>

#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/backends/makers.h"
#include "lib/backends/record_file.h"
#include "lib/backends/soft_file.h"

namespace lockfile {
namespace {

class ExclBackend final : public SoftFile {
 public:
  ExclBackend(os::Os& os, const std::string& lock_path, const Options& options)
      : SoftFile(os, lock_path, options) {}

 protected:
  Status MakeTicket(const Hold& hold, const std::string& ticket) override {
    return WriteRecordFile(os_, ticket, hold.record + "\n", mode_, nullptr);
  }

  int Place(const Hold& hold, const std::string& ticket) override {
    constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    const os::SysResult opened = os_.Open(lock_path_.c_str(), kFlags, mode_);
    if (!opened.ok()) return opened.error;
    const int fd = static_cast<int>(opened.value);
    const std::string text = hold.record + "\n";
    int error = os_.WriteStart(fd, text.data(), text.size()).error;
    if (error == 0 && local_) seen_ = IsInPlace(fd);
    const int closed = os_.Close(fd).error;
    if (error == 0) error = closed;
    seen_ = seen_ && error == 0;
    // Somebody may have been asked to break it meanwhile, and a successor's be
    // there: then the ticket is gone (but where it had no record yet, and who
    // broke it knew nothing of us). As in a break, in case that we die.
    const std::string broken = names_.Broken(hold.ticket);
    if (error != 0 && os_.Rename(ticket.c_str(), broken.c_str()).ok()) {
      os_.Unlink(lock_path_.c_str());
      os_.Unlink(broken.c_str());
    }
    return error;
  }

  // While it is open, no other file has its inode's number. Takes fewer calls
  // than to read it.
  bool IsInPlace(int fd) {
    os::FileInfo made;
    os::FileInfo found;
    return os_.Fstat(fd, &made).ok() &&
           os_.Lstat(lock_path_.c_str(), &found).ok() && found.SameFile(made);
  }

  int IsMine(const Hold& hold, bool* mine) override {
    *mine = std::exchange(seen_, false);
    if (*mine) return 0;
    std::string text;
    int error = ReadRecordFile(os_, lock_path_, &text, nullptr);
    os::FileInfo info;  // what is it, if it cannot be read?
    if (error != 0) error = ReadRecordFile(os_, lock_path_, &text, &info);
    *mine = error == 0 && text == hold.record + "\n";
    return error == ENOENT || error == ELOOP || error == ENOTSUP ? 0 : error;
  }

  [[nodiscard]] bool KeepsTicket() const override { return false; }

  [[nodiscard]] bool MayBeHalfMade(const std::string& text,
                                   const os::FileInfo& info) override {
    (void)info;
    constexpr std::string_view kStart = "lockfile1 token=";
    return text.empty() || text.starts_with(kStart) || kStart.starts_with(text);
  }

  // A lock without a record was made by one who had made its ticket before. It
  // is a dead one's if there is such a ticket of a dead process, and no other.
  bool CreatorsAreDead(BreakReason reason) override {
    const bool asked = reason == BreakReason::kAsked;
    std::vector<std::string> tails;
    if (!ListTickets(&tails)) return false;
    bool any_dead = false;
    for (const std::string& tail : tails) {
      if (tail.ends_with(kWaiting)) continue;
      const std::optional<Life> life = JudgeTicket(os_, tail);
      if (life == Life::kAlive) return false;
      if (life == Life::kUnknown && !asked) return false;
      any_dead = any_dead || life == Life::kDead;
    }
    return any_dead || asked;
  }

 private:
  bool seen_ = false;  // in its place, by the Place that an IsMine follows
};

}  // namespace

std::unique_ptr<Backend> MakeExcl(os::Os& os, const std::string& path,
                                  const Options& options) {
  return std::make_unique<ExclBackend>(os, path + ".lock", options);
}

}  // namespace lockfile
