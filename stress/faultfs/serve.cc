#include "stress/faultfs/serve.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>

#include "stress/faultfs/volume.h"

namespace locklab::faultfs {
namespace {

// Most threads sleep; many may be needed where a sin holds up its callers.
constexpr unsigned kThreads = 64;

void SetUp(void*, fuse_conn_info* connection) {
  // It would delay closing until others have read what they no longer need.
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_SPLICE_READ);
}

const fuse_lowlevel_ops& Operations() {
  static const fuse_lowlevel_ops all = [] {
    fuse_lowlevel_ops ops{};
    ops.init = SetUp;
    AddNodeOps(&ops);
    AddNameOps(&ops);
    AddFileOps(&ops);
    AddDirOps(&ops);
    AddLockOps(&ops);
    return ops;
  }();
  return all;
}

// What libfuse has to say of a mount that fails goes to the caller.
std::string& LastWords() {
  static std::string words;
  return words;
}

void KeepWords(fuse_log_level, const char* format, va_list values) {
  static std::mutex mutex;
  std::array<char, 512> text{};
  vsnprintf(text.data(), text.size(), format, values);
  const std::lock_guard guard(mutex);
  LastWords() = text.data();
  while (LastWords().ends_with('\n')) LastWords().pop_back();
}

// One mount and the threads that serve it.
class Session {
 public:
  explicit Session(Shared* shared) : volume_(shared) {}
  ~Session() {
    if (session_ != nullptr) fuse_session_destroy(session_);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Why not; empty: mounted.
  std::string Mount(const ServeOptions& options, const std::string& point) {
    const int error = volume_.nodes.OpenRoot(options.backing);
    if (error != 0) {
      return "cannot open " + options.backing + ": " + std::strerror(error);
    }
    // Only root may let other users in; others need a line in /etc/fuse.conf.
    std::string words = "default_permissions,fsname=faultfs,subtype=faultfs";
    if (geteuid() == 0) words += ",allow_other";
    std::string name = "faultfs";
    std::string flag = "-o";
    std::array<char*, 4> argv = {name.data(), flag.data(), words.data(),
                                 nullptr};
    fuse_args args = FUSE_ARGS_INIT(3, argv.data());
    session_ = fuse_session_new(&args, &Operations(), sizeof(fuse_lowlevel_ops),
                                &volume_);
    fuse_opt_free_args(&args);
    if (session_ == nullptr) return "FUSE: " + LastWords();
    if (fuse_session_mount(session_, point.c_str()) != 0) {
      return "cannot mount on " + point + ": " + LastWords();
    }
    return "";
  }

  // Until it is unmounted.
  void Loop() {
    fuse_loop_config* config = fuse_loop_cfg_create();
    fuse_loop_cfg_set_max_threads(config, kThreads);
    fuse_loop_cfg_set_idle_threads(config, kThreads);
    fuse_session_loop_mt(session_, config);
    fuse_loop_cfg_destroy(config);
  }

  void Unmount() { fuse_session_unmount(session_); }

 private:
  Volume volume_;
  fuse_session* session_ = nullptr;
};

sigset_t EndingSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  return set;
}

// Waits for a signal, or until all loops have ended.
void AwaitEnd(int ended) {
  const sigset_t signals = EndingSignals();
  const int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
  std::array<pollfd, 2> events = {
      pollfd{.fd = signal_fd, .events = POLLIN, .revents = 0},
      pollfd{.fd = ended, .events = POLLIN, .revents = 0}};
  while (poll(events.data(), events.size(), -1) < 0 && errno == EINTR) {
  }
  close(signal_fd);
}

// A file that is open on the mount is one here, too.
void AllowManyFiles() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// How the threads that serve tell of their end. Where a file is open its mount
// goes later, and they with the process: they must not outlive this.
struct Loops {
  const int ended = eventfd(0, EFD_CLOEXEC);
  std::atomic<size_t> running = 0;
};

// For root; others have a program that may do it for them.
void UnmountAt(const std::string& point) {
  if (umount2(point.c_str(), MNT_DETACH) == 0 || errno == EINVAL) return;
  const pid_t helper = fork();
  if (helper == 0) {
    execlp("fusermount3", "fusermount3", "-u", "-z", "-q", "--", point.c_str(),
           nullptr);
    _exit(1);
  }
  if (helper > 0) waitpid(helper, nullptr, 0);
}

// Forks a process that waits for the end of this one and unmounts what it has
// left. (libfuse's auto_unmount did not where it was tried.) The descriptor is
// for Dismiss; -1: there is none.
int StartUndertaker(const std::vector<std::string>& points) {
  std::array<int, 2> pipe{};
  if (pipe2(pipe.data(), O_CLOEXEC) != 0) return -1;
  const pid_t child = fork();
  if (child != 0) {
    close(pipe[0]);
    return pipe[1];
  }
  setsid();  // what is sent to our group is not for it
  close(pipe[1]);
  char byte = 0;
  ssize_t got = 0;
  do {
    got = read(pipe[0], &byte, 1);
  } while (got < 0 && errno == EINTR);
  if (got > 0) _exit(0);
  for (const std::string& point : points) UnmountAt(point);
  _exit(0);
}

// All is unmounted: what may be mounted there later is another's.
void Dismiss(int undertaker) {
  const char byte = 0;
  if (undertaker >= 0 && write(undertaker, &byte, 1) == 1) close(undertaker);
}

void ServeAll(const std::vector<std::unique_ptr<Session>>& sessions,
              Loops* loops) {
  loops->running = sessions.size();
  for (const auto& session : sessions) {
    std::thread([loops, raw = session.get()] {
      raw->Loop();
      const uint64_t one = 1;
      if (--loops->running > 0) return;
      if (write(loops->ended, &one, sizeof one) < 0) std::abort();
    }).detach();
  }
  AwaitEnd(loops->ended);
  for (const auto& session : sessions) session->Unmount();
}

}  // namespace

std::string WhyNoFuse() {
  const int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fd >= 0) {
    close(fd);
    return "";
  }
  std::string why =
      std::string("cannot open /dev/fuse: ") + std::strerror(errno);
  if (errno == EACCES || errno == EPERM) {
    return why + "; run it as root, or let this user open it";
  }
  return why +
         "; load the kernel module fuse, in a container give it "
         "--device=/dev/fuse, and install the package fuse3";
}

std::string Serve(const ServeOptions& options,
                  const std::function<void()>& ready) {
  const sigset_t signals = EndingSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  umask(0);  // the kernel has taken the caller's into account
  AllowManyFiles();
  fuse_set_log_func(KeepWords);
  // Never destroyed: threads that serve may outlive this function.
  auto& loops = *new Loops;
  auto& sessions = *new std::vector<std::unique_ptr<Session>>;
  std::string why;
  const int undertaker =
      options.unmount_when_killed ? StartUndertaker(options.mount_points) : -1;
  auto& shared = *new Shared(options.sins, options.seed);  // starts a thread
  for (const std::string& point : options.mount_points) {
    sessions.push_back(std::make_unique<Session>(&shared));
    why = sessions.back()->Mount(options, point);
    if (why.empty()) continue;
    sessions.pop_back();
    for (const auto& session : sessions) session->Unmount();
    Dismiss(undertaker);
    return why;
  }
  ready();
  ServeAll(sessions, &loops);
  Dismiss(undertaker);
  return "";
}

}  // namespace locklab::faultfs
