#include "conformance/proc/temp_dir.h"

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>

#include "lib/os/os.h"
#include "lib/owner.h"

namespace locklab::proc {
namespace {

namespace fs = std::filesystem;
using lockfile::os::Os;
using lockfile::os::ProcessIdentity;

// FNV-1a: names need something short that is the same in every run.
uint32_t Hash(const std::string& text) {
  uint32_t hash = 2166136261u;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  }
  return hash;
}

// The maker as a name carries it.
struct Maker {
  int pid = 0;
  unsigned long start = 0;
  uint32_t host = 0;
  uint32_t boot = 0;
  unsigned long pid_ns = 0;
  unsigned long time_ns = 0;
};

std::string NameTemplate(const ProcessIdentity& self) {
  char name[160];
  std::snprintf(name, sizeof name, "locklab-%d-%lu-%08x-%08x-%lx-%lx-XXXXXX",
                self.pid, static_cast<unsigned long>(self.start_time),
                Hash(self.host), Hash(self.boot_id),
                static_cast<unsigned long>(self.pid_ns),
                static_cast<unsigned long>(self.time_ns));
  return name;
}

std::optional<Maker> ParseName(const std::string& name) {
  Maker maker;
  int end = 0;
  if (std::sscanf(name.c_str(), "locklab-%d-%lu-%x-%x-%lx-%lx-%n", &maker.pid,
                  &maker.start, &maker.host, &maker.boot, &maker.pid_ns,
                  &maker.time_ns, &end) != 6 ||
      static_cast<size_t>(end) + 6 != name.size()) {
    return std::nullopt;
  }
  return maker;
}

bool IsDead(const Maker& maker, const ProcessIdentity& self) {
  lockfile::Owner owner;
  owner.host = maker.host == Hash(self.host) ? self.host : "";
  owner.boot_id = maker.boot == Hash(self.boot_id) ? self.boot_id : "another";
  owner.pid_ns = maker.pid_ns;
  owner.time_ns = maker.time_ns;
  owner.pid = maker.pid;
  owner.start_time = maker.start;
  return JudgeLife(Os::Real(), owner).life == lockfile::Life::kDead;
}

// What a test made unsearchable or unwritable must not stay for that.
void MakeRemovable(const fs::path& path) {
  std::error_code ignored;
  const auto add = fs::perm_options::add | fs::perm_options::nofollow;
  fs::permissions(path, fs::perms::owner_all, add, ignored);
  for (fs::directory_iterator it(path, ignored), end; it != end;
       it.increment(ignored)) {
    if (it->symlink_status(ignored).type() == fs::file_type::directory) {
      MakeRemovable(it->path());
    }
  }
}

std::string DefaultParent() {
  const char* test = std::getenv("TEST_TMPDIR");
  if (test != nullptr && *test != '\0') return test;
  std::error_code error;
  const fs::path usual = fs::temp_directory_path(error);
  return error ? "/tmp" : usual.string();
}

}  // namespace

TempDir::TempDir(const std::string& parent) {
  const std::string where = parent.empty() ? DefaultParent() : parent;
  path_ = where + "/" + NameTemplate(Os::Real().Self());
  if (mkdtemp(path_.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(),
                            "cannot make a temporary directory in " + where +
                                " (it must exist and be writable)");
  }
  owner_ = getpid();
}

TempDir::~TempDir() {
  if (owner_ == getpid()) RemoveTree(path_);
}

bool RemoveTree(const std::string& path) {
  std::error_code error;
  // Again, if something was being removed or added at that moment, as NFS
  // does with .nfsXXXX files.
  for (int attempt = 0; attempt < 3; ++attempt) {
    fs::remove_all(path, error);
    if (!error) return true;
    if (fs::symlink_status(path).type() == fs::file_type::directory) {
      MakeRemovable(path);
    }
  }
  return false;
}

int SweepDead(const std::string& parent) {
  const ProcessIdentity self = Os::Real().Self();
  int removed = 0;
  std::error_code error;
  const std::string where = parent.empty() ? DefaultParent() : parent;
  for (fs::directory_iterator it(where, error), end; !error && it != end;
       it.increment(error)) {
    const auto maker = ParseName(it->path().filename().string());
    if (maker && IsDead(*maker, self) && RemoveTree(it->path().string())) {
      ++removed;
    }
  }
  return removed;
}

}  // namespace locklab::proc
