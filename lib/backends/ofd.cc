// ofd: fcntl(2) F_OFD_SETLK on PATH.lock.
//
// Mechanism: as fcntl, but the lock belongs to the open file and not to the
// process: threads exclude each other and other descriptors do not matter.
// Needs: Linux 3.15 and a filesystem that carries POSIX locks.
// Weaknesses: a forked child shares the open file, so that a child which
// outlives a crashed holder keeps the lock.
#include "lib/backends/kernel_file.h"
#include "lib/backends/makers.h"

namespace lockfile {

std::unique_ptr<Backend> MakeOfd(os::Os& os, const std::string& path,
                                 const Options& options) {
  return std::make_unique<KernelFile>(os, path + ".lock", options,
                                      os::KernelLock::kOfd);
}

}  // namespace lockfile
