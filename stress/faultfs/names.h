// How names are made, with all that can go wrong with it.
#ifndef LOCKLAB_STRESS_FAULTFS_NAMES_H_
#define LOCKLAB_STRESS_FAULTFS_NAMES_H_

#include <functional>
#include <string>

#include "stress/faultfs/volume.h"

namespace locklab::faultfs {

// Makes the thing under a name of the backing directory: 0 or an errno, EEXIST
// if the name is there.
using MakeAt = std::function<int(const Node& dir, const std::string& name)>;

// What was made; its node counts one lookup.
struct Made {
  Node* node = nullptr;
  struct stat info {};
  // A descriptor of it that needs no name; may be empty.
  std::function<int()> again = {};
};

// A descriptor of O_PATH of what a path in /proc/self/fd stands for.
[[nodiscard]] int OpenAgain(const std::string& path);

// Makes it with the sins of `op`: 0 or an errno.
[[nodiscard]] int Make(Volume* volume, Op op, const Node& dir,
                       const std::string& name, const MakeAt& make, Made* made);

}  // namespace locklab::faultfs

#endif  // LOCKLAB_STRESS_FAULTFS_NAMES_H_
