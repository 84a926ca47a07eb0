#include "conformance/proc/namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "conformance/proc/child.h"
#include "conformance/proc/poll_until.h"
#include "conformance/proc/shared.h"

namespace locklab::proc {
namespace {

using std::chrono_literals::operator""s;

std::string Failed(const std::string& what, int error = errno) {
  return what + ": " + std::strerror(error);
}

// One write(2), as files of /proc want it.
std::string Put(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return Failed("cannot open " + path);
  const ssize_t written = write(fd, text.data(), text.size());
  const int error = errno;
  close(fd);
  if (written == static_cast<ssize_t>(text.size())) return "";
  return Failed("cannot write " + path, error);
}

// As root, or else as root of a user namespace of its own, in which it is to
// the filesystem who it was.
std::string Unshare(int what, const char* name) {
  if (unshare(what) == 0) return "";
  const int error = errno;
  const std::string uid = std::to_string(geteuid());
  const std::string gid = std::to_string(getegid());
  if (error != EPERM || unshare(CLONE_NEWUSER | what) != 0) {
    return Failed(std::string("no new ") + name + " namespace", error);
  }
  std::string why = Put("/proc/self/setgroups", "deny");
  if (why.empty()) {
    why = Put("/proc/self/uid_map", uid + " " + uid + " 1");
  }
  if (why.empty()) {
    why = Put("/proc/self/gid_map", gid + " " + gid + " 1");
  }
  return why;
}

}  // namespace

std::string EnterMounts() {
  std::string why = Unshare(CLONE_NEWNS, "mount");
  if (why.empty() &&
      mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    why = Failed("cannot make the mounts its own");
  }
  return why;
}

std::string EnterHost(const std::string& name) {
  std::string why = Unshare(CLONE_NEWUTS, "UTS");
  if (why.empty() && sethostname(name.data(), name.size()) != 0) {
    why = Failed("sethostname(2)");
  }
  return why;
}

std::string EnterBoot(const std::string& boot_id) {
  constexpr char kFile[] = "/proc/sys/kernel/random/boot_id";
  // Any directory: for a moment, and for this process alone.
  constexpr char kAside[] = "/tmp";
  std::string why = EnterMounts();
  if (!why.empty()) return why;
  if (mount("none", kAside, "tmpfs", 0, "size=64k") != 0) {
    return Failed("cannot mount a tmpfs");
  }
  const std::string own = std::string(kAside) + "/boot_id";
  std::ofstream(own) << boot_id << "\n";
  if (mount(own.c_str(), kFile, nullptr, MS_BIND, nullptr) != 0) {
    why = Failed(std::string("cannot mount over ") + kFile);
  }
  umount2(kAside, MNT_DETACH);
  return why;
}

std::string EnterTime(std::chrono::seconds later) {
#ifdef CLONE_NEWTIME
  constexpr int kNewTime = CLONE_NEWTIME;
#else
  constexpr int kNewTime = 0x80;
#endif
  std::string why = Unshare(kNewTime, "time");
  if (!why.empty()) return why;
  const std::string offset = std::to_string(later.count()) + " 0\n";
  why = Put("/proc/self/timens_offsets",
            "monotonic " + offset + "boottime " + offset);
  if (!why.empty()) return why;
  // Made for children; a process with one thread may go there itself.
  const int fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Failed("no /proc/self/ns/time_for_children");
  if (setns(fd, kNewTime) != 0) why = Failed("setns(2) to a time namespace");
  close(fd);
  return why;
}

std::string EnterPids() { return Unshare(CLONE_NEWPID, "PID"); }

std::string MountProc() {
  std::string why = EnterMounts();
  if (why.empty() && mount("proc", "/proc", "proc", 0, nullptr) != 0) {
    why = Failed("cannot mount /proc");
  }
  return why;
}

namespace {
constexpr char kLastPid[] = "/proc/sys/kernel/ns_last_pid";
}  // namespace

bool PidsCanBeForced() { return access(kLastPid, F_OK) == 0; }

std::string ForceNextPid(pid_t pid) {
  return Put(kLastPid, std::to_string(pid - 1));
}

uint64_t TicksSinceBoot() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  const auto hertz = static_cast<int64_t>(sysconf(_SC_CLK_TCK));
  return static_cast<uint64_t>(now.tv_sec * hertz +
                               now.tv_nsec * hertz / 1'000'000'000);
}

std::string WhyNot(const std::function<std::string()>& enter) {
  struct Answer {
    std::array<char, 256> text;
  };
  Shared<Answer> answer;
  Child child = Child::Spawn([&] {
    enter().copy(answer->text.data(), answer->text.size() - 1);
    return 0;
  });
  const auto end = child.Wait(In(10s));
  if (!end) return "a process that tried it did not come to its end";
  return end->ok() ? answer->text.data()
                   : "a process that tried it " + end->Describe();
}

}  // namespace locklab::proc
