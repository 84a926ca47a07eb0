// Attributes and look-ups.
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <string>

#include "stress/faultfs/volume.h"

namespace locklab::faultfs {
namespace {

Node* NodeOf(fuse_req_t request, fuse_ino_t number) {
  return Volume::Of(request).nodes.Of(number);
}

void Lookup(fuse_req_t request, fuse_ino_t parent, const char* typed) {
  Volume& volume = Volume::Of(request);
  const Node& dir = *NodeOf(request, parent);
  const std::string name = volume.Fold(typed);
  Node* node = nullptr;
  struct stat info {};
  int error = volume.nodes.Look(dir, name.c_str(), &node, &info);
  if (error == ENOENT) {
    const int ghost = volume.ghosts().Find(dir, name.c_str());
    if (ghost >= 0) {
      error = volume.nodes.Adopt(ghost, name.c_str(), &node, &info);
    }
  }
  if (error != 0) {
    fuse_reply_err(request, error);
  } else {
    ReplyEntry(request, node, info);
  }
}

void Forget(fuse_req_t request, fuse_ino_t number, uint64_t lookups) {
  Volume& volume = Volume::Of(request);
  volume.nodes.Forget(volume.nodes.Of(number), lookups);
  fuse_reply_none(request);
}

void ForgetMulti(fuse_req_t request, size_t count, fuse_forget_data* forgets) {
  Volume& volume = Volume::Of(request);
  for (size_t i = 0; i < count; ++i) {
    volume.nodes.Forget(volume.nodes.Of(forgets[i].ino), forgets[i].nlookup);
  }
  fuse_reply_none(request);
}

void ReplyAttributes(fuse_req_t request, const Node& node) {
  struct stat info {};
  const int error = node.Stat(&info);
  if (error != 0) {
    fuse_reply_err(request, error);
  } else {
    Volume& volume = Volume::Of(request);
    volume.Disguise(&info);
    fuse_reply_attr(request, &info, volume.AttributeTime());
  }
}

void GetAttributes(fuse_req_t request, fuse_ino_t number, fuse_file_info*) {
  ReplyAttributes(request, *NodeOf(request, number));
}

timespec TimeOf(const struct stat& wanted, int set, bool modification) {
  const int now =
      modification ? FUSE_SET_ATTR_MTIME_NOW : FUSE_SET_ATTR_ATIME_NOW;
  const int given = modification ? FUSE_SET_ATTR_MTIME : FUSE_SET_ATTR_ATIME;
  if ((set & now) != 0) return {.tv_sec = 0, .tv_nsec = UTIME_NOW};
  if ((set & given) == 0) return {.tv_sec = 0, .tv_nsec = UTIME_OMIT};
  return modification ? wanted.st_mtim : wanted.st_atim;
}

int Change(const Node& node, const struct stat& wanted, int set,
           const fuse_file_info* file) {
  const std::string path = node.Path();
  if ((set & FUSE_SET_ATTR_MODE) != 0 &&
      chmod(path.c_str(), wanted.st_mode) != 0) {
    return errno;
  }
  if ((set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) != 0) {
    const uid_t uid = (set & FUSE_SET_ATTR_UID) != 0 ? wanted.st_uid : -1U;
    const gid_t gid = (set & FUSE_SET_ATTR_GID) != 0 ? wanted.st_gid : -1U;
    if (fchownat(node.fd, "", uid, gid, AT_EMPTY_PATH) != 0) return errno;
  }
  if ((set & FUSE_SET_ATTR_SIZE) != 0) {
    const int result =
        file != nullptr ? ftruncate(static_cast<int>(file->fh), wanted.st_size)
                        : truncate(path.c_str(), wanted.st_size);
    if (result != 0) return errno;
  }
  constexpr int kTimes = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME |
                         FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME_NOW;
  if ((set & kTimes) == 0) return 0;
  const std::array<timespec, 2> times = {TimeOf(wanted, set, false),
                                         TimeOf(wanted, set, true)};
  return utimensat(node.fd, "", times.data(), AT_EMPTY_PATH) == 0 ? 0 : errno;
}

void SetAttributes(fuse_req_t request, fuse_ino_t number, struct stat* wanted,
                   int set, fuse_file_info* file) {
  const Node& node = *NodeOf(request, number);
  const int error = Change(node, *wanted, set, file);
  if (error != 0) {
    fuse_reply_err(request, error);
  } else {
    ReplyAttributes(request, node);
  }
}

void ReadLink(fuse_req_t request, fuse_ino_t number) {
  std::array<char, PATH_MAX + 1> text{};
  const ssize_t got =
      readlinkat(NodeOf(request, number)->fd, "", text.data(), text.size() - 1);
  if (got < 0) {
    fuse_reply_err(request, errno);
  } else {
    fuse_reply_readlink(request, text.data());
  }
}

void StatFs(fuse_req_t request, fuse_ino_t number) {
  struct statvfs info {};
  if (fstatvfs(NodeOf(request, number)->fd, &info) != 0) {
    fuse_reply_err(request, errno);
  } else {
    fuse_reply_statfs(request, &info);
  }
}

}  // namespace

void AddNodeOps(fuse_lowlevel_ops* ops) {
  ops->lookup = Lookup;
  ops->forget = Forget;
  ops->forget_multi = ForgetMulti;
  ops->getattr = GetAttributes;
  ops->setattr = SetAttributes;
  ops->readlink = ReadLink;
  ops->statfs = StatFs;
}

}  // namespace locklab::faultfs
