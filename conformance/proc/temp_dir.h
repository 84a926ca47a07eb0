// A directory that goes when the run goes, also if the run is SIGKILLed: its
// name says which process made it, and the next run sweeps what the dead left.
#ifndef LOCKLAB_CONFORMANCE_PROC_TEMP_DIR_H_
#define LOCKLAB_CONFORMANCE_PROC_TEMP_DIR_H_

#include <sys/types.h>

#include <string>

namespace locklab::proc {

class TempDir {
 public:
  // Makes `parent`/locklab-PID-START-...-XXXXXX, mode 0700. An empty parent
  // stands for $TEST_TMPDIR, $TMPDIR or /tmp, whichever there is first.
  // Throws std::system_error with a message for people.
  explicit TempDir(const std::string& parent = "");
  // Removes it with all that is in it, write-protected directories included,
  // unless this process is a fork of the one that made it.
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  // path() + "/" + name.
  [[nodiscard]] std::string operator/(const std::string& name) const {
    return path_ + "/" + name;
  }
  // Leaves it in place.
  void Keep() { owner_ = -1; }

 private:
  std::string path_;
  pid_t owner_ = -1;
};

// Removes a directory tree as far as it may; false: something is left. A
// symbolic link at `path` is removed itself and not followed.
bool RemoveTree(const std::string& path);

// Removes those TempDirs in `parent` (empty: as in TempDir) whose maker is
// proven dead, by the rules for lock holders (owner.h): what another host or
// container made is left alone. Returns how many were removed; never throws,
// never blocks for long.
int SweepDead(const std::string& parent);

}  // namespace locklab::proc

#endif  // LOCKLAB_CONFORMANCE_PROC_TEMP_DIR_H_
