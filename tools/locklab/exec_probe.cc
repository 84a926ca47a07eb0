// A command for the tests of `locklab exec`: shows what it was given.
//
//   exec_probe inherited     prints descriptors, signal mask and dispositions
//   exec_probe signals       prints "up PID", then every signal that comes;
//                            SIGTERM is the last one, exit code 40
//   exec_probe add FILE      reads a number, waits a moment, writes it plus 1
#include <dirent.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <thread>

namespace {

int PrintInherited() {
  std::set<int> fds;
  DIR* dir = opendir("/proc/self/fd");
  if (dir == nullptr) return 1;
  while (const dirent* entry = readdir(dir)) {
    const int fd = std::atoi(entry->d_name);
    if (entry->d_name[0] != '.' && fd != dirfd(dir)) fds.insert(fd);
  }
  closedir(dir);
  for (const int fd : fds) std::printf("fd %d\n", fd);
  sigset_t blocked;
  sigprocmask(SIG_SETMASK, nullptr, &blocked);
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    if (sigismember(&blocked, signal) == 1) std::printf("blocked %d\n", signal);
    struct sigaction action {};
    if (sigaction(signal, nullptr, &action) != 0) continue;
    if (action.sa_handler == SIG_IGN) std::printf("ignored %d\n", signal);
  }
  return 0;
}

int PrintSignals() {
  sigset_t all;
  sigfillset(&all);
  sigdelset(&all, SIGTSTP);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  std::printf("up %d\n", getpid());
  constexpr timespec kPatience = {120, 0};  // then the test is long gone
  for (;;) {
    std::fflush(stdout);
    const int signal = sigtimedwait(&all, nullptr, &kPatience);
    if (signal < 0 && errno == EAGAIN) return 41;
    if (signal < 0) continue;
    std::printf("got %d\n", signal);
    if (signal != SIGTERM) continue;
    std::fflush(stdout);
    return 40;
  }
}

int Add(const char* path) {
  long count = 0;
  std::ifstream(path) >> count;
  // Whoever does not exclude the others gets time to show it.
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::ofstream(path) << count + 1 << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "inherited") return PrintInherited();
  if (mode == "signals") return PrintSignals();
  if (mode == "add" && argc == 3) return Add(argv[2]);
  std::fprintf(stderr, "usage: exec_probe inherited | signals | add FILE\n");
  return 2;
}
