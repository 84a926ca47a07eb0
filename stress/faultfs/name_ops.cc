// Making, removing and renaming.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "stress/faultfs/volume.h"

namespace locklab::faultfs {
namespace {

Node& NodeOf(fuse_req_t request, fuse_ino_t number) {
  return *Volume::Of(request).nodes.Of(number);
}

int ErrorOf(int result) { return result == 0 ? 0 : errno; }

// Answers for what was made under a name.
void ReplyMade(fuse_req_t request, const Node& parent, const char* name,
               int error) {
  if (error != 0) {
    fuse_reply_err(request, error);
  } else {
    ReplyLooked(request, parent, name);
  }
}

void MakeNode(fuse_req_t request, fuse_ino_t parent, const char* name,
              mode_t mode, dev_t device) {
  const Node& dir = NodeOf(request, parent);
  int error = 0;
  {
    const AsUser user(request);
    error = ErrorOf(mknodat(dir.fd, name, mode, device));
  }
  ReplyMade(request, dir, name, error);
}

void MakeDir(fuse_req_t request, fuse_ino_t parent, const char* name,
             mode_t mode) {
  const Node& dir = NodeOf(request, parent);
  int error = 0;
  {
    const AsUser user(request);
    error = ErrorOf(mkdirat(dir.fd, name, mode));
  }
  ReplyMade(request, dir, name, error);
}

void Symlink(fuse_req_t request, const char* text, fuse_ino_t parent,
             const char* name) {
  const Node& dir = NodeOf(request, parent);
  int error = 0;
  {
    const AsUser user(request);
    error = ErrorOf(symlinkat(text, dir.fd, name));
  }
  ReplyMade(request, dir, name, error);
}

void Link(fuse_req_t request, fuse_ino_t number, fuse_ino_t parent,
          const char* name) {
  Node& node = NodeOf(request, number);
  const int error =
      ErrorOf(linkat(AT_FDCWD, node.Path().c_str(), NodeOf(request, parent).fd,
                     name, AT_SYMLINK_FOLLOW));
  struct stat info {};
  if (error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  const int looked = node.Stat(&info);
  if (looked != 0) {
    fuse_reply_err(request, looked);
    return;
  }
  Volume::Of(request).nodes.Retain(&node);
  ReplyEntry(request, &node, info);
}

void Unlink(fuse_req_t request, fuse_ino_t parent, const char* name) {
  fuse_reply_err(request,
                 ErrorOf(unlinkat(NodeOf(request, parent).fd, name, 0)));
}

void RemoveDir(fuse_req_t request, fuse_ino_t parent, const char* name) {
  fuse_reply_err(request, ErrorOf(unlinkat(NodeOf(request, parent).fd, name,
                                           AT_REMOVEDIR)));
}

void Rename(fuse_req_t request, fuse_ino_t from_dir, const char* from,
            fuse_ino_t to_dir, const char* to, unsigned flags) {
  fuse_reply_err(request,
                 ErrorOf(renameat2(NodeOf(request, from_dir).fd, from,
                                   NodeOf(request, to_dir).fd, to, flags)));
}

}  // namespace

void AddNameOps(fuse_lowlevel_ops* ops) {
  ops->mknod = MakeNode;
  ops->mkdir = MakeDir;
  ops->symlink = Symlink;
  ops->link = Link;
  ops->unlink = Unlink;
  ops->rmdir = RemoveDir;
  ops->rename = Rename;
}

}  // namespace locklab::faultfs
