// Examines one claim in a process of its own.
#include <sys/prctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>
#include <string>
#include <system_error>

#include "conformance/claims/claim.h"
#include "conformance/claims/features.h"
#include "conformance/claims/step.h"
#include "conformance/proc/child.h"
#include "conformance/proc/shared.h"
#include "conformance/proc/temp_dir.h"
#include "lib/errors.h"

namespace locklab {
namespace {

using proc::Child;
using proc::Clock;
using proc::TempDir;

// What a claim's process leaves for the one that started it, also if killed.
struct Box {
  static constexpr size_t kReason = 2048;
  static constexpr size_t kStep = 160;
  static constexpr size_t kEvidence = 16384;

  std::atomic<bool> done;
  Verdict verdict;
  char reason[kReason];
  char step[kStep];
  char evidence[kEvidence];
};

// Of this process; nullptr where no claim runs.
std::atomic<Box*> g_box{nullptr};

void Copy(std::string_view text, char* to, size_t size) {
  const size_t length = std::min(text.size(), size - 1);
  std::memcpy(to, text.data(), length);
  to[length] = '\0';
}

void Put(const Finding& finding, Box* box) {
  box->verdict = finding.verdict;
  Copy(finding.reason, box->reason, Box::kReason);
  Copy(finding.evidence, box->evidence, Box::kEvidence);
  box->done.store(true);
}

// The first feature that the claim needs and that is not to be had.
std::string Missing(const Claim& claim, const ClaimContext& context) {
  for (const std::string_view name : NamesIn(claim.needs)) {
    const Feature* feature = FindFeature(name);
    if (feature == nullptr) return "no such feature: " + std::string(name);
    claims::Step("probing for " + std::string(name));
    std::string why = WhyMissing(
        *feature, {.dir = context.dir, .other_dir = context.other_dir});
    if (!why.empty()) return why;
  }
  claims::Step("");
  return "";
}

// Bodies end by returning a finding or by throwing one. Anything else that is
// thrown is the harness's own trouble: no memory, no process, no disk.
Finding Examine(const Claim& claim, const ClaimContext& context) {
  try {
    std::string missing = Missing(claim, context);
    if (!missing.empty()) return Finding::Unsupported(std::move(missing));
    return claim.body(context);
  } catch (const Finding& finding) {
    return finding;
  } catch (const std::exception& error) {
    return Finding::Inconclusive(std::string("the harness failed: ") +
                                 error.what());
  }
}

int ClaimMain(const Claim& claim, const ClaimContext& context, Box* box) {
  g_box = box;
  // Orphans of the body's children stay in reach until the group is killed.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  Put(Examine(claim, context), box);
  return 0;
}

std::string At(const Box& box) {
  return box.step[0] == '\0' ? "" : std::string(" while ") + box.step;
}

// Where the claim ran is gone when the reason is read, and long.
std::string Shorten(std::string reason, const std::string& dir) {
  for (size_t at = 0; (at = reason.find(dir, at)) != std::string::npos;) {
    reason.replace(at, dir.size(), ".");
  }
  return reason;
}

// Lines that tell what a claim that failed left behind.
std::string WhatIsLeftIn(const std::string& dir) {
  constexpr int kMost = 20;
  namespace fs = std::filesystem;
  std::string lines;
  std::error_code error;
  int count = 0;
  for (fs::recursive_directory_iterator at(dir, error), end;
       !error && at != end; at.increment(error)) {
    if (++count > kMost) continue;
    struct stat info {};
    if (lstat(at->path().c_str(), &info) != 0) continue;
    const char* kind = S_ISDIR(info.st_mode)   ? "directory"
                       : S_ISLNK(info.st_mode) ? "symbolic link"
                                               : "file";
    lines += "left: " + at->path().lexically_relative(dir).string() + " (" +
             kind + ", " + std::to_string(info.st_size) + " bytes, " +
             std::to_string(info.st_nlink) + " links)\n";
  }
  if (count > kMost) {
    lines += "left: " + std::to_string(count - kMost) + " more\n";
  }
  return lines;
}

Finding Decide(const proc::ExitStatus& status, const Box& box) {
  if (box.done) return {box.verdict, box.reason, box.evidence};
  const std::string seen = "its process " + status.Describe() + At(box);
  // Nobody here sends SIGKILL before the deadline: the system ran out of
  // memory, or somebody else was at it.
  if (status.signal == SIGKILL) return Finding::Inconclusive(seen);
  return Finding::Fail(seen);
}

}  // namespace

namespace claims {

void Step(std::string_view what) {
  if (Box* box = g_box.load()) Copy(what, box->step, Box::kStep);
}

}  // namespace claims

struct ClaimRun::State {
  explicit State(const Claim& of) : claim(of) {}

  const Claim& claim;
  proc::Shared<Box> box;
  std::unique_ptr<TempDir> dir;
  Child child;
  proc::TimePoint deadline;
  std::chrono::milliseconds allowed{};
  std::optional<Finding> finding;
  proc::TimePoint started = Clock::now();
  std::chrono::nanoseconds took{0};

  // There is a finding, and the process is gone.
  void End();
};

void ClaimRun::State::End() {
  took = Clock::now() - started;
  if (finding->verdict == Verdict::kFail) {
    finding->evidence += WhatIsLeftIn(dir->path());
  }
  finding->reason = Shorten(std::move(finding->reason), dir->path());
  finding->evidence = Shorten(std::move(finding->evidence), dir->path());
  dir.reset();
}

ClaimRun::ClaimRun(const Claim& claim, const ClaimContext& context,
                   std::chrono::milliseconds deadline)
    : state_(std::make_unique<State>(claim)) {
  const std::string_view excuse = ExcuseOf(claim, context.subject);
  if (!excuse.empty()) {
    state_->finding = Finding::Unsupported(std::string(excuse));
    return;
  }
  try {
    state_->dir = std::make_unique<TempDir>(context.dir);
    // Other users take part in some claims.
    chmod(state_->dir->path().c_str(), 0755);
    ClaimContext own = context;
    own.dir = state_->dir->path();
    if (!own.other_dir.empty()) {
      own.other_dir += own.dir.substr(own.dir.rfind('/'));
    }
    Box* box = &*state_->box;
    state_->child =
        Child::Spawn([&claim, &own, box] { return ClaimMain(claim, own, box); },
                     {.own_group = true});
  } catch (const std::system_error& error) {
    state_->finding = Finding::Inconclusive(error.what());
  }
  state_->allowed = deadline;
  state_->deadline = proc::In(deadline);
}

ClaimRun::~ClaimRun() {
  if (state_->child.running()) state_->child.Stop();
}

std::chrono::nanoseconds ClaimRun::took() const { return state_->took; }

const Claim& ClaimRun::claim() const { return state_->claim; }

std::optional<Finding> ClaimRun::Wait(lockfile::os::TimePoint until) {
  State& state = *state_;
  if (state.finding) return state.finding;
  if (const auto status = state.child.Wait(std::min(until, state.deadline))) {
    state.finding = Decide(*status, *state.box);
  } else if (Clock::now() >= state.deadline) {
    state.child.Stop();
    state.finding = Finding::Fail("hung: it did not end within " +
                                  std::to_string(state.allowed.count()) +
                                  " ms" + At(*state.box));
  }
  if (state.finding) state.End();
  return state.finding;
}

Finding RunClaim(const Claim& claim, const ClaimContext& context,
                 std::chrono::milliseconds deadline) {
  ClaimRun run(claim, context, deadline);
  return run.Wait(lockfile::os::kForever).value();
}

}  // namespace locklab
