#include "tools/lab/needs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "conformance/image/image.h"
#include "conformance/proc/namespaces.h"

namespace locklab::lab {
namespace {

std::string ProbeMounts() {
  const std::string why = proc::WhyNot(proc::EnterMounts);
  if (why.empty()) return "";
  return fmt::format("{}: run it as root, or let users make user namespaces",
                     why);
}

std::string ProbeFuse() {
  const int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    return fmt::format(
        "cannot open /dev/fuse: {}: load the module fuse (modprobe fuse); in a "
        "container, give it the device (--device /dev/fuse)",
        std::strerror(errno));
  }
  close(fd);
  return "";
}

constexpr auto kNeeds = std::to_array<Need>({
    {.name = "mounts",
     .doc = "the right to mount in a mount namespace of one's own",
     .package = "",
     .probe = ProbeMounts},
    {.name = "loop-devices",
     .doc = "loop devices, and the rights of root to use them",
     .package = "",
     .probe = image::WhyNoLoopDevices},
    {.name = "fuse",
     .doc = "/dev/fuse",
     .package = "fuse3",
     .probe = ProbeFuse},
    {.name = "mkfs.ext4", .doc = "makes ext4", .package = "e2fsprogs"},
    {.name = "mkfs.xfs", .doc = "makes XFS", .package = "xfsprogs"},
    {.name = "mkfs.btrfs", .doc = "makes btrfs", .package = "btrfs-progs"},
    {.name = "bindfs", .doc = "a FUSE mirror", .package = "bindfs"},
    {.name = "linux.uml",
     .doc = "Linux as a program: the guest's kernel",
     .package = "user-mode-linux"},
    {.name = "rpc.nfsd",
     .doc = "starts the NFS server",
     .package = "nfs-kernel-server"},
    {.name = "mount.nfs", .doc = "mounts NFS", .package = "nfs-common"},
    {.name = "rpcbind", .doc = "finds RPC programs", .package = "rpcbind"},
    {.name = "smbd", .doc = "the SMB server", .package = "samba"},
    {.name = "mount.cifs", .doc = "mounts SMB", .package = "cifs-utils"},
    {.name = "ip", .doc = "makes networks", .package = "iproute2"},
    {.name = "modprobe", .doc = "loads modules", .package = "kmod"},
});

}  // namespace

std::span<const Need> Needs() { return kNeeds; }

const Need* FindNeed(std::string_view name) {
  for (const Need& need : kNeeds) {
    if (need.name == name) return &need;
  }
  return nullptr;
}

std::string WhyMissing(const Need& need) {
  if (need.probe != nullptr) return need.probe();
  if (!image::FindProgram(need.name).empty()) return "";
  return fmt::format("there is no {}: apt-get install {}", need.name,
                     need.package);
}

}  // namespace locklab::lab
