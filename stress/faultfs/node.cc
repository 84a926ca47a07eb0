#include "stress/faultfs/node.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace locklab::faultfs {
namespace {

constexpr uint64_t kRootNumber = 1;  // FUSE_ROOT_ID

}  // namespace

Node::~Node() {
  if (fd >= 0) close(fd);
}

std::string Node::Path() const { return "/proc/self/fd/" + std::to_string(fd); }

int Node::Stat(struct stat* info) const {
  const int flags = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;
  return fstatat(fd, "", info, flags) == 0 ? 0 : errno;
}

int NodeTable::OpenRoot(const std::string& backing) {
  root_.fd = open(backing.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root_.fd < 0) return errno;
  struct stat info {};
  const int error = root_.Stat(&info);
  root_.dev = info.st_dev;
  root_.ino = info.st_ino;
  return error;
}

int NodeTable::Look(const Node& parent, const char* name, Node** found,
                    struct stat* info) {
  const int fd = openat(parent.fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  return fd < 0 ? errno : Adopt(fd, name, found, info);
}

int NodeTable::Adopt(int fd, const char* name, Node** found,
                     struct stat* info) {
  auto node = std::make_unique<Node>();
  node->fd = fd;
  const int error = node->Stat(info);
  if (error != 0) return error;
  node->dev = info->st_dev;
  node->ino = info->st_ino;
  // SQLite's index of a write-ahead log, the one kind of file of those on a
  // lock's filesystem that processes share as memory: the kernel cannot map
  // what it reads and writes past its cache.
  node->is_mapped = std::string_view(name).ends_with("-shm");
  const std::lock_guard guard(mutex_);
  std::unique_ptr<Node>& known = nodes_[{node->dev, node->ino}];
  if (known == nullptr) known = std::move(node);
  ++known->lookups;
  *found = known.get();
  return 0;
}

void NodeTable::Retain(Node* node) {
  const std::lock_guard guard(mutex_);
  ++node->lookups;
}

void NodeTable::Forget(Node* node, uint64_t lookups) {
  if (node == &root_) return;
  const std::lock_guard guard(mutex_);
  node->lookups -= lookups;
  if (node->lookups == 0) nodes_.erase({node->dev, node->ino});
}

Node* NodeTable::Of(uint64_t number) {
  if (number == kRootNumber) return &root_;
  return reinterpret_cast<Node*>(number);  // NOLINT: we gave it
}

}  // namespace locklab::faultfs
