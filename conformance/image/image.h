// Filesystems in a file: an image that is made, attached to a loop device and
// mounted. For root.
//
// Nothing of it stays when the process ends, however it ends: the kernel
// detaches the loop device with its last user, and a mount goes with the mount
// namespace that it is in. So call proc::EnterMounts() in a child first.
#ifndef LOCKLAB_CONFORMANCE_IMAGE_IMAGE_H_
#define LOCKLAB_CONFORMANCE_IMAGE_IMAGE_H_

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace locklab::image {

// Something could not be made or mounted: one sentence that says what, why,
// and what to do.
class ImageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A way to make a filesystem.
struct Kind {
  std::string_view name;     // "ext4-nojournal"
  std::string_view type;     // "ext4": as mount(2) has it
  std::string_view mkfs;     // the program and its flags, apart by blanks
  std::string_view package;  // of Debian, which has it
  // Sparse: as much as mkfs demands, and a check needs.
  uint64_t bytes = 0;
  std::string_view options = "";  // of mount(2)
  // What makes it fit to be mounted after a power failure, as `mkfs`; "": the
  // kernel does.
  std::string_view repair = "";
};

// THE TABLE: what can be made.
[[nodiscard]] std::span<const Kind> Kinds();
// nullptr: no kind has that name.
[[nodiscard]] const Kind* FindKind(std::string_view name);

// Why an image of this kind cannot be made here, as one sentence that ends with
// what to do; empty: nothing is known against it.
[[nodiscard]] std::string WhyNot(const Kind& kind);
// The same for the devices alone.
[[nodiscard]] std::string WhyNoLoopDevices();

// Where a program is: on PATH, or where system programs are; empty: nowhere.
[[nodiscard]] std::string FindProgram(std::string_view name);
// Runs a program to its end, at most two minutes. Throws ImageError with what
// it said if it exits with more than `worst`.
void RunTool(const std::vector<std::string>& argv, int worst = 0);
// The words of a text, apart by blanks.
[[nodiscard]] std::vector<std::string> Words(std::string_view text);

// A descriptor that is closed again.
class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd();
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

// Makes a sparse file at `path` with a fresh filesystem in it. Throws
// ImageError.
void Make(const Kind& kind, const std::string& path);
// Mounts the filesystem in the file `path` on the directory `target`. Throws
// ImageError.
void Mount(const Kind& kind, const std::string& path,
           const std::string& target);
// Unmounts what is mounted on `target` last; waits for it at most ten seconds,
// then lets it go when its last user ends.
void Unmount(const std::string& target) noexcept;

// mount(2). Throws ImageError, which says what `what` names.
void MountOrThrow(const std::string& what, const std::string& source,
                  const std::string& target, const std::string& type,
                  unsigned long flags = 0, const std::string& options = "");

}  // namespace locklab::image

#endif  // LOCKLAB_CONFORMANCE_IMAGE_IMAGE_H_
