// The kernel's locks.
#include <sys/file.h>

#include <utility>

#include "stress/faultfs/volume.h"

namespace locklab::faultfs {
namespace {

LockDesk::Asker AskerOf(fuse_req_t request, bool waits) {
  return {
      .waits = waits,
      .interrupted = [request] { return fuse_req_interrupted(request) != 0; },
      .answer = [request](int error) { fuse_reply_err(request, error); }};
}

void GetLock(fuse_req_t request, fuse_ino_t number, fuse_file_info* file,
             struct flock* lock) {
  Volume& volume = Volume::Of(request);
  const Node* node = volume.nodes.Of(number);
  const int error =
      volume.locks().GetRecord(node, node->Path(), file->lock_owner, lock);
  if (error != 0) {
    fuse_reply_err(request, error);
  } else {
    fuse_reply_lock(request, lock);
  }
}

void SetLock(fuse_req_t request, fuse_ino_t number, fuse_file_info* file,
             struct flock* lock, int waits) {
  Volume& volume = Volume::Of(request);
  const Node* node = volume.nodes.Of(number);
  volume.locks().SetRecord(node, node->Path(), file->lock_owner, file->fh,
                           *lock, AskerOf(request, waits != 0));
}

void Flock(fuse_req_t request, fuse_ino_t, fuse_file_info* file,
           int operation) {
  Volume::Of(request).locks().Flock(
      static_cast<int>(file->fh), operation,
      AskerOf(request, (operation & LOCK_NB) == 0));
}

}  // namespace

void AddLockOps(fuse_lowlevel_ops* ops) {
  ops->getlk = GetLock;
  ops->setlk = SetLock;
  ops->flock = Flock;
}

}  // namespace locklab::faultfs
