// THE TABLE of filesystems that the lab can make, and how the local ones are.
#include <fmt/format.h>
#include <sys/mount.h>

#include <array>
#include <string>

#include "conformance/claims/features.h"
#include "conformance/image/image.h"
#include "tools/lab/guest/guest.h"
#include "tools/lab/mounted.h"
#include "tools/lab/needs.h"
#include "tools/lab/variant.h"

namespace locklab::lab {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
// This program, what the guest says and what it finds.
constexpr uint64_t kGuestRoom = 32 * kMiB;

void MountTmpfs(const Variant&, Mounted* mounted) {
  const std::string dir = mounted->MakeDir("mnt");
  mounted->Mount("tmpfs", dir, "tmpfs", 0, "size=256m,mode=755");
  mounted->Show(dir);
}

// The kind of image that has the variant's name.
void MountImage(const Variant& variant, Mounted* mounted) {
  const std::string dir = mounted->MakeDir("mnt");
  mounted->MountImage(variant.name, dir);
  mounted->Show(dir);
}

// Its layers lie in a tmpfs: an overlay that is a layer of another may not be
// changed.
std::string MakeOverlay(Mounted* mounted) {
  const std::string base = mounted->MakeDir("base");
  mounted->Mount("tmpfs", base, "tmpfs", 0, "size=256m,mode=755");
  for (const char* layer : {"lower", "lower/job", "upper", "work"}) {
    mounted->MakeDir(fmt::format("base/{}", layer));
  }
  const std::string dir = mounted->MakeDir("mnt");
  mounted->Mount(
      "overlay", dir, "overlay", 0,
      fmt::format("lowerdir={0}/lower,upperdir={0}/upper,workdir={0}/work",
                  base));
  return dir;
}

void MountOverlay(const Variant&, Mounted* mounted) {
  const std::string dir = MakeOverlay(mounted);
  mounted->MakeDir("mnt/new");
  mounted->Show(dir + "/new");
}

void MountOverlayLower(const Variant&, Mounted* mounted) {
  mounted->Show(MakeOverlay(mounted) + "/job");
}

// One directory of a tmpfs, mounted once or twice.
void MountBind(const Variant& variant, Mounted* mounted) {
  const std::string base = mounted->MakeDir("base");
  mounted->Mount("tmpfs", base, "tmpfs", 0, "size=256m,mode=755");
  const std::string job = mounted->MakeDir("base/job");
  const std::string dir = mounted->MakeDir("mnt");
  mounted->Mount(job, dir, "", MS_BIND);
  if (variant.mounts == 1) return mounted->Show(dir);
  const std::string other = mounted->MakeDir("mnt2");
  mounted->Mount(job, other, "", MS_BIND);
  mounted->Show(dir, other);
}

// Our own FUSE filesystem over a directory of a tmpfs; one program, which
// mounts it once or twice.
void MountFaultfs(const Variant& variant, Mounted* mounted) {
  const std::string base = mounted->MakeDir("base");
  mounted->Mount("tmpfs", base, "tmpfs", 0, "size=256m,mode=755");
  std::vector<std::string> targets = {mounted->MakeDir("mnt")};
  if (variant.mounts == 2) targets.push_back(mounted->MakeDir("mnt2"));
  std::vector<std::string> argv = {mounted->locklab(), "faultfs",
                                   "--backing=" + base};
  argv.insert(argv.end(), targets.begin(), targets.end());
  mounted->Serve(argv, targets);
  mounted->Show(targets.front(), variant.mounts == 2 ? targets.back() : "");
}

// A mirror of a directory of a tmpfs, once or twice.
void MountBindfs(const Variant& variant, Mounted* mounted) {
  const std::string base = mounted->MakeDir("base");
  mounted->Mount("tmpfs", base, "tmpfs", 0, "size=256m,mode=755");
  const std::string dir = mounted->MakeDir("mnt");
  mounted->Serve({"bindfs", "-f", base, dir}, {dir});
  if (variant.mounts == 1) return mounted->Show(dir);
  const std::string other = mounted->MakeDir("mnt2");
  mounted->Serve({"bindfs", "-f", base, other}, {other});
  mounted->Show(dir, other);
}

constexpr std::string_view kNfsNeeds =
    "linux.uml rpc.nfsd mount.nfs rpcbind modprobe ip";
constexpr std::string_view kSmbNeeds = "linux.uml smbd mount.cifs modprobe ip";

// One row a filesystem.
const auto kRows = std::to_array<Variant>({
    {.name = "tmpfs",
     .doc = "memory",
     .made = "mount -t tmpfs",
     .needs = "mounts",
     .features = "hard-links symlinks rename-noreplace",
     .pack = "tmpfs",
     .mount = MountTmpfs},
    {.name = "ext4",
     .doc = "the usual disk filesystem, with its journal",
     .made = "mkfs.ext4 in a file, on a loop device",
     .needs = "mkfs.ext4 loop-devices",
     .features = "hard-links symlinks rename-noreplace",
     .pack = "ext4",
     .room = 128 * kMiB,
     .mount = MountImage},
    {.name = "ext4-nojournal",
     .doc = "ext4 without a journal",
     .made = "mkfs.ext4 -O ^has_journal in a file, on a loop device",
     .needs = "mkfs.ext4 loop-devices",
     .features = "hard-links symlinks rename-noreplace",
     .room = 128 * kMiB,
     .mount = MountImage},
    {.name = "xfs",
     .doc = "XFS",
     .made = "mkfs.xfs in a file, on a loop device",
     .needs = "mkfs.xfs loop-devices",
     .features = "hard-links symlinks rename-noreplace",
     .pack = "xfs",
     .room = 192 * kMiB,
     .mount = MountImage},
    {.name = "btrfs",
     .doc = "btrfs, which copies on write",
     .made = "mkfs.btrfs in a file, on a loop device",
     .needs = "mkfs.btrfs loop-devices",
     .features = "hard-links symlinks rename-noreplace",
     .pack = "btrfs",
     .room = 192 * kMiB,
     .mount = MountImage},
    {.name = "overlay",
     .doc = "an overlay, in a directory that is new",
     .made = "mount -t overlay over two directories of a tmpfs",
     .needs = "mounts",
     .features = "hard-links symlinks",
     .pack = "overlay",
     .mount = MountOverlay},
    {.name = "overlay-lower",
     .doc = "an overlay, in a directory of its lower layer (copied up)",
     .made = "mount -t overlay over two directories of a tmpfs",
     .needs = "mounts",
     .features = "hard-links symlinks",
     .pack = "overlay",
     .mount = MountOverlayLower},
    {.name = "bind",
     .doc = "a directory of a tmpfs, mounted elsewhere",
     .made = "mount --bind",
     .needs = "mounts",
     .features = "hard-links symlinks rename-noreplace",
     .pack = "tmpfs",
     .mount = MountBind,
     .twice = true},
    {.name = "fuse-passthrough",
     .doc = "our own FUSE filesystem without a sin",
     .made = "locklab faultfs over a tmpfs",
     .kind = Kind::kFuse,
     .needs = "fuse mounts",
     .mount = MountFaultfs,
     .twice = true},
    {.name = "bindfs",
     .doc = "a FUSE mirror that others made",
     .made = "bindfs over a tmpfs",
     .kind = Kind::kFuse,
     .needs = "fuse mounts bindfs",
     .pack = "bindfs",
     .mount = MountBindfs,
     .twice = true},

    {.name = "nfs3",
     .doc = "NFSv3, with its lock manager",
     .made = "the kernel's server and client, in a guest",
     .kind = Kind::kGuest,
     .needs = kNfsNeeds,
     .pack = "nfs3",
     .run = RunInGuest,
     .in_guest = "nfs vers=3",
     .twice = true},
    {.name = "nfs3-nolock",
     .doc = "NFSv3 whose locks stay on the client (nolock)",
     .made = "the kernel's server and client, in a guest",
     .kind = Kind::kGuest,
     .needs = kNfsNeeds,
     .pack = "nfs3-nolock",
     .run = RunInGuest,
     .in_guest = "nfs vers=3,nolock",
     .twice = true},
    {.name = "nfs3-noac",
     .doc = "NFSv3 without attribute caches (noac, lookupcache=none)",
     .made = "the kernel's server and client, in a guest",
     .kind = Kind::kGuest,
     .needs = kNfsNeeds,
     .pack = "nfs3",
     .run = RunInGuest,
     .in_guest = "nfs vers=3,noac,lookupcache=none",
     .twice = true},
    {.name = "nfs4.0",
     .doc = "NFSv4.0",
     .made = "the kernel's server and client, in a guest",
     .kind = Kind::kGuest,
     .needs = kNfsNeeds,
     .pack = "nfs4",
     .run = RunInGuest,
     .in_guest = "nfs vers=4.0",
     .twice = true},
    {.name = "nfs4.1",
     .doc = "NFSv4.1",
     .made = "the kernel's server and client, in a guest",
     .kind = Kind::kGuest,
     .needs = kNfsNeeds,
     .pack = "nfs4",
     .run = RunInGuest,
     .in_guest = "nfs vers=4.1",
     .twice = true},
    {.name = "nfs4.2",
     .doc = "NFSv4.2",
     .made = "the kernel's server and client, in a guest",
     .kind = Kind::kGuest,
     .needs = kNfsNeeds,
     .pack = "nfs4",
     .run = RunInGuest,
     .in_guest = "nfs vers=4.2",
     .twice = true},
    {.name = "smb3",
     .doc = "SMB 3.1.1",
     .made = "Samba and the kernel's client, in a guest",
     .kind = Kind::kGuest,
     .needs = kSmbNeeds,
     .pack = "smb3",
     .run = RunInGuest,
     .in_guest = "smb vers=3.1.1",
     .twice = true},
    {.name = "smb3-nobrl",
     .doc = "SMB 3.1.1 whose record locks stay on the client (nobrl)",
     .made = "Samba and the kernel's client, in a guest",
     .kind = Kind::kGuest,
     .needs = kSmbNeeds,
     .pack = "smb3-nobrl",
     .run = RunInGuest,
     .in_guest = "smb vers=3.1.1,nobrl",
     .twice = true},
    {.name = "smb3-mfsymlinks",
     .doc = "SMB 3.1.1 with symbolic links in files (mfsymlinks)",
     .made = "Samba and the kernel's client, in a guest",
     .kind = Kind::kGuest,
     .needs = kSmbNeeds,
     .pack = "smb3",
     .run = RunInGuest,
     .in_guest = "smb vers=3.1.1,mfsymlinks",
     .twice = true},
    {.name = "smb3-cache-none",
     .doc = "SMB 3.1.1 without a cache (cache=none)",
     .made = "Samba and the kernel's client, in a guest",
     .kind = Kind::kGuest,
     .needs = kSmbNeeds,
     .pack = "smb3",
     .run = RunInGuest,
     .in_guest = "smb vers=3.1.1,cache=none",
     .twice = true},
    {.name = "smb3-noserverino",
     .doc = "SMB 3.1.1, a number for each name of a file (noserverino)",
     .made = "Samba and the kernel's client, in a guest",
     .kind = Kind::kGuest,
     .needs = kSmbNeeds,
     .pack = "smb3",
     .run = RunInGuest,
     .in_guest = "smb vers=3.1.1,noserverino",
     .twice = true},
    {.name = "smb1-unix",
     .doc = "SMB 1 with the UNIX extensions",
     .made = "Samba and the kernel's client, in a guest",
     .kind = Kind::kGuest,
     .needs = kSmbNeeds,
     .pack = "smb1",
     .run = RunInGuest,
     .in_guest = "smb vers=1.0,unix",
     .twice = true},
});

std::vector<Variant> Expand() {
  std::vector<Variant> all;
  for (Variant row : kRows) {
    if (row.kind == Kind::kGuest) row.room = kGuestRoom;
    row.slow = row.in_guest.starts_with("smb ");
    all.push_back(row);
    if (!row.twice) continue;
    all.push_back(row);
    all.back().name += "/2";
    all.back().mounts = 2;
  }
  return all;
}

}  // namespace

std::string_view KindName(Kind kind) {
  switch (kind) {
    case Kind::kLocal:
      return "local";
    case Kind::kFuse:
      return "fuse";
    case Kind::kGuest:
      return "guest";
  }
  return "?";
}

std::span<const Variant> Variants() {
  static const std::vector<Variant> all = Expand();
  return all;
}

const Variant* FindVariant(std::string_view name) {
  for (const Variant& variant : Variants()) {
    if (variant.name == name) return &variant;
  }
  return nullptr;
}

std::string WhyNot(const Variant& variant) {
  if (variant.mount == nullptr && variant.run == nullptr) {
    return "this locklab cannot make it yet";
  }
  for (const std::string_view name : NamesIn(variant.needs)) {
    const Need* need = FindNeed(name);
    if (need == nullptr) return fmt::format("no need is called {}", name);
    std::string why = WhyMissing(*need);
    if (!why.empty()) return why;
  }
  return "";
}

}  // namespace locklab::lab
