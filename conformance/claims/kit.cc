#include "conformance/claims/kit.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <thread>

#include "lib/errors.h"

namespace locklab::claims {
namespace {

namespace fs = std::filesystem;
using lockfile::Errc;

[[noreturn]] void ThrowErrno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::string Sentence(std::string_view what, std::string_view rest) {
  return std::string(what) + " " + std::string(rest);
}

}  // namespace

void Fail(std::string reason) { throw Finding::Fail(std::move(reason)); }
void Unsupported(std::string reason) {
  throw Finding::Unsupported(std::move(reason));
}
void Inconclusive(std::string reason) {
  throw Finding::Inconclusive(std::move(reason));
}

void Expect(bool holds, std::string_view otherwise) {
  if (!holds) Fail(std::string(otherwise));
}

std::string Describe(const Outcome& outcome) {
  switch (outcome.got) {
    case Got::kOk:
      return "succeeded";
    case Got::kTimeout:
      return "was refused: " + outcome.message;
    case Got::kError:
      return "failed: " + outcome.message;
  }
  return "ended in no known way";
}

void ExpectOk(const Outcome& outcome, std::string_view what) {
  Expect(outcome.ok(), Sentence(what, Describe(outcome)));
}

void ExpectRefused(const Outcome& outcome, std::string_view what, Errc code) {
  Expect(outcome.got == Got::kTimeout, Sentence(what, Describe(outcome)));
  const bool told = outcome.code != Errc::kOk && code != Errc::kOk;
  Expect(!told || outcome.code == code,
         Sentence(what, "was refused in the wrong way: " + outcome.message));
}

void ExpectError(const Outcome& outcome, Errc code, std::string_view what) {
  const auto category = lockfile::make_error_code(code).message();
  const std::string wanted = "; expected: " + category;
  Expect(!outcome.ok(), Sentence(what, "succeeded" + wanted));
  Expect(outcome.code == Errc::kOk || outcome.code == code,
         Sentence(what, Describe(outcome) + wanted));
}

std::string JobPath(const ClaimContext& context) {
  return context.dir + "/job";
}

std::unique_ptr<Subject> MakeJob(const ClaimContext& context) {
  auto subject = context.subject.Make(JobPath(context));
  subject->Warm();
  return subject;
}

std::unique_ptr<Subject> MakeJobOn(const ClaimContext& context,
                                   lockfile::os::Os& os) {
  auto subject = context.subject.MakeOn(os, JobPath(context));
  if (subject == nullptr) {
    Unsupported("this lock does not go through the seam: no faults for it");
  }
  return subject;
}

int Times(const ClaimContext& context, int quick, int full) {
  return context.quick ? std::max(1, quick / proc::Patience()) : full;
}

Sample SampleOf(const ClaimContext& context) {
  const auto step =
      context.quick ? static_cast<size_t>(proc::Patience()) : size_t{1};
  return {.first = context.seed % step, .step = step};
}

Finding EachCall(const ClaimContext& context, std::string_view what,
                 const std::function<bool(int nth)>& meet) {
  if (context.subject.traits().bypasses_seam) {
    Unsupported(
        "it makes its system calls past the seam, where it cannot be stopped "
        "in the middle; locklab crash lets it die at each of them");
  }
  constexpr size_t kMost = 40;
  const Sample sample = SampleOf(context);
  int met = 0;
  size_t nth = sample.first;
  while (nth < kMost && meet(static_cast<int>(nth))) {
    nth += sample.step;
    ++met;
  }
  // There may be fewer calls than the sample leaves out before its first.
  if (met == 0 && sample.first != 0 && meet(0)) ++met;
  if (met == 0) {
    Inconclusive("nothing was examined: no call of it was seen");
  }
  const std::string calls = std::to_string(met) + " calls";
  return Finding::Pass(std::string(what) + " before " +
                       (sample.step == 1 ? "each of " + calls : calls));
}

Inspector& Inspect(Subject& subject) {
  Inspector* inspector = subject.inspector();
  if (inspector == nullptr) {
    Unsupported("this lock can be taken and given back, and nothing else");
  }
  return *inspector;
}

bool IsLocked(Subject& subject) {
  bool locked = false;
  ExpectOk(Inspect(subject).IsLocked(&locked), "is_locked()");
  return locked;
}

bool IAmLocking(Subject& subject) {
  bool mine = false;
  ExpectOk(Inspect(subject).IAmLocking(&mine), "i_am_locking()");
  return mine;
}

bool Break(Subject& subject) {
  bool broke = false;
  ExpectOk(Inspect(subject).Break(&broke), "break_lock()");
  return broke;
}

bool BreakIf(Subject& subject, const lockfile::Owner& owner) {
  bool broke = false;
  ExpectOk(Inspect(subject).BreakIf(owner, &broke), "break_lock(owner)");
  return broke;
}

std::optional<lockfile::Owner> OwnerOf(Subject& subject) {
  std::optional<lockfile::Owner> owner;
  ExpectOk(Inspect(subject).ReadOwner(&owner), "owner()");
  return owner;
}

lockfile::Owner ReadableOwner(Subject& subject) {
  auto owner = OwnerOf(subject);
  Expect(owner.has_value(), "owner() names nobody while the lock is held");
  return *owner;
}

std::string_view UnlessSoft(const lockfile::Traits& traits) {
  return traits.released_on_crash
             ? "the kernel frees this lock when its holder dies: it is never "
               "stale"
             : "";
}

std::string_view UnlessKernel(const lockfile::Traits& traits) {
  return traits.released_on_crash
             ? ""
             : "this lock does not claim to be freed by the kernel";
}

std::string_view UnlessBreakable(const lockfile::Traits& traits) {
  return traits.breakable
             ? ""
             : "the kernel holds this lock for a live process: it cannot be "
               "broken";
}

std::string_view UnlessThreads(const lockfile::Traits& traits) {
  return traits.excludes_threads
             ? ""
             : "this lock does not claim to exclude threads of one process";
}

std::vector<std::string> Entries(const std::string& dir) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void ExpectNoLitter(const ClaimContext& context, std::string_view when) {
  const auto subject = MakeJob(context);
  Inspector* inspector = subject->inspector();
  const std::string lock_path =
      inspector != nullptr ? inspector->lock_path() : JobPath(context);
  const std::string kept = fs::path(lock_path).filename().string();
  std::string litter;
  for (const std::string& name : Entries(context.dir)) {
    // A kept file may have companions, as a database has its journal.
    if (context.subject.traits().keeps_file && name.starts_with(kept)) continue;
    litter += (litter.empty() ? "" : ", ") + name;
  }
  Expect(litter.empty(), Sentence(when, "these files are left: " + litter));
}

void WriteText(const std::string& path, std::string_view text) {
  const int fd =
      open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) ThrowErrno("cannot create " + path);
  const ssize_t written = write(fd, text.data(), text.size());
  const int error = errno;
  close(fd);
  errno = written < 0 ? error : ENOSPC;
  if (written != static_cast<ssize_t>(text.size())) {
    ThrowErrno("cannot write " + path);
  }
}

void MakeDirectory(const std::string& path, unsigned mode) {
  if (mkdir(path.c_str(), mode) != 0) ThrowErrno("cannot make " + path);
  // The umask is no part of what a body asks for.
  if (chmod(path.c_str(), mode) != 0) ThrowErrno("cannot chmod " + path);
}

bool TrySymlink(const std::string& target, const std::string& path) {
  return symlink(target.c_str(), path.c_str()) == 0;
}

bool IsRoot() { return geteuid() == 0; }

void BecomeNobody() {
  constexpr unsigned kNobody = 65534;
  if (setgroups(0, nullptr) != 0 || setgid(kNobody) != 0 ||
      setuid(kNobody) != 0) {
    ThrowErrno("cannot become the user nobody");
  }
  // The kernel forgets this with the user.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
}

bool TryBindMount(const std::string& from, const std::string& to,
                  bool read_only) {
  static const bool own =
      unshare(CLONE_NEWNS) == 0 &&
      mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  if (!own) return false;
  if (mount(from.c_str(), to.c_str(), nullptr, MS_BIND, nullptr) != 0) {
    return false;
  }
  return !read_only || mount("none", to.c_str(), nullptr,
                             MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) == 0;
}

void UseUpDescriptors() {
  const int next = dup(0);
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = static_cast<rlim_t>(next < 0 ? 0 : next);
  setrlimit(RLIMIT_NOFILE, &limit);
  if (next >= 0) close(next);
}

struct SleepControl::State {
  std::thread sleeper;
  nanoseconds lateness{};
};

SleepControl::SleepControl(nanoseconds duration)
    : state_(std::make_unique<State>()) {
  state_->sleeper = std::thread([state = state_.get(), duration] {
    const auto due = proc::In(duration);
    std::this_thread::sleep_until(due);
    state->lateness = proc::Clock::now() - due;
  });
}

SleepControl::~SleepControl() {
  if (state_->sleeper.joinable()) state_->sleeper.join();
}

nanoseconds SleepControl::Lateness() {
  if (state_->sleeper.joinable()) state_->sleeper.join();
  return state_->lateness;
}

std::string Millis(nanoseconds duration) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f ms",
                static_cast<double>(duration.count()) / 1e6);
  return text;
}

}  // namespace locklab::claims
