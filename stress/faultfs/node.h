// The files of the backing directory that the kernel knows of, each once, so
// that hard links of one file are one file on the mount, too.
#ifndef LOCKLAB_STRESS_FAULTFS_NODE_H_
#define LOCKLAB_STRESS_FAULTFS_NODE_H_

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace locklab::faultfs {

// Held open by O_PATH as long as the kernel knows it: its inode number cannot
// be given to another file meanwhile.
struct Node {
  int fd = -1;
  dev_t dev = 0;
  ino_t ino = 0;
  uint64_t lookups = 0;    // that the kernel has not forgotten yet
  bool is_mapped = false;  // see NodeTable::Look

  ~Node();
  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // "/proc/self/fd/N", for calls that take no descriptor of O_PATH.
  [[nodiscard]] std::string Path() const;
  // 0 or an errno.
  [[nodiscard]] int Stat(struct stat* info) const;
};

// Used by many threads.
class NodeTable {
 public:
  // Opens the directory that is mounted; 0 or an errno.
  [[nodiscard]] int OpenRoot(const std::string& backing);

  // Looks a name up in the backing directory. 0 and the node, which then counts
  // one more lookup, or an errno.
  [[nodiscard]] int Look(const Node& parent, const char* name, Node** found,
                         struct stat* info);
  // The same of a descriptor of O_PATH, which it takes.
  [[nodiscard]] int Adopt(int fd, const char* name, Node** found,
                          struct stat* info);
  // One more lookup of a node that is known.
  void Retain(Node* node);
  // The kernel has forgotten that many; with the last one the node goes.
  void Forget(Node* node, uint64_t lookups);

  // FUSE names nodes by numbers: ours are their addresses, but for the root.
  [[nodiscard]] Node* Of(uint64_t number);
  [[nodiscard]] Node* root() { return &root_; }

 private:
  using Key = std::pair<dev_t, ino_t>;

  std::mutex mutex_;
  Node root_;
  std::map<Key, std::unique_ptr<Node>> nodes_;
};

}  // namespace locklab::faultfs

#endif  // LOCKLAB_STRESS_FAULTFS_NODE_H_
