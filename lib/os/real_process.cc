// Clocks, randomness, this process and others.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <ctime>
#include <string>
#include <string_view>

#include "lib/os/real_os.h"

namespace lockfile::os {
namespace {

// The first bytes of a small file; empty if it cannot be read.
std::string ReadSmall(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  std::string text(1024, '\0');
  const ssize_t size = read(fd, text.data(), text.size());
  close(fd);
  text.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return text;
}

std::string FirstLine(std::string text) {
  text.resize(std::min(text.find('\n'), text.size()));
  return text;
}

uint64_t NamespaceOf(const char* path) {
  struct stat found {};
  return stat(path, &found) == 0 ? found.st_ino : 0;
}

struct ProcStat {
  char state = 0;
  uint64_t threads = 0;
  uint64_t start_time = 0;
};

// proc(5), /proc/PID/stat: "pid (name) state ...": the name may hold anything,
// also ") R 1", so that the fields are counted from the last parenthesis.
ProcStat ParseProcStat(std::string_view text) {
  ProcStat out;
  const size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return out;
  text.remove_prefix(name_end + 1);
  for (int field = 3; !text.empty(); ++field) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(word.size());
    const char* end = word.data() + word.size();
    if (field == 3 && !word.empty()) out.state = word.front();
    if (field == 20) std::from_chars(word.data(), end, out.threads);
    if (field == 22) {
      std::from_chars(word.data(), end, out.start_time);
      break;
    }
  }
  return out;
}

// /proc may be that of another PID namespace; then its numbers are not ours.
bool ProcIsOurs() {
  char text[32];
  const ssize_t size = readlink("/proc/self", text, sizeof text);
  return size > 0 && std::string_view(text, static_cast<size_t>(size)) ==
                         std::to_string(getpid());
}

std::string HostName() {
  utsname names{};
  std::string host = uname(&names) == 0 ? names.nodename : "";
  // Containers and clones share names like "localhost": the machine id tells
  // more of them apart. Neither is trusted alone.
  const std::string machine = FirstLine(ReadSmall("/etc/machine-id"));
  host.resize(std::min<size_t>(host.size(), 64));
  if (!machine.empty()) host += "/" + machine.substr(0, 12);
  return host;
}

ProcessIdentity Identify() {
  ProcessIdentity self;
  self.pid = getpid();
  self.host = HostName();
  self.boot_id = FirstLine(ReadSmall("/proc/sys/kernel/random/boot_id"));
  self.pid_ns = NamespaceOf("/proc/self/ns/pid");
  self.time_ns = NamespaceOf("/proc/self/ns/time");
  if (ProcIsOurs()) {
    self.start_time = ParseProcStat(ReadSmall("/proc/self/stat")).start_time;
  }
  return self;
}

}  // namespace

Os& Os::Real() {
  static RealOs* const real = new RealOs;  // never destroyed: see os.h
  return *real;
}

RealOs::RealOs() {
  const auto size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* page = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return;
  if (madvise(page, size, MADV_WIPEONFORK) != 0) {
    munmap(page, size);
    return;
  }
  page_ = new (page) ForkPage{};
}

RealOs::ThisProcess& RealOs::Process() {
  std::atomic<ThisProcess*>& slot = page_ != nullptr ? page_->process : latest_;
  ThisProcess* process = slot.load(std::memory_order_acquire);
  const bool fresh =
      process != nullptr && (page_ != nullptr || process->pid == getpid());
  return fresh ? *process : NewProcess(&slot, process);
}

// A forked child leaves its parent's alone: another thread of the parent may
// have been changing it at the moment of the fork.
RealOs::ThisProcess& RealOs::NewProcess(std::atomic<ThisProcess*>* slot,
                                        ThisProcess* seen) {
  auto* mine = new ThisProcess;
  mine->pid = getpid();
  mine->parents = latest_.load();
  if (!slot->compare_exchange_strong(seen, mine)) {
    delete mine;  // another thread of this process was first
    return *seen;
  }
  latest_.store(mine);
  return *mine;
}

ProcessLocal& RealOs::LocalSlot(const void* key, MakeLocal make) {
  ThisProcess& process = Process();
  const std::lock_guard guard(process.mutex);
  std::unique_ptr<ProcessLocal>& slot = process.locals[key];
  if (slot == nullptr) slot = make();
  return *slot;
}

ProcessIdentity RealOs::Self() {
  ThisProcess& process = Process();
  const std::lock_guard guard(process.mutex);
  if (process.identity == nullptr) {
    process.identity = std::make_unique<ProcessIdentity>(Identify());
  }
  return *process.identity;
}

pid_t RealOs::Pid() { return Process().pid; }

int64_t RealOs::ThreadId() {
  // Asked of the kernel once a thread; a forked child's only thread is new.
  static thread_local pid_t tid = 0;
  static thread_local pid_t pid = 0;
  if (pid != Pid()) {
    pid = Pid();
    tid = static_cast<pid_t>(syscall(SYS_gettid));
  }
  return tid;
}

TimePoint RealOs::Now() { return Clock::now(); }

int64_t RealOs::WallSeconds() { return std::time(nullptr); }

ProcessStatus RealOs::Status(pid_t pid) {
  ProcessStatus status;
  // EPERM: it is there and somebody else's. Asked first, since /proc may hide
  // the processes of other users (hidepid).
  status.exists = kill(pid, 0) == 0 || errno != ESRCH;
  if (!status.exists || !ProcIsOurs()) return status;
  const ProcStat stat =
      ParseProcStat(ReadSmall("/proc/" + std::to_string(pid) + "/stat"));
  // A process whose first thread has ended looks like a zombie as long as
  // other threads run on.
  status.zombie = (stat.state == 'Z' || stat.state == 'X') && stat.threads <= 1;
  status.start_time = stat.start_time;
  return status;
}

SysResult RealOs::Random(void* buffer, size_t size) {
  auto* bytes = static_cast<char*>(buffer);
  for (size_t done = 0; done < size;) {
    const ssize_t got = getrandom(bytes + done, size - done, 0);
    if (got > 0) done += static_cast<size_t>(got);
    if (got < 0 && errno != EINTR) return SysResult::Fail(errno);
  }
  return SysResult::Ok();
}

}  // namespace lockfile::os
