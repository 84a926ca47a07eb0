// Directories as lists.
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "stress/faultfs/volume.h"

namespace locklab::faultfs {
namespace {

// A directory that somebody reads: the names of when he began, so that what is
// made or removed meanwhile moves nothing.
struct Listing {
  std::mutex mutex;
  int fd = -1;
  std::vector<Entry> entries;

  ~Listing() {
    if (fd >= 0) close(fd);
  }
};

Listing* ListingOf(const fuse_file_info* file) {
  return reinterpret_cast<Listing*>(file->fh);  // NOLINT: OpenDir gave it
}

int ReadAll(Listing* listing) {
  struct Closer {
    void operator()(DIR* dir) const { closedir(dir); }
  };
  const int fd = openat(listing->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno;
  const std::unique_ptr<DIR, Closer> dir(fdopendir(fd));
  if (dir == nullptr) {
    close(fd);
    return ENOMEM;
  }
  listing->entries.clear();
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(dir.get());
    if (entry == nullptr) return errno;
    struct stat info {};
    info.st_ino = entry->d_ino;
    info.st_mode = DTTOIF(entry->d_type);
    listing->entries.push_back({entry->d_name, info});
  }
}

void OpenDir(fuse_req_t request, fuse_ino_t number, fuse_file_info* file) {
  auto listing = std::make_unique<Listing>();
  const Node& node = *Volume::Of(request).nodes.Of(number);
  listing->fd = open(node.Path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (listing->fd < 0) {
    fuse_reply_err(request, errno);
    return;
  }
  file->fh = reinterpret_cast<uint64_t>(listing.get());  // NOLINT: ListingOf
  if (fuse_reply_open(request, file) == 0) (void)listing.release();
}

// As many entries from `offset` on as fit; 0 or an errno.
int Fill(fuse_req_t request, const Node& dir, Listing* listing, off_t offset,
         std::vector<char>* data) {
  const std::lock_guard guard(listing->mutex);
  Volume& volume = Volume::Of(request);
  if (offset == 0 && !volume.Remember(dir, &listing->entries)) {
    const int error = ReadAll(listing);
    if (error != 0) return error;
    volume.Keep(dir, listing->entries);
  }
  size_t used = 0;
  for (auto i = static_cast<size_t>(offset); i < listing->entries.size(); ++i) {
    const Entry& entry = listing->entries[i];
    const size_t room = data->size() - used;
    const size_t wants = fuse_add_direntry(request, data->data() + used, room,
                                           entry.name.c_str(), &entry.info,
                                           static_cast<off_t>(i + 1));
    if (wants > room) break;
    used += wants;
  }
  data->resize(used);
  return 0;
}

void ReadDir(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
             fuse_file_info* file) {
  std::vector<char> data(size);
  const Node& dir = *Volume::Of(request).nodes.Of(number);
  const int error = Fill(request, dir, ListingOf(file), offset, &data);
  // Once it is answered, another thread may release the listing.
  if (error != 0) {
    fuse_reply_err(request, error);
  } else {
    fuse_reply_buf(request, data.data(), data.size());
  }
}

void ReleaseDir(fuse_req_t request, fuse_ino_t, fuse_file_info* file) {
  delete ListingOf(file);
  fuse_reply_err(request, 0);
}

void SyncDir(fuse_req_t request, fuse_ino_t, int, fuse_file_info* file) {
  fuse_reply_err(request, fsync(ListingOf(file)->fd) == 0 ? 0 : errno);
}

}  // namespace

void AddDirOps(fuse_lowlevel_ops* ops) {
  ops->opendir = OpenDir;
  ops->readdir = ReadDir;
  ops->releasedir = ReleaseDir;
  ops->fsyncdir = SyncDir;
}

}  // namespace locklab::faultfs
