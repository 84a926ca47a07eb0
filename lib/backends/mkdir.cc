// mkdir: PATH.lock is a directory with one entry, named for its holder.
//
// Mechanism: see dir_cell.h. Needs neither links of any kind nor locks of the
// kernel.
// Needs: nothing.
// Weaknesses: five system calls on each side. Two programs die between two
// calls of theirs and leave an empty directory: ours in release (replaced or
// cleared by the next), Python's lockfile in acquire (cleared after a grace
// time in which it was watched empty). If a Python creator is stopped for
// longer than that between its mkdir and its next call, it is robbed.
#include "lib/backends/dir_cell.h"
#include "lib/backends/makers.h"

namespace lockfile {

std::unique_ptr<Backend> MakeMkdir(os::Os& os, const std::string& path,
                                   const Options& options) {
  const std::string lock_path = path + ".lock";
  return std::make_unique<DirCell>(os, lock_path, LockNames(lock_path), options,
                                   DirCell::Peers::kForeignToo);
}

}  // namespace lockfile
