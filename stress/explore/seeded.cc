#include "stress/explore/seeded.h"

#include <fcntl.h>

#include <array>
#include <cerrno>

#include "conformance/canary/canary.h"

namespace locklab::explore {
namespace {

using lockfile::os::FileInfo;
using lockfile::os::Os;

// Makes a file of its own, links the lock to it, and trusts the number of
// names that a look then shows: which on NFS may be that of an earlier hold.
class TrustsLinkCount : public Subject {
 public:
  TrustsLinkCount(Os& os, const std::string& path)
      : os_(os),
        lock_(path + ".lock"),
        mine_(path + "." + std::to_string(os.Pid())) {}

  Outcome Acquire(std::chrono::nanoseconds) override {
    const auto opened = os_.Open(mine_.c_str(), O_WRONLY | O_CREAT, 0666);
    if (opened.ok()) os_.Close(static_cast<int>(opened.value));
    // Its reply may be lost, so that it is not looked at.
    os_.Link(mine_.c_str(), lock_.c_str());
    FileInfo info;
    const bool seen = os_.Lstat(mine_.c_str(), &info).ok();
    Outcome outcome;
    if (!seen || info.nlink != 2) outcome.got = Got::kTimeout;
    return outcome;
  }

  Outcome Release() override {
    os_.Unlink(lock_.c_str());
    return {};
  }

 private:
  Os& os_;
  const std::string lock_;
  const std::string mine_;
};

class TrustingFactory : public SubjectFactory {
 public:
  [[nodiscard]] std::string_view name() const override {
    return "stale-link-count";
  }
  [[nodiscard]] std::unique_ptr<Subject> Make(
      const std::string& path) const override {
    return MakeOn(Os::Real(), path);
  }
  [[nodiscard]] std::unique_ptr<Subject> MakeOn(
      Os& os, const std::string& path) const override {
    return std::make_unique<TrustsLinkCount>(os, path);
  }
};

constexpr auto kBugs = std::to_array<SeededBug>({
    {.name = "naive-break",
     .doc = "a dead holder's file is removed by name, by everybody who saw it",
     .canary = "unlink-dead",
     .model = "posix",
     .roles = "ccc",
     .wrong = Wrong::kTwoHolders,
     .crashes = 1},
    {.name = "empty-is-free",
     .doc = "a record that is empty as yet is taken for a dead one's",
     .canary = "empty-is-free",
     .model = "posix",
     .roles = "cc",
     .wrong = Wrong::kTwoHolders},
    {.name = "release-by-name",
     .doc = "a release that does not look whose the lock is",
     .canary = "release-by-name",
     .model = "posix",
     .roles = "ttb",
     .wrong = Wrong::kNotLearnt},
    {.name = "release-of-a-successor",
     .doc = "the same, and what comes of it",
     .canary = "release-by-name",
     .model = "posix",
     .roles = "ttb",
     .wrong = Wrong::kTwoHolders,
     .rounds = 2,
     .only = true,
     .schedule = "a9,c28,b9,a15"},
    {.name = "check-then-unlink",
     .doc = "a release that looks whose the lock is, then removes it by name",
     .canary = "look-then-unlink-release",
     .model = "posix",
     .roles = "ttb",
     .wrong = Wrong::kLostUnasked,
     .schedule = "a12,b4,c21,a,b2,c4,b2,c2,b6"},
    {.name = "check-then-unlink-a-successor",
     .doc = "the same, and what comes of it",
     .canary = "look-then-unlink-release",
     .model = "posix",
     .roles = "ttb",
     .wrong = Wrong::kTwoHolders,
     .rounds = 2,
     .only = true,
     .schedule = "a12,c28,b9,a14"},
    {.name = "inode-not-rechecked",
     .doc = "an flock on a file that has lost its name",
     .canary = "unlink-on-release",
     .model = "posix",
     .roles = "ccc",
     .wrong = Wrong::kTwoHolders},
    {.name = "stale-link-count",
     .doc = "a link count that is believed, from a cache",
     .canary = "",
     .model = "nfs3",
     .roles = "tt",
     .wrong = Wrong::kTwoHolders,
     .rounds = 2,
     .stale_looks = 1},
    {.name = "check-then-create",
     .doc = "a look whether the file is there, then its creation",
     .canary = "check-then-create",
     .model = "posix",
     .roles = "cc",
     .wrong = Wrong::kTwoHolders},
    {.name = "everybody-is-dead",
     .doc = "a holder is taken for dead because it cannot be seen",
     .canary = "everybody-is-dead",
     .model = "posix",
     .roles = "cc",
     .wrong = Wrong::kFailed},
    {.name = "host-blind",
     .doc = "a process of another host is looked for on this one",
     .canary = "host-blind",
     .model = "nolock",
     .roles = "cc",
     .wrong = Wrong::kFailed},
    {.name = "pid-only",
     .doc = "a process that got a dead holder's pid is taken for the holder",
     .canary = "pid-only",
     .model = "posix",
     .roles = "cc",
     .wrong = Wrong::kBlocked,
     .crashes = 1,
     .reuses = 1},
    {.name = "boot-blind",
     .doc = "a process of this boot is taken for a holder of an earlier one",
     .canary = "boot-blind",
     .model = "posix",
     .roles = "cc",
     .wrong = Wrong::kBlocked,
     .reboots = 1},
    {.name = "never-recovers",
     .doc = "a dead holder is waited for",
     .canary = "never-recovers",
     .model = "posix",
     .roles = "cc",
     .wrong = Wrong::kBlocked,
     .crashes = 1},
    {.name = "empty-is-held",
     .doc = "a creator that died before it wrote is waited for",
     .canary = "empty-is-held",
     .model = "posix",
     .roles = "cc",
     .wrong = Wrong::kBlocked,
     .crashes = 1},
    {.name = "left-guard",
     .doc = "a guard that a dead process left is waited for",
     .canary = "left-guard",
     .model = "posix",
     .roles = "cc",
     .wrong = Wrong::kFailed,
     .crashes = 1},
    {.name = "litters",
     .doc = "a file of its own is left behind",
     .canary = "litters",
     .model = "posix",
     .roles = "cc",
     .wrong = Wrong::kLitter},
});

}  // namespace

std::span<const SeededBug> SeededBugs() { return kBugs; }

std::unique_ptr<SubjectFactory> MakeSeeded(const SeededBug& bug) {
  if (bug.canary.empty()) return std::make_unique<TrustingFactory>();
  return canary::FindCanary(bug.canary)->make(0);
}

std::vector<Role> ParseRoles(std::string_view letters) {
  std::vector<Role> roles;
  for (const char letter : letters) {
    for (const RoleRow& row : Roles()) {
      if (row.name[0] == letter) roles.push_back(row.role);
    }
  }
  const bool fits = roles.size() == letters.size() && !roles.empty() &&
                    roles.size() <= kMaxProcesses;
  return fits ? roles : std::vector<Role>();
}

Scene SceneOf(const SeededBug& bug, const SubjectFactory& subject) {
  Scene scene;
  scene.subject = &subject;
  scene.model = FindModel(bug.model);
  scene.roles = ParseRoles(bug.roles);
  scene.rounds = bug.rounds;
  scene.waits = 3;  // canaries dither, too
  scene.allow(Spend::kCrash) = bug.crashes;
  scene.allow(Spend::kReuse) = bug.reuses;
  scene.allow(Spend::kReboot) = bug.reboots;
  scene.allow(Spend::kStaleLook) = bug.stale_looks;
  scene.link_counts = true;
  if (bug.only) scene.only = bug.wrong;
  scene.liveness = bug.wrong == Wrong::kBlocked || bug.wrong == Wrong::kLitter;
  return scene;
}

}  // namespace locklab::explore
