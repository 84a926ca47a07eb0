// One mount: the backing directory as the kernel asks for it through FUSE.
#ifndef LOCKLAB_STRESS_FAULTFS_VOLUME_H_
#define LOCKLAB_STRESS_FAULTFS_VOLUME_H_

#define FUSE_USE_VERSION 312

#include <fuse3/fuse_lowlevel.h>

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "stress/faultfs/lock_desk.h"
#include "stress/faultfs/node.h"
#include "stress/faultfs/sins.h"

namespace locklab::faultfs {

// Names that were removed and are still found: Sin::kUnlinkLate.
class Ghosts {
 public:
  // Before a name is removed: what it stands for. Then Haunt, if it was.
  [[nodiscard]] static int Open(const Node& dir, const char* name);
  void Haunt(const Node& dir, const char* name, int fd,
             std::chrono::milliseconds time);
  // A descriptor of what the name stood for; -1: nothing.
  [[nodiscard]] int Find(const Node& dir, const char* name);

 private:
  using Key = std::pair<std::pair<dev_t, ino_t>, std::string>;
  struct Ghost {
    int fd;
    std::chrono::steady_clock::time_point end;
  };
  // Lets those go whose time has come.
  void Lay();

  std::mutex mutex_;
  std::map<Key, Ghost> all_;
};

// What all mounts that one process serves have in common.
struct Shared {
  Shared(std::span<const Chosen> chosen, uint64_t seed) : sins(chosen, seed) {}

  Sins sins;
  LockDesk locks;
  Ghosts ghosts;
};

// An entry of a directory: inode number and type alone.
struct Entry {
  std::string name;
  struct stat info;
};

// Used by all threads that serve the mount.
class Volume {
 public:
  explicit Volume(Shared* shared) : shared_(*shared) {}

  NodeTable nodes;

  [[nodiscard]] Sins& sins() { return shared_.sins; }
  [[nodiscard]] LockDesk& locks() { return shared_.locks; }
  [[nodiscard]] Ghosts& ghosts() { return shared_.ghosts; }

  // The mount that a request came from.
  [[nodiscard]] static Volume& Of(fuse_req_t request) {
    return *static_cast<Volume*>(fuse_req_userdata(request));
  }

  // A name as the backing directory has it.
  [[nodiscard]] std::string Fold(const char* name);
  // Attributes as they are told.
  void Disguise(struct stat* info);
  // How long the kernel may keep them in mind, and names, in seconds: not at
  // all, since another mount may change them at any time.
  [[nodiscard]] double AttributeTime();
  [[nodiscard]] double NameTime();

  // --- Sin::kReaddirStale: what was listed a while ago --------------------
  [[nodiscard]] bool Remember(const Node& dir, std::vector<Entry>* entries);
  void Keep(const Node& dir, const std::vector<Entry>& entries);

  // --- Sin::kLocksLocal -----------------------------------------------------
  // A file of this mount's own to lock instead of the node's.
  [[nodiscard]] std::string ShadowOf(const Node& node);
  // The same, opened for the open file `handle`; closed by DropShadow.
  [[nodiscard]] int ShadowFor(const Node& node, uint64_t handle);
  void DropShadow(uint64_t handle);

 private:
  struct Listed {
    std::vector<Entry> entries;
    std::chrono::steady_clock::time_point end;
  };
  using Key = std::pair<dev_t, ino_t>;

  Shared& shared_;
  std::mutex mutex_;  // of what is below
  std::map<Key, Listed> listed_;
  std::map<Key, int> shadows_;
  std::map<uint64_t, int> shadow_handles_;
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

// Each sets the operations of its file in the table.
void AddNodeOps(fuse_lowlevel_ops* ops);  // attributes, look-ups
void AddNameOps(fuse_lowlevel_ops* ops);  // making, removing, renaming
void AddFileOps(fuse_lowlevel_ops* ops);  // open files
void AddDirOps(fuse_lowlevel_ops* ops);   // directories
void AddLockOps(fuse_lowlevel_ops* ops);  // the kernel's locks

// How the kernel is told of a node.
[[nodiscard]] fuse_entry_param EntryOf(Volume* volume, Node* node,
                                       const struct stat& info);
// Answers with the node of a name that was just looked up or made.
void ReplyEntry(fuse_req_t request, Node* node, const struct stat& info);

}  // namespace locklab::faultfs

#endif  // LOCKLAB_STRESS_FAULTFS_VOLUME_H_
