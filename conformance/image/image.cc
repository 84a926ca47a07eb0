#include "conformance/image/image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "conformance/proc/child.h"
#include "conformance/proc/exec.h"
#include "conformance/proc/namespaces.h"
#include "conformance/proc/poll_until.h"

namespace locklab::image {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t kMiB = uint64_t{1} << 20;

constexpr auto kKinds = std::to_array<Kind>({
    {.name = "ext4",
     .type = "ext4",
     .mkfs = "mkfs.ext4 -q -F",
     .package = "e2fsprogs",
     .bytes = 128 * kMiB},
    {.name = "ext4-nojournal",
     .type = "ext4",
     .mkfs = "mkfs.ext4 -q -F -O ^has_journal",
     .package = "e2fsprogs",
     .bytes = 128 * kMiB,
     .repair = "e2fsck -f -y"},
    {.name = "xfs",
     .type = "xfs",
     .mkfs = "mkfs.xfs -q -f",
     .package = "xfsprogs",
     .bytes = 320 * kMiB},
    {.name = "btrfs",
     .type = "btrfs",
     .mkfs = "mkfs.btrfs -q -f",
     .package = "btrfs-progs",
     .bytes = 256 * kMiB},
});

std::string Why(int error) { return std::strerror(error); }

// Runs in the child of RunTool.
[[noreturn]] void Become(const std::vector<std::string>& argv, int output) {
  const int null = open("/dev/null", O_RDONLY);
  dup2(null, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  proc::Exec(argv);
  _exit(127);
}

std::string ReadAll(int fd) {
  std::array<char, 2000> text{};
  const ssize_t got = pread(fd, text.data(), text.size(), 0);
  std::string all(text.data(), got > 0 ? static_cast<size_t>(got) : 0);
  while (!all.empty() && all.back() == '\n') all.pop_back();
  for (char& c : all) c = c == '\n' ? ' ' : c;
  return all;
}

// A free loop device that shows `file`, and no longer than it is open or
// mounted. The name of the device comes back in `name`.
int AttachLoop(int file, std::string* name) {
  const Fd control(open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (control.get() < 0) {
    throw ImageError("cannot open /dev/loop-control: " + Why(errno));
  }
  loop_config config{};
  config.fd = static_cast<uint32_t>(file);
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
  const auto deadline = proc::In(10s);
  for (;;) {
    const int number = ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) {
      throw ImageError("there is no free loop device: " + Why(errno));
    }
    *name = fmt::format("/dev/loop{}", number);
    const int device = open(name->c_str(), O_RDWR | O_CLOEXEC);
    int error = errno;
    if (device >= 0) {
      if (ioctl(device, LOOP_CONFIGURE, &config) == 0) return device;
      error = errno;
      close(device);
    }
    // EBUSY: somebody else was quicker with this one.
    if (error != EBUSY || proc::Clock::now() > deadline) {
      throw ImageError(fmt::format("cannot use {}: {}", *name, Why(error)));
    }
  }
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

std::vector<std::string> Words(std::string_view text) {
  std::istringstream in{std::string(text)};
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

std::span<const Kind> Kinds() { return kKinds; }

const Kind* FindKind(std::string_view name) {
  for (const Kind& kind : kKinds) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

std::string WhyNoLoopDevices() {
  // What mounts in another namespace than its own user's gets no device.
  const std::string why_not = proc::WhyNot([]() -> std::string {
    return unshare(CLONE_NEWNS) == 0 ? "" : "it may not mount";
  });
  if (!why_not.empty()) {
    return "only root may use loop devices: run it as root, for example with "
           "sudo";
  }
  const Fd control(open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (control.get() >= 0) return "";
  return fmt::format(
      "cannot open /dev/loop-control: {}: load the module loop (modprobe "
      "loop); in a container, give it the host's devices (--privileged)",
      Why(errno));
}

std::string WhyNot(const Kind& kind) {
  const std::string program = Words(kind.mkfs).front();
  if (FindProgram(program).empty()) {
    return fmt::format("there is no {}: apt-get install {}", program,
                       kind.package);
  }
  return WhyNoLoopDevices();
}

std::string FindProgram(std::string_view name) {
  const char* path = std::getenv("PATH");
  std::istringstream in(std::string(path == nullptr ? "" : path) +
                        ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin");
  for (std::string dir; std::getline(in, dir, ':');) {
    if (dir.empty()) continue;
    const std::string program = fmt::format("{}/{}", dir, name);
    if (access(program.c_str(), X_OK) == 0) return program;
  }
  return "";
}

void RunTool(const std::vector<std::string>& argv, int worst) {
  const std::string program = FindProgram(argv.front());
  if (program.empty()) {
    throw ImageError(fmt::format("there is no program {}", argv.front()));
  }
  std::vector<std::string> words = argv;
  words.front() = program;
  const Fd output(memfd_create("output", MFD_CLOEXEC));
  proc::Child child =
      proc::Child::Spawn([&]() -> int { Become(words, output.get()); });
  const auto end = child.Wait(proc::In(120s));
  if (end && end->signal == 0 && end->code <= worst) return;
  throw ImageError(fmt::format("{} {}: {}", argv.front(),
                               end ? end->Describe() : "hung for two minutes",
                               ReadAll(output.get())));
}

void Make(const Kind& kind, const std::string& path) {
  const Fd file(
      open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (file.get() < 0 ||
      ftruncate(file.get(), static_cast<off_t>(kind.bytes)) != 0) {
    throw ImageError(
        fmt::format("cannot make the image {}: {}", path, Why(errno)));
  }
  std::vector<std::string> command = Words(kind.mkfs);
  command.push_back(path);
  RunTool(command);
}

void Mount(const Kind& kind, const std::string& path,
           const std::string& target) {
  const Fd file(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (file.get() < 0) {
    throw ImageError(
        fmt::format("cannot open the image {}: {}", path, Why(errno)));
  }
  std::string name;
  const Fd device(AttachLoop(file.get(), &name));
  MountOrThrow(fmt::format("an image of {}", kind.name), name, target,
               std::string(kind.type), 0, std::string(kind.options));
}

void MountOrThrow(const std::string& what, const std::string& source,
                  const std::string& target, const std::string& type,
                  unsigned long flags, const std::string& options) {
  if (mount(source.c_str(), target.c_str(), type.c_str(), flags,
            options.empty() ? nullptr : options.c_str()) == 0) {
    return;
  }
  const int error = errno;
  throw ImageError(fmt::format(
      "cannot mount {}: {}{}", what, Why(error),
      error == ENODEV
          ? fmt::format("; this kernel has no {} (modprobe {}?)", type, type)
          : ""));
}

void Unmount(const std::string& target) noexcept {
  const bool gone = proc::Eventually(
      [&] { return umount2(target.c_str(), 0) == 0 || errno != EBUSY; },
      proc::In(10s), 10ms);
  if (!gone) umount2(target.c_str(), MNT_DETACH);
}

}  // namespace locklab::image
