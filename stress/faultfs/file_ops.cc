// Open files.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "stress/faultfs/volume.h"

namespace locklab::faultfs {
namespace {

Node& NodeOf(fuse_req_t request, fuse_ino_t number) {
  return *Volume::Of(request).nodes.Of(number);
}

int FdOf(const fuse_file_info* file) { return static_cast<int>(file->fh); }

// Another mount may change the file at any time, so that the kernel must not
// answer from its cache.
void Opened(const Node& node, int fd, fuse_file_info* file) {
  file->fh = static_cast<uint64_t>(fd);
  file->direct_io = node.is_mapped ? 0 : 1;
  file->keep_cache = node.is_mapped ? 1 : 0;
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
  Opened(node, fd, file);
  // Who asked for it may have been killed since.
  if (fuse_reply_open(request, file) != 0) close(fd);
}

void Create(fuse_req_t request, fuse_ino_t parent, const char* name,
            mode_t mode, fuse_file_info* file) {
  Volume& volume = Volume::Of(request);
  const Node& dir = NodeOf(request, parent);
  int fd = -1;
  int error = 0;
  {
    const AsUser user(request);
    fd = openat(dir.fd, name, (file->flags | O_CREAT | O_CLOEXEC) & ~O_NOFOLLOW,
                mode);
    error = fd < 0 ? errno : 0;
  }
  fuse_entry_param entry{};
  Node* node = nullptr;
  if (error == 0) error = volume.nodes.Look(dir, name, &node, &entry.attr);
  if (error != 0) {
    if (fd >= 0) close(fd);
    fuse_reply_err(request, error);
    return;
  }
  entry.ino = reinterpret_cast<fuse_ino_t>(node);  // NOLINT: NodeTable::Of
  Opened(*node, fd, file);
  if (fuse_reply_create(request, &entry, file) != 0) {
    close(fd);
    volume.nodes.Forget(node, 1);
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
  const ssize_t put = pwrite(FdOf(file), data, size, offset);
  if (put < 0) {
    fuse_reply_err(request, errno);
  } else {
    fuse_reply_write(request, static_cast<size_t>(put));
  }
}

// Each close(2) of a descriptor: the record locks of the process end with it.
void Flush(fuse_req_t request, fuse_ino_t number, fuse_file_info* file) {
  Volume::Of(request).locks().Drop(&NodeOf(request, number), file->lock_owner);
  fuse_reply_err(request, 0);
}

// The last of them.
void Release(fuse_req_t request, fuse_ino_t number, fuse_file_info* file) {
  LockDesk& locks = Volume::Of(request).locks();
  locks.DropHandle(&NodeOf(request, number), file->fh);
  close(FdOf(file));  // and with it its flock(2) lock
  locks.Changed();
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
