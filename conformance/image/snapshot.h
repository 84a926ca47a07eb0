// What a disk holds at the moment when the power fails.
#ifndef LOCKLAB_CONFORMANCE_IMAGE_SNAPSHOT_H_
#define LOCKLAB_CONFORMANCE_IMAGE_SNAPSHOT_H_

#include <string>

#include "conformance/image/image.h"
#include "conformance/proc/poll_until.h"

namespace locklab::image {

// The kind of image that is made like the filesystem of `dir`; nullptr: there
// is none.
[[nodiscard]] const Kind* KindLike(const std::string& dir);

// Copies the image `from`, which Mount() has mounted on `target`, to the new
// file `to`: all that the filesystem has written to its disk until one moment,
// in the order in which it did, and nothing that is in memory alone. A moment
// at which nothing is being written is waited for, since the copy takes a
// while; so let nobody write. False: there was none by then. Throws ImageError.
//
// It is a disk without a cache of its own: what was handed to it is there. Real
// disks may also lose what was not flushed.
[[nodiscard]] bool Snapshot(const std::string& from, const std::string& target,
                            const std::string& to, proc::TimePoint deadline);

// Mounts a snapshot, whose original is mounted no more, after the repair that
// its kind needs after a power failure. Throws ImageError.
void MountSnapshot(const Kind& kind, const std::string& path,
                   const std::string& target);

}  // namespace locklab::image

#endif  // LOCKLAB_CONFORMANCE_IMAGE_SNAPSHOT_H_
