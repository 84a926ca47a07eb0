// What the tests of this folder stand on: a backend, a fresh directory, and a
// thread that holds a lock for as long as it is told to.
#ifndef LOCKLAB_CONFORMANCE_COMPAT_LOCK_FIXTURE_H_
#define LOCKLAB_CONFORMANCE_COMPAT_LOCK_FIXTURE_H_

#include <chrono>
#include <latch>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

#include "conformance/proc/temp_dir.h"
#include "gtest/gtest.h"
#include "lib/lock_file.h"

namespace locklab::compat {

// Long enough for the slowest machine: only a failing test waits so long.
inline constexpr std::chrono::seconds kPatience{20};

// The name of every row of the library's table, in its order.
[[nodiscard]] std::vector<std::string> AllBackends();
// Those that break_lock() can take from a live holder.
[[nodiscard]] std::vector<std::string> BreakableBackends();
// Those whose lock lies on the filesystem only, and so outlives its holder.
[[nodiscard]] std::vector<std::string> SoftBackends();

// Where to make a proc::TempDir for many rounds: in memory, if there is such a
// directory, since rounds a second are what finds a race; else as usual.
[[nodiscard]] std::string FastParent();

[[nodiscard]] std::string ReadFile(const std::string& path);
void WriteFile(const std::string& path, std::string_view text);

// A fresh directory and locks of one backend for a path in it.
class LockTest : public testing::Test {
 protected:
  [[nodiscard]] virtual std::string backend() const = 0;
  [[nodiscard]] virtual bool threaded() const { return true; }

  [[nodiscard]] const lockfile::BackendRow& row() const {
    return *lockfile::FindBackend(backend());
  }
  [[nodiscard]] lockfile::Options options() const {
    lockfile::Options options;
    options.backend = backend();
    options.threaded = threaded();
    return options;
  }
  [[nodiscard]] std::string dir() const { return dir_.path(); }
  [[nodiscard]] std::string path() const { return dir() + "/resource"; }

 private:
  proc::TempDir dir_{FastParent()};
};

// The parameter is the backend's name.
class EveryBackend : public LockTest,
                     public testing::WithParamInterface<std::string> {
 protected:
  [[nodiscard]] std::string backend() const override { return GetParam(); }
};

// The parameters are the backend's name and Options::threaded.
class EveryMode
    : public LockTest,
      public testing::WithParamInterface<std::tuple<std::string, bool>> {
 protected:
  [[nodiscard]] std::string backend() const override {
    return std::get<0>(GetParam());
  }
  [[nodiscard]] bool threaded() const override {
    return std::get<1>(GetParam());
  }
};

// "link", and "link_threaded" or "link_process" where there are two modes.
[[nodiscard]] std::string NameOfBackend(
    const testing::TestParamInfo<std::string>& info);
[[nodiscard]] std::string NameOfMode(
    const testing::TestParamInfo<std::tuple<std::string, bool>>& info);

// A thread with a lock object of its own: holds the lock when the constructor
// returns, until Leave() or the destructor.
class HolderThread {
 public:
  HolderThread(const std::string& path, lockfile::Options options);
  ~HolderThread() { Leave(); }
  HolderThread(const HolderThread&) = delete;
  HolderThread& operator=(const HolderThread&) = delete;

  // Returns when the lock is released.
  void Leave();

 private:
  std::latch inside_{1};
  std::latch leave_{1};
  std::thread thread_;
};

}  // namespace locklab::compat

#endif  // LOCKLAB_CONFORMANCE_COMPAT_LOCK_FIXTURE_H_
