#include "stress/explore/model.h"

#include <linux/magic.h>

#include <array>

namespace locklab::explore {
namespace {

constexpr int64_t kSmb2Magic = 0xFE534D42;

constexpr auto kModels = std::to_array<Model>({
    {.name = "posix",
     .doc = "a local filesystem of one host",
     .assumes = "every call is atomic and seen by all at once; inode numbers "
                "are used again at once; times are too coarse to tell two "
                "changes apart",
     .magic = TMPFS_MAGIC},
    {.name = "nfs3",
     .doc = "NFSv3, each process on a client of its own",
     .assumes = "a reply may be lost and the request be repeated at once by "
                "a server that forgot it; looks by name may be as old as the "
                "client's last look, until it waits or changes the name; "
                "opens are fresh (close-to-open); locks go through lockd; no "
                "RENAME_NOREPLACE",
     .magic = NFS_SUPER_MAGIC,
     .no_replace = false,
     .many_hosts = true,
     .lost_replies = true,
     .stale_looks = true},
    {.name = "nfs4",
     .doc = "NFSv4, each process on a client of its own",
     .assumes = "sessions: each request is done once; looks by name may be "
                "stale as with nfs3; a client may lose its lease, and with it "
                "its locks, when the budget says so; no RENAME_NOREPLACE",
     .magic = NFS_SUPER_MAGIC,
     .no_replace = false,
     .many_hosts = true,
     .stale_looks = true,
     .lease_loss = true},
    {.name = "smb",
     .doc = "SMB, each process on a client of its own",
     .assumes = "neither hard links nor symbolic links; the name of a removed "
                "file that another has open stays until that is closed, and "
                "calls on it fail with ENOENT; looks are fresh",
     .magic = kSmb2Magic,
     .hard_links = false,
     .symlinks = false,
     .many_hosts = true,
     .delete_pending = true},
    {.name = "nolock",
     .doc = "a shared filesystem whose kernel locks stay on one host",
     .assumes = "files and names as in posix; each process on a host of its "
                "own, as with nfs mounted nolock",
     .magic = NFS_SUPER_MAGIC,
     .no_replace = false,
     .many_hosts = true,
     .local_locks = true},
});

}  // namespace

std::span<const Model> Models() { return kModels; }

const Model* FindModel(std::string_view name) {
  for (const Model& model : kModels) {
    if (model.name == name) return &model;
  }
  return nullptr;
}

}  // namespace locklab::explore
