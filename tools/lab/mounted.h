// What a local variant mounts, for as long as it is needed.
//
//   proc::EnterMounts();                    // in a child: see below
//   const Mounted mounted = ...;
//   Examine(mounted.dir());
//
// It mounts in the namespace of the process that it is used in: one of its own,
// made by proc::EnterMounts(), so that nothing stays mounted when it is killed.
#ifndef LOCKLAB_TOOLS_LAB_MOUNTED_H_
#define LOCKLAB_TOOLS_LAB_MOUNTED_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/proc/child.h"
#include "tools/lab/variant.h"

namespace locklab::lab {

class Mounted {
 public:
  // `scratch` exists and is empty.
  Mounted(std::string scratch, std::string locklab)
      : scratch_(std::move(scratch)), locklab_(std::move(locklab)) {}
  // Unmounts all, the last first, and stops what serves it.
  ~Mounted();
  Mounted(const Mounted&) = delete;
  Mounted& operator=(const Mounted&) = delete;

  // What is examined; the same through another mount, or "".
  [[nodiscard]] const std::string& dir() const { return dir_; }
  [[nodiscard]] const std::string& other_mount() const { return other_mount_; }

  // --- for rows: all throw image::ImageError --------------------------------
  // This program: a path to it.
  [[nodiscard]] const std::string& locklab() const { return locklab_; }
  // Makes a directory in the scratch directory.
  std::string MakeDir(const std::string& name);
  // mount(2).
  void Mount(const std::string& source, const std::string& target,
             const std::string& type, unsigned long flags = 0,
             const std::string& options = "");
  // Makes an image of this kind (conformance/image) and mounts it.
  void MountImage(std::string_view kind, const std::string& target);
  // Starts a program that stays in the foreground and serves `targets`; returns
  // when something is mounted on each.
  void Serve(const std::vector<std::string>& argv,
             const std::vector<std::string>& targets);
  // What comes back as dir() and other_mount().
  void Show(std::string dir, std::string other_mount = "");

 private:
  std::string scratch_;
  std::string locklab_;
  std::string dir_;
  std::string other_mount_;
  std::vector<std::string> targets_;  // in the order mounted
  std::vector<proc::Child> servers_;
};

}  // namespace locklab::lab

#endif  // LOCKLAB_TOOLS_LAB_MOUNTED_H_
