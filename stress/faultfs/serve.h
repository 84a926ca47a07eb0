// A filesystem of one's own: a directory shown again at other places, through
// FUSE, with chosen sins.
#ifndef LOCKLAB_STRESS_FAULTFS_SERVE_H_
#define LOCKLAB_STRESS_FAULTFS_SERVE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "stress/faultfs/sins.h"

namespace locklab::faultfs {

struct ServeOptions {
  std::string backing;  // an existing directory
  // Where it is shown: empty directories, outside of `backing`. Each is a mount
  // of its own, with caches of its own, as two clients of a server have it.
  std::vector<std::string> mount_points;
  std::vector<Chosen> sins = {};
  uint64_t seed = 0;
  // Unmount also if this process is SIGKILLed: a second process waits for its
  // end. Not needed in a mount namespace that ends with this process.
  bool unmount_when_killed = false;
};

// Why FUSE is not to be had here, and what to do; empty: it is.
[[nodiscard]] std::string WhyNoFuse();

// Mounts, calls `ready`, serves until SIGINT, SIGTERM or SIGHUP comes or all
// mounts were unmounted from outside, and unmounts. Returns why it could not
// mount, as one sentence; empty: it served. Takes these signals for itself and
// starts threads: for a process that does nothing else, and leaves it by
// _exit.
[[nodiscard]] std::string Serve(const ServeOptions& options,
                                const std::function<void()>& ready);

}  // namespace locklab::faultfs

#endif  // LOCKLAB_STRESS_FAULTFS_SERVE_H_
