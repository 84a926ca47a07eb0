#include "tools/lab/guest/machine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include "conformance/image/image.h"
#include "conformance/proc/exec.h"
#include "conformance/proc/namespaces.h"
#include "conformance/proc/poll_until.h"
#include "tools/lab/guest/processor.h"
#include "tools/lab/guest/session.h"

namespace locklab::lab {
namespace {

using namespace std::chrono_literals;

constexpr char kMemory[] = "mem=512M";
constexpr uint64_t kMemoryBytes = uint64_t{512} << 20;

// Its memory is a file without a name: in memory, if that has room; containers
// often give /dev/shm 64 MiB, and the guest would die of that at some time.
std::string PlaceForMemory(const std::string& scratch) {
  for (const std::string& dir : {std::string("/dev/shm"), scratch}) {
    struct statvfs fs {};
    if (statvfs(dir.c_str(), &fs) != 0 || access(dir.c_str(), W_OK) != 0) {
      continue;
    }
    if (uint64_t{fs.f_bavail} * fs.f_frsize >= kMemoryBytes) return dir;
  }
  throw std::runtime_error(fmt::format(
      "neither /dev/shm nor {} has the {} MiB left that the memory of a guest "
      "takes: make room, or name another place (TMPDIR=DIR)",
      scratch, kMemoryBytes >> 20));
}

// Both ends, closed unless they are taken.
class Pipe {
 public:
  Pipe() {
    if (pipe2(fds_.data(), O_CLOEXEC) != 0) {
      throw std::system_error(errno, std::generic_category(),
                              "no pipe for a guest");
    }
  }
  ~Pipe() {
    for (const int fd : fds_) {
      if (fd >= 0) close(fd);
    }
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  [[nodiscard]] int reader() const { return fds_[0]; }
  [[nodiscard]] int writer() const { return fds_[1]; }
  int TakeReader() {
    fcntl(fds_[0], F_SETFL, O_NONBLOCK);
    return std::exchange(fds_[0], -1);
  }
  int TakeWriter() { return std::exchange(fds_[1], -1); }

 private:
  std::array<int, 2> fds_{-1, -1};
};

// The pipes as a guest has them.
struct Lines {
  Pipe out;
  Pipe err;
  Pipe in;
  Pipe life;
};

// The kernel's command line, its own descriptors by their numbers.
std::vector<std::string> CommandLine(const std::string& kernel,
                                     const std::string& scratch, bool shell) {
  std::vector<std::string> words = {
      kernel, kMemory, "root=/dev/root", "rootfstype=hostfs", "rootflags=/",
      "ro", "init=" + session::InitOf(scratch),
      // What the kernel and init say; it is shown if they fail.
      "con=null", "con0=null,fd:1", "console=tty0", "quiet", "panic=-1",
      // What runs inside says, and what it is told.
      "ssl=null", "ssl1=null,fd:4", "umid=guest",
      fmt::format("uml_dir={}/", scratch),
      fmt::format("locklab.scratch={}", scratch)};
  words.emplace_back(shell ? "ssl0=fd:5,fd:3" : "ssl0=null,fd:3");
  if (!shell) words.emplace_back("ssl2=fd:5,null");
  return words;
}

// In a process of its own: becomes the kernel.
int Boot(const std::string& scratch, const std::string& memory,
         const Lines& lines, bool shell) {
  setenv("TMPDIR", memory.c_str(), 1);
  const std::string console = scratch + "/console";
  const int log =
      open(console.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  // Numbers that nothing else has are first made for all of them.
  constexpr int kFree = 64;
  const std::array<int, 6> wanted = {
      nothing,          log, log, lines.out.writer(), lines.err.writer(),
      lines.in.reader()};
  for (size_t i = 0; i < wanted.size(); ++i) {
    dup2(wanted[i], kFree + static_cast<int>(i));
  }
  for (int fd = 0; fd < static_cast<int>(wanted.size()); ++fd) {
    dup2(kFree + fd, fd);
    close(kFree + fd);
  }
  proc::Exec(CommandLine(image::FindProgram("linux.uml"), scratch, shell));
  return 127;
}

// Outlives the run by as long as it takes to end the guest: what a guest's
// processes do while their kernel is gone is not to be known.
int Keep(const std::string& scratch, const std::string& memory,
         const Lines& lines, bool shell) {
  prctl(PR_SET_PDEATHSIG, 0);
  close(lines.life.writer());
  const Processor processor;
  processor.Settle();
  // Without, the guest's process group has to do.
  [[maybe_unused]] const std::string why = proc::EnterPids();
  proc::Child guest = proc::Child::Spawn(
      [&] { return Boot(scratch, memory, lines, shell); }, {.own_group = true});
  for (;;) {
    if (const auto end = guest.Wait(proc::In(20ms))) {
      return end->signal != 0 ? 128 + end->signal : end->code;
    }
    if (proc::PollUntil(lines.life.reader(), POLLIN, proc::In(20ms)) != 0) {
      guest.Stop();
      return 128 + SIGKILL;
    }
  }
}

}  // namespace

Machine::Machine(const std::string& scratch, bool shell) {
  if (image::FindProgram("linux.uml").empty()) {
    throw std::runtime_error(
        "there is no linux.uml: apt-get install user-mode-linux");
  }
  const std::string memory = PlaceForMemory(scratch);
  Lines lines;
  keeper_ = proc::Child::Spawn(
      [&] { return Keep(scratch, memory, lines, shell); }, {.own_group = true});
  out_ = lines.out.TakeReader();
  err_ = lines.err.TakeReader();
  in_ = lines.in.TakeWriter();
  life_ = lines.life.TakeWriter();
}

Machine::~Machine() {
  Stop();
  for (const int fd : {out_, err_, in_}) close(fd);
}

void Machine::Stop() {
  if (life_ >= 0) close(std::exchange(life_, -1));
  // It ends the guest and itself; if it cannot, both are ended from here.
  if (!keeper_.Wait(proc::In(10s))) keeper_.Stop();
}

std::string Machine::HowEnded() {
  const auto end = keeper_.Poll();
  if (!end) return "goes on";
  if (end->code > 128)
    return "was killed by " + proc::SignalName(end->code - 128);
  return end->Describe();
}

}  // namespace locklab::lab
