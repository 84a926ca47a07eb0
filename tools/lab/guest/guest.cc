#include "tools/lab/guest/guest.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <exception>
#include <filesystem>
#include <system_error>

#include "conformance/proc/child.h"
#include "conformance/proc/interrupts.h"
#include "conformance/proc/poll_until.h"
#include "conformance/verdict/exit.h"
#include "tools/lab/guest/machine.h"
#include "tools/lab/guest/session.h"
#include "tools/lab/run.h"

namespace locklab::lab {
namespace {

using namespace std::chrono_literals;

// How long what runs inside may take to end once it was told to.
constexpr auto kGrace = 60s;

bool IsShell(const GuestPlan& plan) { return plan.argv.empty(); }

void WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return;  // nobody reads it any more
    text.remove_prefix(static_cast<size_t>(wrote));
  }
}

// Passes on what there is; false: there will be no more.
bool PassOn(int from, int to) {
  std::array<char, 16384> buffer;
  const ssize_t got = read(from, buffer.data(), buffer.size());
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  WriteAll(to, {buffer.data(), static_cast<size_t>(got)});
  return got > 0;
}

// The terminal of a person, as long as a shell in the guest has it: keys go
// through as they are, Ctrl-C too.
class RawTerminal {
 public:
  explicit RawTerminal(bool wanted)
      : raw_(wanted && tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!raw_) return;
    termios raw = before_;
    cfmakeraw(&raw);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  ~RawTerminal() {
    if (raw_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  termios before_{};
  bool raw_;
};

class Run {
 public:
  explicit Run(const GuestPlan& plan)
      : plan_(plan),
        machine_(plan.job.scratch, IsShell(plan)),
        boot_end_(proc::In(plan.boot)),
        end_(proc::In(plan.limit)) {}

  Result Watch();

 private:
  void Look();
  void HandOn();
  void CheckTimes();
  Result Told();

  const GuestPlan& plan_;
  Machine machine_;
  proc::TimePoint boot_end_;
  proc::TimePoint end_;
  bool ready_ = false;
  bool input_ = true;    // there may be more on our standard input
  int interrupted_ = 0;  // by this signal
  std::string stopped_;  // why we ended it
};

// Waits a moment for something to pass on.
void Run::Look() {
  std::array<pollfd, 3> fds{{{machine_.out(), POLLIN, 0},
                             {machine_.err(), POLLIN, 0},
                             {-1, POLLIN, 0}}};
  if (IsShell(plan_) && input_ && ready_) fds[2].fd = STDIN_FILENO;
  if (poll(fds.data(), fds.size(), 50) <= 0) return;
  if (fds[0].revents != 0) PassOn(machine_.out(), plan_.job.out);
  if (fds[1].revents != 0) PassOn(machine_.err(), plan_.job.err);
  if (fds[2].revents != 0) {
    input_ = PassOn(STDIN_FILENO, machine_.in());
    if (!input_) WriteAll(machine_.in(), "exit\n");
  }
}

void Run::HandOn() {
  const int signal = proc::Interrupts::Pending();
  if (signal == 0 || interrupted_ != 0) return;
  interrupted_ = signal;
  if (!ready_ || IsShell(plan_)) {
    stopped_ = "interrupted by " + proc::SignalName(signal);
    machine_.Stop();
    return;
  }
  WriteAll(machine_.in(), signal == SIGINT ? "INT\n" : "TERM\n");
  end_ = std::min(end_, proc::In(kGrace));
}

void Run::CheckTimes() {
  ready_ = ready_ || session::IsReady(plan_.job.scratch);
  if (!ready_ && proc::Clock::now() >= boot_end_) {
    stopped_ =
        fmt::format("the guest was not ready in {} s", plan_.boot.count());
    machine_.Stop();
  }
  if (proc::Clock::now() >= end_) {
    stopped_ = interrupted_ != 0
                   ? "what ran in the guest did not end when it was told to"
                   : fmt::format("what ran in the guest did not end in {} min",
                                 plan_.limit.count() / 60);
    machine_.Stop();
  }
}

Result Run::Watch() {
  const RawTerminal raw(IsShell(plan_) && isatty(STDIN_FILENO));
  while (!machine_.Ended() && stopped_.empty()) {
    Look();
    HandOn();
    CheckTimes();
  }
  while (PassOn(machine_.out(), plan_.job.out)) {
  }
  while (PassOn(machine_.err(), plan_.job.err)) {
  }
  return Told();
}

// What the guest left behind says how it ended.
Result Run::Told() {
  const std::string& scratch = plan_.job.scratch;
  if (const auto code = session::ExitCode(scratch)) return {*code, ""};
  std::string why = session::Error(scratch);
  if (why.empty()) why = stopped_;
  const bool inconclusive = interrupted_ != 0 || ready_;
  if (why.empty() && !ready_) {
    why = "the guest " + machine_.HowEnded() + " before it was ready";
  }
  if (why.empty()) {
    why = "the guest " + machine_.HowEnded() + " while it was used";
  }
  if (interrupted_ == 0) {
    why += fmt::format("; the last lines of its console:\n{}",
                       session::LastLines(scratch));
  }
  return {inconclusive ? kExitInconclusive : kExitMissingFeature,
          fmt::format("{}: {}", plan_.name, why)};
}

// Where a run may write besides its scratch: its results, and where it is, for
// the sake of files that are named relative to that.
std::vector<std::string> WritableFor(const Job& job) {
  std::vector<std::string> dirs;
  std::error_code error;
  const auto here = std::filesystem::current_path(error);
  // What the guest has mounts in itself must not be hidden.
  if (!error && here != "/" && here != "/mnt" && here != "/run") {
    dirs.push_back(here.string());
  }
  if (!job.results.empty()) dirs.push_back(job.results);
  return dirs;
}

// The claims about that take minutes: they are examined where they are named,
// or where there is time.
bool WantsFaults(const std::vector<std::string>& args) {
  return std::any_of(args.begin(), args.end(), [](const std::string& arg) {
    return arg == "--profile=full" ||
           (arg.starts_with("--filter=") && arg.find("net") != arg.npos);
  });
}

GuestPlan PlanFor(const Variant& variant, const Job& job) {
  return {.name = variant.name,
          .filesystem = std::string(variant.in_guest),
          .clients = variant.mounts,
          .argv = {},
          .writable = WritableFor(job),
          .faults = WantsFaults(job.args),
          .job = job};
}

}  // namespace

Result RunGuest(const GuestPlan& plan) {
  try {
    session::Prepare(plan);
    return Run(plan).Watch();
  } catch (const std::exception& error) {
    return {kExitMissingFeature,
            fmt::format("{}: {}", plan.name, error.what())};
  }
}

Result RunInGuest(const Variant& variant, const Job& job) {
  GuestPlan plan = PlanFor(variant, job);
  plan.argv = ArgsOn(variant, job, kGuestDir,
                     variant.mounts == 2 ? kGuestOtherMount : "");
  plan.argv.insert(plan.argv.begin(), "locklab");
  return RunGuest(plan);
}

Result ShellInGuest(const Variant& variant, const Job& job) {
  return RunGuest(PlanFor(variant, job));
}

}  // namespace locklab::lab
