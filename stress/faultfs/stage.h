// A faultfs for one run, where nothing of it can stay behind: its mounts, and
// the memory that it keeps all in, are in the mount namespace of this process.
//
//   proc::EnterMounts();             // in a process that ends soon: see there
//   const Stage stage({.mounts = 2});
//   Examine(stage.dir(0), stage.dir(1));
#ifndef LOCKLAB_STRESS_FAULTFS_STAGE_H_
#define LOCKLAB_STRESS_FAULTFS_STAGE_H_

#include <string>
#include <vector>

#include "conformance/proc/child.h"
#include "conformance/proc/temp_dir.h"
#include "stress/faultfs/serve.h"

namespace locklab::faultfs {

class Stage {
 public:
  struct Plan {
    int mounts = 1;
    std::vector<Chosen> sins = {};
    uint64_t seed = 0;
  };
  // Mounts, in another process. Throws std::runtime_error with one sentence.
  explicit Stage(const Plan& plan);
  // Unmounts.
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  // The same directory through mount number `mount`, from 0.
  [[nodiscard]] const std::string& dir(size_t mount = 0) const {
    return options_.mount_points.at(mount);
  }
  // The directory itself.
  [[nodiscard]] const std::string& backing() const { return options_.backing; }
  [[nodiscard]] proc::Child& server() { return server_; }

 private:
  void Start();

  proc::TempDir scratch_;
  ServeOptions options_;
  proc::Child server_;
};

}  // namespace locklab::faultfs

#endif  // LOCKLAB_STRESS_FAULTFS_STAGE_H_
