#include "stress/crash/stepper.h"

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <string_view>
#include <system_error>
#include <thread>

#include "conformance/proc/child.h"

namespace locklab::crash {
namespace {

using std::chrono_literals::operator""us;

constexpr int kEdge = SIGSTOP;
constexpr int kSyscallStop = SIGTRAP | 0x80;  // PTRACE_O_TRACESYSGOOD

struct Named {
  uint64_t number;
  std::string_view name;
};

// Those that locks and SQLite make; a number does for the others.
constexpr auto kNames = std::to_array<Named>({
    {SYS_openat, "openat"},       {SYS_close, "close"},
    {SYS_read, "read"},           {SYS_write, "write"},
    {SYS_pread64, "pread64"},     {SYS_pwrite64, "pwrite64"},
    {SYS_fstat, "fstat"},         {SYS_newfstatat, "newfstatat"},
    {SYS_fcntl, "fcntl"},         {SYS_flock, "flock"},
    {SYS_fsync, "fsync"},         {SYS_fdatasync, "fdatasync"},
    {SYS_ftruncate, "ftruncate"}, {SYS_linkat, "linkat"},
    {SYS_symlinkat, "symlinkat"}, {SYS_readlinkat, "readlinkat"},
    {SYS_unlinkat, "unlinkat"},   {SYS_mkdirat, "mkdirat"},
    {SYS_renameat2, "renameat2"}, {SYS_getdents64, "getdents64"},
    {SYS_getrandom, "getrandom"}, {SYS_ppoll, "ppoll"},
    {SYS_futex, "futex"},         {SYS_clock_nanosleep, "clock_nanosleep"},
    {SYS_fchmod, "fchmod"},       {SYS_fchown, "fchown"},
    {SYS_geteuid, "geteuid"},     {SYS_getpid, "getpid"},
    {SYS_gettid, "gettid"},       {SYS_mmap, "mmap"},
    {SYS_munmap, "munmap"},       {SYS_brk, "brk"},
    {SYS_statfs, "statfs"},       {SYS_fstatfs, "fstatfs"},
    {SYS_utimensat, "utimensat"},
#ifdef __x86_64__
    {SYS_open, "open"},           {SYS_stat, "stat"},
    {SYS_lstat, "lstat"},         {SYS_link, "link"},
    {SYS_symlink, "symlink"},     {SYS_readlink, "readlink"},
    {SYS_unlink, "unlink"},       {SYS_mkdir, "mkdir"},
    {SYS_rmdir, "rmdir"},         {SYS_rename, "rename"},
    {SYS_access, "access"},       {SYS_poll, "poll"},
#endif
});

std::string NameOf(uint64_t number) {
  for (const Named& named : kNames) {
    if (named.number == number) return std::string(named.name);
  }
  return "system call " + std::to_string(number);
}

// Until the process stands still; its status. -1: it does not by then, or it
// is gone and was not reaped by this.
int AwaitStop(pid_t pid, proc::TimePoint deadline) {
  for (;;) {
    siginfo_t info{};
    // Looked at first, not taken: an end is for whoever owns the process.
    if (waitid(P_PID, static_cast<id_t>(pid), &info,
               WEXITED | WSTOPPED | WNOHANG | WNOWAIT) != 0) {
      return -1;
    }
    if (info.si_pid == pid) {
      if (info.si_code == CLD_EXITED || info.si_code == CLD_KILLED ||
          info.si_code == CLD_DUMPED) {
        return -1;
      }
      int status = 0;
      if (waitpid(pid, &status, __WALL) == pid) return status;
    }
    if (proc::Clock::now() >= deadline) return -1;
    std::this_thread::sleep_for(10us);
  }
}

bool GoOn(pid_t pid, int signal) {
  return ptrace(PTRACE_SYSCALL, pid, 0, signal) == 0;
}

// The system call at which a process stands still.
struct Stand {
  bool entry = false;  // before it is made, not after
  uint64_t number = 0;
  uint64_t second = 0;  // argument
};

// The kernel does not say whether this is an entry: entries and exits come by
// turns, and the first is an entry.
bool LookAtRegisters(pid_t pid, Stand* stand) {
#ifdef __x86_64__
  user_regs_struct registers{};
  if (ptrace(PTRACE_GETREGS, pid, 0, &registers) != 0) return false;
  *stand = {.entry = !stand->entry,
            .number = registers.orig_rax,
            .second = registers.rsi};
  return true;
#else
  return false;
#endif
}

// From where it stood before to where it stands now. False: it cannot be told.
bool LookAt(pid_t pid, Teller teller, Stand* stand) {
  __ptrace_syscall_info info{};
  if (teller == Teller::kRegisters ||
      ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) <= 0) {
    return LookAtRegisters(pid, stand);
  }
  *stand = {.entry = info.op == PTRACE_SYSCALL_INFO_ENTRY,
            .number = info.entry.nr,
            .second = info.entry.args[1]};
  return true;
}

}  // namespace

bool MayTrace() {
  proc::Child child = proc::Child::Spawn(
      [] { return ptrace(PTRACE_TRACEME, 0, 0, 0) == 0 ? 0 : 1; });
  const auto end = child.Wait(proc::In(std::chrono::seconds(10)));
  return end && end->ok();
}

void LetParentLead() {
  if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) {
    throw std::system_error(errno, std::generic_category(),
                            "cannot be traced (ptrace)");
  }
}

// One system call and nothing else: raise() makes several.
void MarkEdge(pid_t self) { syscall(SYS_kill, self, kEdge); }

Step LeadToDeath(pid_t pid, int nth, bool after, proc::TimePoint deadline,
                 const std::function<void()>& about_to_kill, Teller teller) {
  Step step;
  int status = AwaitStop(pid, deadline);
  if (status < 0 || !WIFSTOPPED(status) || WSTOPSIG(status) != kEdge) {
    return step;
  }
  ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  // The first edge's own call has returned before its signal came.
  Stand stand;
  int signal = 0;
  while (GoOn(pid, signal)) {
    signal = 0;
    status = AwaitStop(pid, deadline);
    if (status < 0 || !WIFSTOPPED(status)) return step;
    if (WSTOPSIG(status) != kSyscallStop) {
      signal = WSTOPSIG(status);
      continue;
    }
    if (!LookAt(pid, teller, &stand)) return step;
    if (stand.entry && stand.number == SYS_kill && stand.second == kEdge) {
      step.ended = true;
      // The signal of the edge is still to come, and is to be kept away.
      if (!GoOn(pid, 0) || AwaitStop(pid, deadline) < 0 || !GoOn(pid, 0) ||
          AwaitStop(pid, deadline) < 0) {
        step.ended = false;
      }
      ptrace(PTRACE_DETACH, pid, 0, 0);
      return step;
    }
    if (stand.entry) {
      ++step.calls;
      step.call = NameOf(stand.number);
    }
    if (step.calls == nth && stand.entry != after) {
      step.reached = true;
      about_to_kill();
      kill(pid, SIGKILL);
      return step;
    }
  }
  return step;
}

}  // namespace locklab::crash
