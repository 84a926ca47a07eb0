// The kernel's locks.
#include <fcntl.h>
#include <sys/file.h>

#include <string>
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

// What is locked in place of the node.
std::string TargetOf(Volume* volume, const Node& node) {
  return volume->sins().Find(Sin::kLocksLocal) != nullptr
             ? volume->ShadowOf(node)
             : node.Path();
}

void GetLock(fuse_req_t request, fuse_ino_t number, fuse_file_info* file,
             struct flock* lock) {
  Volume& volume = Volume::Of(request);
  const Node* node = volume.nodes.Of(number);
  const int error = volume.locks().GetRecord(node, TargetOf(&volume, *node),
                                             file->lock_owner, lock);
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
  const bool takes = lock->l_type != F_UNLCK;
  if (takes && volume.sins().Strike(Sin::kLocksGranted) != nullptr) {
    fuse_reply_err(request, 0);
    return;
  }
  const Chosen* dropped =
      takes ? volume.sins().Strike(Sin::kLocksDropped) : nullptr;
  if (dropped != nullptr) {
    volume.locks().Drop(node, file->lock_owner, dropped->ms);
  }
  volume.locks().SetRecord(node, TargetOf(&volume, *node), file->lock_owner,
                           file->fh, *lock, AskerOf(request, waits != 0));
}

void Flock(fuse_req_t request, fuse_ino_t number, fuse_file_info* file,
           int operation) {
  Volume& volume = Volume::Of(request);
  const bool takes = (operation & LOCK_UN) == 0;
  if (takes && volume.sins().Strike(Sin::kLocksGranted) != nullptr) {
    fuse_reply_err(request, 0);
    return;
  }
  const int fd = volume.sins().Find(Sin::kLocksLocal) != nullptr
                     ? volume.ShadowFor(*volume.nodes.Of(number), file->fh)
                     : static_cast<int>(file->fh);
  const Chosen* dropped =
      takes ? volume.sins().Strike(Sin::kLocksDropped) : nullptr;
  if (dropped != nullptr) {
    // Of a descriptor of its own: this one may be another's by then.
    const int same = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    volume.locks().Later(dropped->ms, [same] {
      flock(same, LOCK_UN);
      close(same);
    });
  }
  volume.locks().Flock(fd, operation,
                       AskerOf(request, (operation & LOCK_NB) == 0));
}

}  // namespace

void AddLockOps(fuse_lowlevel_ops* ops) {
  ops->getlk = GetLock;
  ops->setlk = SetLock;
  ops->flock = Flock;
}

}  // namespace locklab::faultfs
