// What a directory lives on, as the kernel's mount table tells it.
#ifndef LOCKLAB_CONFORMANCE_PROC_FILESYSTEM_H_
#define LOCKLAB_CONFORMANCE_PROC_FILESYSTEM_H_

#include <string>
#include <string_view>

namespace locklab::proc {

struct Filesystem {
  std::string type;         // "ext4", "nfs4"; empty: could not be found out
  std::string source;       // "/dev/vda", "server:/export"
  std::string options;      // of the mount, then of the filesystem
  std::string mount_point;  // where it is mounted

  bool operator==(const Filesystem&) const = default;
};

// Of the filesystem that `path` is on; symbolic links are followed. All empty
// if `path` does not exist. Never throws.
[[nodiscard]] Filesystem FilesystemOf(const std::string& path);

// Whether other hosts may have a filesystem of this type mounted at the same
// time: "nfs4", "cifs", "ceph", "fuse.sshfs", and whatever is not known to be
// on a disk or in the memory of one machine.
[[nodiscard]] bool MayBeShared(std::string_view type);

// FilesystemOf an absolute, canonical `path` and the text of
// /proc/self/mountinfo (see proc_pid_mountinfo(5)). For tests.
[[nodiscard]] Filesystem FindMount(std::string_view mountinfo,
                                   std::string_view path);

}  // namespace locklab::proc

#endif  // LOCKLAB_CONFORMANCE_PROC_FILESYSTEM_H_
