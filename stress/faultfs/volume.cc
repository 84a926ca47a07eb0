#include "stress/faultfs/volume.h"

#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>

namespace locklab::faultfs {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

double Seconds(milliseconds time) {
  return std::chrono::duration<double>(time).count();
}

// The library functions change all threads of the process.
void BecomeInThread(uid_t uid, gid_t gid) {
  syscall(SYS_setfsgid, gid);
  syscall(SYS_setfsuid, uid);
}

}  // namespace

// --- what was removed and is found -------------------------------------------

int Ghosts::Open(const Node& dir, const char* name) {
  return openat(dir.fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

void Ghosts::Haunt(const Node& dir, const char* name, int fd,
                   milliseconds time) {
  const std::lock_guard guard(mutex_);
  Lay();
  const auto [it, is_new] = all_.try_emplace({{dir.dev, dir.ino}, name});
  if (!is_new) close(it->second.fd);
  it->second = {fd, steady_clock::now() + time};
}

int Ghosts::Find(const Node& dir, const char* name) {
  const std::lock_guard guard(mutex_);
  Lay();
  const auto it = all_.find({{dir.dev, dir.ino}, name});
  return it == all_.end() ? -1 : fcntl(it->second.fd, F_DUPFD_CLOEXEC, 0);
}

void Ghosts::Lay() {
  const auto now = steady_clock::now();
  std::erase_if(all_, [now](const auto& item) {
    const bool gone = item.second.end <= now;
    if (gone) close(item.second.fd);
    return gone;
  });
}

// --- names and attributes ----------------------------------------------------

std::string Volume::Fold(const char* name) {
  std::string folded = name;
  if (sins().Find(Sin::kCaseFolded) != nullptr) {
    std::transform(folded.begin(), folded.end(), folded.begin(),
                   [](unsigned char c) { return std::tolower(c); });
  }
  return folded;
}

void Volume::Disguise(struct stat* info) {
  if (!S_ISDIR(info->st_mode) && info->st_nlink > 1 &&
      sins().Strike(Sin::kLinkCountStale) != nullptr) {
    info->st_nlink = 1;
  }
  if (const Chosen* coarse = sins().Find(Sin::kMtimeCoarse)) {
    const auto step = std::max<int64_t>(coarse->ms.count() / 1000, 1);
    info->st_mtim = {.tv_sec = info->st_mtim.tv_sec / step * step,
                     .tv_nsec = 0};
  }
  if (const Chosen* unstable = sins().Find(Sin::kInodeUnstable)) {
    const auto now = steady_clock::now().time_since_epoch();
    const auto step = std::max(unstable->ms, milliseconds(1));
    info->st_ino += static_cast<ino_t>(now / step) << 32U;
  }
}

double Volume::AttributeTime() {
  double time = 0;
  for (const Sin sin : {Sin::kAttributesCached, Sin::kDataCached}) {
    if (const Chosen* cached = sins().Find(sin)) time = Seconds(cached->ms);
  }
  return time;
}

double Volume::NameTime() {
  double time = 0;
  for (const Sin sin :
       {Sin::kAttributesCached, Sin::kNamesCached, Sin::kDataCached}) {
    if (const Chosen* cached = sins().Find(sin)) time = Seconds(cached->ms);
  }
  return time;
}

// --- listings
// ------------------------------------------------------------------

bool Volume::Remember(const Node& dir, std::vector<Entry>* entries) {
  if (sins().Find(Sin::kReaddirStale) == nullptr) return false;
  const std::lock_guard guard(mutex_);
  const auto it = listed_.find({dir.dev, dir.ino});
  if (it == listed_.end() || it->second.end <= steady_clock::now()) {
    return false;
  }
  *entries = it->second.entries;
  return true;
}

void Volume::Keep(const Node& dir, const std::vector<Entry>& entries) {
  const Chosen* stale = sins().Strike(Sin::kReaddirStale);
  if (stale == nullptr) return;
  const std::lock_guard guard(mutex_);
  listed_[{dir.dev, dir.ino}] = {entries, steady_clock::now() + stale->ms};
}

// --- locks of a mount's own
// -----------------------------------------------------

std::string Volume::ShadowOf(const Node& node) {
  const std::lock_guard guard(mutex_);
  const auto [it, is_new] = shadows_.try_emplace({node.dev, node.ino});
  if (is_new) it->second = memfd_create("locks", MFD_CLOEXEC);
  return "/proc/self/fd/" + std::to_string(it->second);
}

int Volume::ShadowFor(const Node& node, uint64_t handle) {
  const std::string path = ShadowOf(node);
  const std::lock_guard guard(mutex_);
  const auto [it, is_new] = shadow_handles_.try_emplace(handle);
  if (is_new) it->second = open(path.c_str(), O_RDWR | O_CLOEXEC);
  return it->second;
}

void Volume::DropShadow(uint64_t handle) {
  const std::lock_guard guard(mutex_);
  const auto it = shadow_handles_.find(handle);
  if (it == shadow_handles_.end()) return;
  close(it->second);
  shadow_handles_.erase(it);
}

// --- users
// ----------------------------------------------------------------------

AsUser::AsUser(fuse_req_t request) {
  const fuse_ctx* user = fuse_req_ctx(request);
  if (geteuid() != 0 || (user->uid == 0 && user->gid == getegid())) return;
  changed_ = true;
  BecomeInThread(user->uid, user->gid);
}

AsUser::~AsUser() {
  if (changed_) BecomeInThread(geteuid(), getegid());
}

// --- answers
// --------------------------------------------------------------------

fuse_entry_param EntryOf(Volume* volume, Node* node, const struct stat& info) {
  fuse_entry_param entry{};
  entry.ino = reinterpret_cast<fuse_ino_t>(node);  // NOLINT: NodeTable::Of
  entry.attr = info;
  volume->Disguise(&entry.attr);
  entry.attr_timeout = volume->AttributeTime();
  entry.entry_timeout = volume->NameTime();
  return entry;
}

void ReplyEntry(fuse_req_t request, Node* node, const struct stat& info) {
  Volume& volume = Volume::Of(request);
  const fuse_entry_param entry = EntryOf(&volume, node, info);
  // The kernel did not hear of it if the answer is lost.
  if (fuse_reply_entry(request, &entry) != 0) volume.nodes.Forget(node, 1);
}

}  // namespace locklab::faultfs
