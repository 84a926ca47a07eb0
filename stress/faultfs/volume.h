// One mount: the backing directory as the kernel asks for it through FUSE.
#ifndef LOCKLAB_STRESS_FAULTFS_VOLUME_H_
#define LOCKLAB_STRESS_FAULTFS_VOLUME_H_

#define FUSE_USE_VERSION 312

#include <fuse3/fuse_lowlevel.h>

#include <string>

#include "stress/faultfs/lock_desk.h"
#include "stress/faultfs/node.h"

namespace locklab::faultfs {

// What all mounts that one process serves have in common.
struct Shared {
  LockDesk locks;
};

// Used by all threads that serve the mount.
class Volume {
 public:
  explicit Volume(Shared* shared) : shared_(*shared) {}

  NodeTable nodes;

  [[nodiscard]] Shared& shared() { return shared_; }
  [[nodiscard]] LockDesk& locks() { return shared_.locks; }

  // The mount that a request came from.
  [[nodiscard]] static Volume& Of(fuse_req_t request) {
    return *static_cast<Volume*>(fuse_req_userdata(request));
  }

 private:
  Shared& shared_;
};

// The owner of what is made is who asks for it: while this lives, the calls of
// this thread are those of the user whose request it is.
class AsUser {
 public:
  explicit AsUser(fuse_req_t request);
  ~AsUser();
  AsUser(const AsUser&) = delete;
  AsUser& operator=(const AsUser&) = delete;

 private:
  bool changed_ = false;
};

// What the kernel may keep in mind of a file or a name: nothing.
inline constexpr double kNoCache = 0;

// Each sets the operations of its file in the table.
void AddNodeOps(fuse_lowlevel_ops* ops);  // attributes, look-ups
void AddNameOps(fuse_lowlevel_ops* ops);  // making, removing, renaming
void AddFileOps(fuse_lowlevel_ops* ops);  // open files
void AddDirOps(fuse_lowlevel_ops* ops);   // directories
void AddLockOps(fuse_lowlevel_ops* ops);  // the kernel's locks

// Answers with the node of a name that was just looked up or made.
void ReplyEntry(fuse_req_t request, Node* node, const struct stat& info);
// Looks it up first.
void ReplyLooked(fuse_req_t request, const Node& parent, const char* name);

}  // namespace locklab::faultfs

#endif  // LOCKLAB_STRESS_FAULTFS_VOLUME_H_
