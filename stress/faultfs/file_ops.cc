// Open files.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <vector>

#include "stress/faultfs/names.h"
#include "stress/faultfs/volume.h"

namespace locklab::faultfs {
namespace {

Node& NodeOf(fuse_req_t request, fuse_ino_t number) {
  return *Volume::Of(request).nodes.Of(number);
}

int FdOf(const fuse_file_info* file) { return static_cast<int>(file->fh); }

// Another mount may change the file at any time, so that the kernel must not
// answer from its cache.
void Opened(Volume* volume, const Node& node, int fd, fuse_file_info* file) {
  const bool cached =
      node.is_mapped || volume->sins().Find(Sin::kDataCached) != nullptr;
  file->fh = static_cast<uint64_t>(fd);
  file->direct_io = cached ? 0 : 1;
  file->keep_cache = cached ? 1 : 0;
}

void Open(fuse_req_t request, fuse_ino_t number, fuse_file_info* file) {
  const Node& node = NodeOf(request, number);
  const int fd =
      open(node.Path().c_str(),
           (file->flags & ~(O_NOFOLLOW | O_CREAT | O_EXCL)) | O_CLOEXEC);
  if (fd < 0) {
    fuse_reply_err(request, errno);
    return;
  }
  Opened(&Volume::Of(request), node, fd, file);
  // Who asked for it may have been killed since.
  if (fuse_reply_open(request, file) != 0) close(fd);
}

void Create(fuse_req_t request, fuse_ino_t parent, const char* name,
            mode_t mode, fuse_file_info* file) {
  Volume& volume = Volume::Of(request);
  int fd = -1;
  const int flags = (file->flags | O_CREAT | O_CLOEXEC) & ~O_NOFOLLOW;
  const MakeAt make = [&](const Node& dir, const std::string& at) {
    const AsUser user(request);
    fd = openat(dir.fd, at.c_str(), flags, mode);
    return fd < 0 ? errno : 0;
  };
  Made made;
  made.again = [&fd] {
    return OpenAgain("/proc/self/fd/" + std::to_string(fd));
  };
  const int error = Make(&volume, Op::kCreate, NodeOf(request, parent),
                         volume.Fold(name), make, &made);
  if (error != 0) {
    if (fd >= 0) close(fd);
    fuse_reply_err(request, error);
    return;
  }
  const fuse_entry_param entry = EntryOf(&volume, made.node, made.info);
  Opened(&volume, *made.node, fd, file);
  if (fuse_reply_create(request, &entry, file) != 0) {
    close(fd);
    volume.nodes.Forget(made.node, 1);
  }
}

void Read(fuse_req_t request, fuse_ino_t, size_t size, off_t offset,
          fuse_file_info* file) {
  std::vector<char> data(size);
  const ssize_t got = pread(FdOf(file), data.data(), size, offset);
  if (got < 0) {
    fuse_reply_err(request, errno);
  } else {
    fuse_reply_buf(request, data.data(), static_cast<size_t>(got));
  }
}

void Write(fuse_req_t request, fuse_ino_t, const char* data, size_t size,
           off_t offset, fuse_file_info* file) {
  if (Volume::Of(request).sins().Strike(Sin::kEnospc) != nullptr) {
    fuse_reply_err(request, ENOSPC);
    return;
  }
  const ssize_t put = pwrite(FdOf(file), data, size, offset);
  if (put < 0) {
    fuse_reply_err(request, errno);
  } else {
    fuse_reply_write(request, static_cast<size_t>(put));
  }
}

// How long a lock outlives its holder.
std::chrono::milliseconds Afterlife(Volume* volume) {
  const Chosen* outlive = volume->sins().Strike(Sin::kLocksOutlive);
  return outlive != nullptr ? outlive->ms : std::chrono::milliseconds(0);
}

// Each close(2) of a descriptor: the record locks of the process end with it.
void Flush(fuse_req_t request, fuse_ino_t number, fuse_file_info* file) {
  Volume& volume = Volume::Of(request);
  volume.locks().Drop(&NodeOf(request, number), file->lock_owner,
                      Afterlife(&volume));
  fuse_reply_err(request, 0);
}

// The last of them.
void Release(fuse_req_t request, fuse_ino_t number, fuse_file_info* file) {
  Volume& volume = Volume::Of(request);
  const auto afterlife = Afterlife(&volume);
  volume.DropShadow(file->fh);
  volume.locks().DropHandle(&NodeOf(request, number), file->fh, afterlife);
  // Its flock(2) lock goes with the last descriptor.
  if (afterlife.count() > 0) {
    const int kept = fcntl(FdOf(file), F_DUPFD_CLOEXEC, 0);
    volume.locks().Later(afterlife, [kept] { close(kept); });
  }
  close(FdOf(file));
  volume.locks().Changed();
  fuse_reply_err(request, 0);
}

void Sync(fuse_req_t request, fuse_ino_t, int data_only, fuse_file_info* file) {
  const int result = data_only != 0 ? fdatasync(FdOf(file)) : fsync(FdOf(file));
  fuse_reply_err(request, result == 0 ? 0 : errno);
}

void Allocate(fuse_req_t request, fuse_ino_t, int mode, off_t offset,
              off_t length, fuse_file_info* file) {
  const int result = fallocate(FdOf(file), mode, offset, length);
  fuse_reply_err(request, result == 0 ? 0 : errno);
}

void Seek(fuse_req_t request, fuse_ino_t, off_t offset, int whence,
          fuse_file_info* file) {
  const off_t result = lseek(FdOf(file), offset, whence);
  if (result < 0) {
    fuse_reply_err(request, errno);
  } else {
    fuse_reply_lseek(request, result);
  }
}

}  // namespace

void AddFileOps(fuse_lowlevel_ops* ops) {
  ops->open = Open;
  ops->create = Create;
  ops->read = Read;
  ops->write = Write;
  ops->flush = Flush;
  ops->release = Release;
  ops->fsync = Sync;
  ops->fallocate = Allocate;
  ops->lseek = Seek;
}

}  // namespace locklab::faultfs
