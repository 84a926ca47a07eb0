// Making, removing and renaming, and what can go wrong with it.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <thread>

#include "stress/faultfs/names.h"
#include "stress/faultfs/volume.h"

namespace locklab::faultfs {
namespace {

Node& NodeOf(fuse_req_t request, fuse_ino_t number) {
  return *Volume::Of(request).nodes.Of(number);
}

int ErrorOf(int result) { return result == 0 ? 0 : errno; }

bool IsThere(const Node& dir, const std::string& name) {
  struct stat info {};
  return fstatat(dir.fd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
}

// A name that nobody else uses.
std::string Aside() {
  static std::atomic<uint64_t> used = 0;
  return ".faultfs-" + std::to_string(getpid()) + "-" + std::to_string(++used);
}

// In place of whatever is there.
int Replace(const Node& dir, const std::string& name, const MakeAt& make) {
  const std::string aside = Aside();
  int error = make(dir, aside);
  if (error == 0) {
    error = ErrorOf(renameat(dir.fd, aside.c_str(), dir.fd, name.c_str()));
  }
  // Two names of one file stay where they are.
  unlinkat(dir.fd, aside.c_str(), 0);
  return error;
}

// What a run of locklab makes for its own use is not struck: a run that cannot
// begin finds nothing out.
bool IsSpared(const std::string& name) { return name.starts_with("locklab-"); }

Sin RaceOf(Op op) {
  switch (op) {
    case Op::kMkdir:
      return Sin::kMkdirNotAtomic;
    case Op::kSymlink:
      return Sin::kSymlinkNotAtomic;
    case Op::kCreate:
      return Sin::kExclNotAtomic;
    default:
      return Sin::kLinkNotAtomic;
  }
}

// Makes it, and lets whoever comes in between make it, too.
int MakeSlowly(Op op, const Node& dir, const std::string& name,
               std::chrono::milliseconds time, const MakeAt& make) {
  if (IsThere(dir, name)) return EEXIST;
  std::this_thread::sleep_for(time);
  const int error = make(dir, name);
  if (error != EEXIST) return error;
  return op == Op::kMkdir ? 0 : Replace(dir, name, make);
}

// Makes it where nobody finds it.
int MakeNowhere(Volume* volume, Op op, const Node& dir, const std::string& name,
                const MakeAt& make, Made* made) {
  if (IsThere(dir, name)) return EEXIST;
  const std::string aside = Aside();
  int error = make(dir, aside);
  if (error != 0) return error;
  error = volume->nodes.Look(dir, aside.c_str(), &made->node, &made->info);
  unlinkat(dir.fd, aside.c_str(), op == Op::kMkdir ? AT_REMOVEDIR : 0);
  return error;
}

}  // namespace

int OpenAgain(const std::string& path) {
  return open(path.c_str(), O_PATH | O_CLOEXEC);
}

int Make(Volume* volume, Op op, const Node& dir, const std::string& name,
         const MakeAt& make, Made* made) {
  static Sins none({}, 0);
  Sins& sins = IsSpared(name) ? none : volume->sins();
  if (op == Op::kLink && sins.Strike(Sin::kLinkEperm) != nullptr) return EPERM;
  if (sins.Strike(Sin::kEnospc) != nullptr) return ENOSPC;
  if (sins.Strike(Sin::kNoEffect, op) != nullptr) {
    return MakeNowhere(volume, op, dir, name, make, made);
  }
  const Chosen* race = sins.Strike(RaceOf(op));
  int error = race != nullptr ? MakeSlowly(op, dir, name, race->ms, make)
                              : make(dir, name);
  if (error != 0) return error;
  if (sins.Strike(Sin::kLostReply, op) != nullptr) return EIO;
  error = volume->nodes.Look(dir, name.c_str(), &made->node, &made->info);
  // Removed since, through another mount: it was made all the same.
  if (error == ENOENT && made->again) {
    return volume->nodes.Adopt(made->again(), name.c_str(), &made->node,
                               &made->info);
  }
  return error;
}

namespace {

void MakeAndReply(fuse_req_t request, Op op, fuse_ino_t parent,
                  const char* name, const MakeAt& make, Made made = {}) {
  Volume& volume = Volume::Of(request);
  const int error = Make(&volume, op, NodeOf(request, parent),
                         volume.Fold(name), make, &made);
  if (error != 0) {
    fuse_reply_err(request, error);
  } else {
    ReplyEntry(request, made.node, made.info);
  }
}

void MakeNode(fuse_req_t request, fuse_ino_t parent, const char* name,
              mode_t mode, dev_t device) {
  MakeAndReply(request, Op::kCreate, parent, name,
               [=](const Node& dir, const std::string& at) {
                 const AsUser user(request);
                 return ErrorOf(mknodat(dir.fd, at.c_str(), mode, device));
               });
}

void MakeDir(fuse_req_t request, fuse_ino_t parent, const char* name,
             mode_t mode) {
  MakeAndReply(request, Op::kMkdir, parent, name,
               [=](const Node& dir, const std::string& at) {
                 const AsUser user(request);
                 return ErrorOf(mkdirat(dir.fd, at.c_str(), mode));
               });
}

void Symlink(fuse_req_t request, const char* text, fuse_ino_t parent,
             const char* name) {
  MakeAndReply(request, Op::kSymlink, parent, name,
               [=](const Node& dir, const std::string& at) {
                 const AsUser user(request);
                 return ErrorOf(symlinkat(text, dir.fd, at.c_str()));
               });
}

void Link(fuse_req_t request, fuse_ino_t number, fuse_ino_t parent,
          const char* name) {
  const std::string from = NodeOf(request, number).Path();
  MakeAndReply(request, Op::kLink, parent, name,
               [&from](const Node& dir, const std::string& at) {
                 return ErrorOf(linkat(AT_FDCWD, from.c_str(), dir.fd,
                                       at.c_str(), AT_SYMLINK_FOLLOW));
               },
               {.again = [&from] { return OpenAgain(from); }});
}

// --- removing and renaming ---------------------------------------------------

// Does it, unless a sin comes in between.
int Do(Volume* volume, Op op, const std::string& name,
       const std::function<int()>& act) {
  if (IsSpared(name)) return ErrorOf(act());
  if (volume->sins().Strike(Sin::kNoEffect, op) != nullptr) return 0;
  const int error = ErrorOf(act());
  if (error != 0) return error;
  return volume->sins().Strike(Sin::kLostReply, op) != nullptr ? EIO : 0;
}

// The same for what takes a name away.
int DoAndHaunt(Volume* volume, Op op, const Node& dir, const std::string& name,
               const std::function<int()>& act) {
  const Chosen* late = volume->sins().Strike(Sin::kUnlinkLate);
  const int ghost = late != nullptr ? Ghosts::Open(dir, name.c_str()) : -1;
  const int error = Do(volume, op, name, act);
  if (ghost >= 0 && error == 0) {
    volume->ghosts().Haunt(dir, name.c_str(), ghost, late->ms);
  } else if (ghost >= 0) {
    close(ghost);
  }
  return error;
}

void Remove(fuse_req_t request, Op op, fuse_ino_t parent, const char* typed,
            int flags) {
  Volume& volume = Volume::Of(request);
  const Node& dir = NodeOf(request, parent);
  const std::string name = volume.Fold(typed);
  fuse_reply_err(request, DoAndHaunt(&volume, op, dir, name, [&] {
                   return unlinkat(dir.fd, name.c_str(), flags);
                 }));
}

void Unlink(fuse_req_t request, fuse_ino_t parent, const char* name) {
  Remove(request, Op::kUnlink, parent, name, 0);
}

void RemoveDir(fuse_req_t request, fuse_ino_t parent, const char* name) {
  Remove(request, Op::kRmdir, parent, name, AT_REMOVEDIR);
}

struct Move {
  const Node& from_dir;
  std::string from;
  const Node& to_dir;
  std::string to;
  unsigned flags;
};

// As by copying and removing: what it replaces is gone for a while, and all who
// come meanwhile have renamed it, too.
int RenameInSteps(const Move& move, std::chrono::milliseconds time) {
  const int source = openat(move.from_dir.fd, move.from.c_str(),
                            O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (source < 0) return -1;
  unlinkat(move.to_dir.fd, move.to.c_str(), 0);
  std::this_thread::sleep_for(time);
  int result = renameat(move.from_dir.fd, move.from.c_str(), move.to_dir.fd,
                        move.to.c_str());
  if (result != 0 && errno == ENOENT) {
    const std::string same = "/proc/self/fd/" + std::to_string(source);
    // What cannot be linked is nowhere then, and success is reported.
    [[maybe_unused]] const int linked =
        linkat(AT_FDCWD, same.c_str(), move.to_dir.fd, move.to.c_str(),
               AT_SYMLINK_FOLLOW);
    result = 0;
  }
  const int error = errno;
  close(source);
  errno = error;
  return result;
}

int Rename(Volume* volume, const Move& move) {
  unsigned flags = move.flags;
  const Chosen* replaces = nullptr;
  if ((flags & RENAME_NOREPLACE) != 0) {
    replaces = volume->sins().Strike(Sin::kRenameReplaces);
  }
  if (replaces != nullptr) {
    std::this_thread::sleep_for(replaces->ms);
    flags &= ~unsigned{RENAME_NOREPLACE};
  }
  const Chosen* torn =
      flags == 0 ? volume->sins().Strike(Sin::kRenameNotAtomic) : nullptr;
  if (torn != nullptr) return RenameInSteps(move, torn->ms);
  return renameat2(move.from_dir.fd, move.from.c_str(), move.to_dir.fd,
                   move.to.c_str(), flags);
}

void RenameAndReply(fuse_req_t request, fuse_ino_t from_dir, const char* from,
                    fuse_ino_t to_dir, const char* to, unsigned flags) {
  Volume& volume = Volume::Of(request);
  const Move move{.from_dir = NodeOf(request, from_dir),
                  .from = volume.Fold(from),
                  .to_dir = NodeOf(request, to_dir),
                  .to = volume.Fold(to),
                  .flags = flags};
  fuse_reply_err(request,
                 DoAndHaunt(&volume, Op::kRename, move.from_dir, move.from,
                            [&] { return Rename(&volume, move); }));
}

}  // namespace

void AddNameOps(fuse_lowlevel_ops* ops) {
  ops->mknod = MakeNode;
  ops->mkdir = MakeDir;
  ops->symlink = Symlink;
  ops->link = Link;
  ops->unlink = Unlink;
  ops->rmdir = RemoveDir;
  ops->rename = RenameAndReply;
}

}  // namespace locklab::faultfs
