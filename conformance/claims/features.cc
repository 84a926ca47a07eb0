#include "conformance/claims/features.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <system_error>

#include "conformance/claims/kit.h"
#include "conformance/claims/network.h"
#include "conformance/compat/python_contender.h"
#include "conformance/image/image.h"
#include "conformance/image/snapshot.h"
#include "conformance/proc/child.h"
#include "conformance/proc/shared.h"
#include "conformance/proc/temp_dir.h"

namespace locklab {
namespace {

using namespace std::chrono_literals;
using lockfile::os::Os;
using lockfile::os::SysResult;

// What a child process has to say, also where it is killed.
struct Message {
  std::array<char, 512> text;
  bool said;

  void Say(const std::string& what) {
    what.copy(text.data(), text.size() - 1);
    said = true;
  }
};

// Runs `probe` where it can do no harm, and gives what it returns.
std::string InChild(const std::function<std::string()>& probe,
                    std::chrono::milliseconds deadline) {
  const proc::Shared<Message> message;
  proc::Child child = proc::Child::Spawn(
      [&] {
        message->Say(probe());
        return 0;
      },
      {.own_group = true});
  const auto end = child.Wait(proc::In(deadline));
  if (!end) {
    return "looking for it hung for " + std::to_string(deadline.count()) +
           " ms";
  }
  if (!message->said) return "looking for it: the process " + end->Describe();
  return message->text.data();
}

std::string ReasonOf(std::string_view what, const SysResult& result) {
  if (result.ok()) return "";
  return std::string(what) + ": " + std::strerror(result.error) + " (" +
         lockfile::ErrnoName(result.error) + ")";
}

// Tries a call that makes a second file from a first, in a scratch directory.
template <typename Call>
std::string TryInScratch(const Place& place, std::string_view what, Call call) {
  const proc::TempDir scratch(place.dir);
  claims::WriteText(scratch / "one", "1");
  return ReasonOf(what, call(scratch / "one", scratch / "two"));
}

std::string ProbeRoot(const Place&) {
  return claims::IsRoot() ? "" : "this is not the user root";
}

std::string ProbeOtherUsers(const Place& place) {
  if (!claims::IsRoot()) return "only root can become another user";
  return InChild(
      [&]() -> std::string {
        claims::BecomeNobody();
        if (access(place.dir.c_str(), X_OK) == 0) return "";
        return "the user nobody cannot reach the directory";
      },
      10s);
}

std::string ProbeBindMounts(const Place& place) {
  return InChild(
      [&]() -> std::string {
        if (claims::TryBindMount(place.dir, place.dir, false)) return "";
        return std::string("mounting is not permitted: ") +
               std::strerror(errno);
      },
      10s);
}

std::string ProbeHardLinks(const Place& place) {
  return TryInScratch(place, "link(2)",
                      [](const std::string& one, const std::string& two) {
                        return Os::Real().Link(one.c_str(), two.c_str());
                      });
}

std::string ProbeSymlinks(const Place& place) {
  return TryInScratch(place, "symlink(2)",
                      [](const std::string& one, const std::string& two) {
                        return Os::Real().Symlink(one.c_str(), two.c_str());
                      });
}

std::string ProbeRenameNoReplace(const Place& place) {
  return TryInScratch(place, "renameat2(2)",
                      [](const std::string& one, const std::string& two) {
                        return Os::Real().RenameNoReplace(one.c_str(),
                                                          two.c_str());
                      });
}

std::string ProbeSecondMount(const Place& place) {
  if (place.other_dir.empty()) return "no second mount was named";
  const proc::TempDir scratch(place.dir);
  const std::string name = scratch.path().substr(place.dir.size());
  const std::string there = place.other_dir + name;
  // The other side may remember for a while that there is no such name.
  const bool same = proc::Eventually(
      [&] { return access(there.c_str(), F_OK) == 0; }, proc::In(5s), 5ms);
  if (same) return "";
  return place.other_dir + " does not show what is made in " + place.dir;
}

std::string ProbeInotify(const Place&) {
  const int fd = inotify_init1(IN_CLOEXEC);
  if (fd < 0) return std::string("inotify_init1(2): ") + std::strerror(errno);
  close(fd);
  return "";
}

std::string ProbeNetworkFaults(const Place&) {
  return claims::WhyNoNetworkFaults();
}

std::string ProbePython(const Place&) {
  return compat::PythonContender::WhyMissing();
}

std::string ProbePowerLoss(const Place& place) {
  const image::Kind* kind = image::KindLike(place.dir);
  if (kind == nullptr) {
    return "this kind of filesystem is not made in images";
  }
  return image::WhyNot(*kind);
}

constexpr auto kRows = std::to_array<Feature>({
    {.name = "root",
     .doc = "the privileges of the user root",
     .remedy = "run it as root, for example with sudo",
     .probe = ProbeRoot},
    {.name = "other-users",
     .doc = "processes of another user, who can reach the directory",
     .remedy = "run it as root, on a directory whose parents let others "
               "through (chmod o+x)",
     .probe = ProbeOtherUsers},
    {.name = "bind-mounts",
     .doc = "bind mounts in a mount namespace of a process's own",
     .remedy = "run it as root, in a container with CAP_SYS_ADMIN",
     .probe = ProbeBindMounts},
    {.name = "power-loss",
     .doc = "a filesystem whose like can be made in an image, and lose power",
     .remedy = "run it as root on ext4, xfs or btrfs, with loop devices and "
               "the filesystem's mkfs (locklab lab list)",
     .probe = ProbePowerLoss},
    {.name = "second-mount",
     .doc = "the directory through a second mount with caches of its own",
     .remedy = "mount the filesystem a second time and name the same directory "
               "there: --other-mount=DIR",
     .probe = ProbeSecondMount},
    {.name = "hard-links",
     .doc = "a filesystem with hard links",
     .remedy = "use a filesystem that has them",
     .probe = ProbeHardLinks},
    {.name = "symlinks",
     .doc = "a filesystem with symbolic links",
     .remedy = "use a filesystem or mount option that has them (SMB: "
               "mfsymlinks)",
     .probe = ProbeSymlinks},
    {.name = "rename-noreplace",
     .doc = "a filesystem that can rename without replacing",
     .remedy = "use a filesystem that has RENAME_NOREPLACE (NFS has not)",
     .probe = ProbeRenameNoReplace},
    {.name = "network-faults",
     .doc = "a network between two clients and a server that can be made fail",
     .remedy = "run it in a guest, where these claims are named or the profile "
               "is full: locklab lab run --fs=nfs4.2/2 -- check "
               "--filter='^net\\.'",
     .probe = ProbeNetworkFaults},
    {.name = "python3-lockfile",
     .doc = "Python's lockfile, for a foreign peer",
     .remedy = "install the package python3-lockfile",
     .probe = ProbePython},
    {.name = "inotify",
     .doc = "a kernel that tells of changes to files",
     .remedy = "raise fs.inotify.max_user_instances, or use a kernel with "
               "inotify(7)",
     .probe = ProbeInotify},
});

}  // namespace

std::span<const Feature> Features() { return kRows; }

const Feature* FindFeature(std::string_view name) {
  for (const Feature& feature : kRows) {
    if (feature.name == name) return &feature;
  }
  return nullptr;
}

std::vector<std::string_view> NamesIn(std::string_view needs) {
  std::vector<std::string_view> names;
  while (!needs.empty()) {
    const size_t end = std::min(needs.find(' '), needs.size());
    if (end > 0) names.push_back(needs.substr(0, end));
    needs.remove_prefix(std::min(end + 1, needs.size()));
  }
  return names;
}

std::string WhyMissing(const Feature& feature, const Place& place) {
  std::string reason;
  try {
    reason = feature.probe(place);
  } catch (const std::system_error& error) {
    reason = error.what();
  }
  if (reason.empty()) return "";
  return "needs " + std::string(feature.name) + ": " + reason + "; " +
         std::string(feature.remedy);
}

std::string WhyMissing(const Feature& feature, const Place& place,
                       std::chrono::milliseconds deadline) {
  const std::string why =
      InChild([&] { return WhyMissing(feature, place); }, deadline);
  if (why.empty() || why.starts_with("needs ")) return why;
  return "needs " + std::string(feature.name) + ": " + why + "; " +
         std::string(feature.remedy);
}

}  // namespace locklab
