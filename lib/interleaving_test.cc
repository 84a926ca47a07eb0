// Soft locks under thousands of schedules: processes take, hold, break and
// give back one lock, one call at a time in every order that chance finds, and
// die anywhere. Never do two living processes hold it, never does a release or
// a breaker remove another's, and in the end it can be had again and leaves
// nothing behind.
//
// A failure prints its seed; LOCKFILE_SEED=N runs that schedule alone.
// LOCKFILE_SCHEDULES=N sets how many each test runs.
#include "lib/testing/interleaving.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "lib/lock_file.h"

namespace lockfile::testing {
namespace {

using namespace std::chrono_literals;

// So long, by the world's clock, that only a lost lock is waited for.
constexpr auto kLong = 100'000s;

constexpr uint64_t kSchedules = 300;
constexpr uint64_t kUntilNoticed = 20'000;

// A peer of Python's lockfile, by its own steps.
enum class Foreign { kNone, kLink, kMkdir };

struct Scenario {
  const char* name = nullptr;
  const char* backend = nullptr;
  Plan plan;
  int actors = 3;
  Foreign foreign = Foreign::kNone;
  int corpses = 0;  // processes that died here before
  // They take it, give it back and want it again: so they stand in line.
  bool eager = false;
  // Sabotage that has to be noticed.
  bool no_guard = false;
  bool no_right = false;
};

void PrintTo(const Scenario& scenario, std::ostream* out) {
  *out << scenario.name << " of " << scenario.backend;
}

// One tenure of one holder, as the witness knows it.
struct Tenure {
  pid_t pid = 0;
  std::string token;
  bool maybe_lost = false;  // somebody was asked to break it
  bool releasing = false;   // it is no longer certain that it holds
};

// One schedule: what the actors do, and what must be true of it.
class Play {
 public:
  Play(const Scenario& scenario, const std::string& dir, uint64_t seed)
      : scenario_(scenario), world_(dir, PlanOf(scenario, seed)) {
    collect_litter_ = scenario.corpses == 0 || world_.Random(2) == 0;
  }

  // Empty: all is well.
  std::string Run() {
    for (int i = 0; i < scenario_.corpses; ++i) {
      world_.Run({[this](int actor) { Die(actor); }});
    }
    std::vector<std::function<void(int)>> bodies;
    for (int i = 0; i < scenario_.actors; ++i) {
      bodies.emplace_back([this](int actor) { Act(actor); });
    }
    if (scenario_.foreign != Foreign::kNone) {
      bodies.emplace_back([this](int actor) { ActForeign(actor); });
    }
    world_.Run(bodies);
    if (!world_.abandoned()) {
      world_.CalmDown();
      world_.Run({[this](int actor) { Conclude(actor); }});
    }
    if (!world_.abandoned()) ExpectEmpty();
    return world_.failure();
  }
  [[nodiscard]] std::string Steps() const { return world_.Tail(); }

 private:
  static Plan PlanOf(const Scenario& scenario, uint64_t seed) {
    Plan plan = scenario.plan;
    plan.seed = seed;
    return plan;
  }
  [[nodiscard]] std::string Path() const { return world_.dir() + "/x"; }
  [[nodiscard]] std::string LockPath() const {
    return Path() + std::string(FindBackend(scenario_.backend)->suffix);
  }
  [[nodiscard]] Options MakeOptions(os::Os* os) const {
    return {.backend = scenario_.backend,
            .collect_litter = collect_litter_,
            .os = os};
  }

  // Leaves behind what a process leaves that dies while it takes the lock.
  void Die(int actor) {
    ActorOs os(world_, actor);
    LockFile lock(Path(), MakeOptions(&os));
    os.DieAt(1 + static_cast<int>(world_.Random(20)));
    std::error_code error;
    lock.acquire(0s, error);
    while (!os.dead()) os.Pause();
  }

  // A few processes' lives, one after the other.
  void Act(int actor) {
    int operations =
        (scenario_.eager ? 4 : 1) + static_cast<int>(world_.Random(4));
    while (operations > 0 && !world_.abandoned()) {
      ActorOs os(world_, actor);
      if (scenario_.no_guard) os.Estrange(LockPath() + ".break");
      if (scenario_.no_right) os.FakeTakingAway();
      LockFile lock(Path(), MakeOptions(&os));
      while (operations > 0 && !os.dead()) {
        --operations;
        DoSomething(os, lock);
      }
    }
  }

  void DoSomething(ActorOs& os, LockFile& lock) {
    if (scenario_.eager) return Hold(os, lock, kLong);
    const uint64_t choice = world_.Random(10);
    if (choice < 3) {
      Hold(os, lock, 0s);
    } else if (choice < 7) {
      Hold(os, lock, kLong);
    } else if (choice < 9 || scenario_.foreign != Foreign::kNone) {
      BreakExpected(os, lock);
    } else {
      BreakAny(os, lock);
    }
  }

  template <typename Timeout>
  void Hold(ActorOs& os, LockFile& lock, Timeout timeout) {
    const uint64_t ended = breaks_ended_;
    std::error_code error;
    world_.Log(os.pid(), timeout > 0s ? "ACQUIRE" : "TRY");
    lock.acquire(timeout, error);
    if (os.dead()) return;
    if (error) return NotTaken(error, lock, timeout > 0s);
    // A break of whatever is there may have hit it already.
    Took(os.pid(), os.last_token(), breaks_begun_ != ended);
    for (uint64_t i = world_.Random(6); i > 0 && !os.dead(); --i) os.Pause();
    if (!os.dead() && world_.Random(4) == 0) ExpectMine(os, lock);
    if (!os.dead()) Release(os, lock);
    std::erase_if(tenures_,
                  [&](const auto& each) { return each.pid == os.pid(); });
  }

  void NotTaken(std::error_code error, LockFile& lock, bool waited) {
    if (!waited && error == Errc::kAlreadyLocked) return;
    if (world_.plan().faults && error != Errc::kLockTimeout) return;
    world_.Fail("acquire failed: " + error.message() + ": " +
                lock.last_error_message());
  }

  void Took(pid_t pid, const std::string& token, bool maybe_lost) {
    maybe_lost = maybe_lost || asked_to_break_.contains(token);
    world_.Log(pid, "HOLDS " + token + (maybe_lost ? ", perhaps" : ""));
    for (const Tenure& other : tenures_) {
      const bool certain = world_.Lives(other.pid) && !other.maybe_lost &&
                           !other.releasing && !maybe_lost;
      if (certain) {
        world_.Fail("two holders: " + std::to_string(other.pid) + " and " +
                    std::to_string(pid));
      }
    }
    tenures_.push_back({pid, token, maybe_lost});
  }

  Tenure& Find(pid_t pid) {
    return *std::ranges::find_if(
        tenures_, [&](const auto& each) { return each.pid == pid; });
  }

  void ExpectMine(ActorOs& os, LockFile& lock) {
    std::error_code error;
    const bool mine = lock.i_am_locking(error);
    if (os.dead() || (error && world_.plan().faults)) return;
    if (!mine && !Find(os.pid()).maybe_lost) {
      world_.Fail("the holder is told that it does not hold it");
    }
  }

  void Release(ActorOs& os, LockFile& lock) {
    Find(os.pid()).releasing = true;
    const bool broken = broken_.contains(Find(os.pid()).token);
    std::error_code error;
    for (int tries = world_.plan().faults ? 3 : 1; tries > 0; --tries) {
      world_.Log(os.pid(), "RELEASE");
      lock.release(error);
      if (os.dead()) return;
      if (!error || error == Errc::kLockLost) break;
    }
    if (!error && broken) {
      world_.Fail("the release of a broken lock does not tell");
    }
    // Where a reply was lost, mkdir cannot tell who removed its entry.
    const bool unsure =
        world_.plan().faults && scenario_.backend == std::string("mkdir");
    if (error &&
        !(error == Errc::kLockLost && (Find(os.pid()).maybe_lost || unsure))) {
      world_.Fail("release failed: " + error.message() + ": " +
                  lock.last_error_message());
    }
  }

  void BreakAny(ActorOs& os, LockFile& lock) {
    for (Tenure& each : tenures_) each.maybe_lost = true;
    ++breaks_begun_;
    std::error_code error;
    world_.Log(os.pid(), "BREAK");
    lock.break_lock(error);
    ++breaks_ended_;
    ExpectBreakable(os, error, lock);
  }

  void BreakExpected(ActorOs& os, LockFile& lock) {
    std::error_code error;
    const std::optional<Owner> owner = lock.owner(error);
    if (os.dead() || !owner.has_value()) return;
    asked_to_break_.insert(owner->token);
    for (Tenure& each : tenures_) {
      each.maybe_lost = each.maybe_lost || each.token == owner->token;
    }
    world_.Log(os.pid(), "BREAK " + owner->token);
    const bool broke = lock.break_lock(*owner, error);
    ExpectBreakable(os, error, lock);
    if (broke && !os.dead()) broken_.insert(owner->token);
  }

  void ExpectBreakable(ActorOs& os, std::error_code error, LockFile& lock) {
    if (!error || os.dead() || world_.plan().faults) return;
    if (error == Errc::kLockTimeout && world_.plan().leaps) return;
    world_.Fail("break failed: " + error.message() + ": " +
                lock.last_error_message());
  }

  // What is left when all are done or dead is nobody's.
  void Conclude(int actor) {
    collect_litter_ = true;
    ActorOs os(world_, actor);
    LockFile lock(Path(), MakeOptions(&os));
    std::error_code error;
    world_.Log(os.pid(), "CONCLUDES");
    lock.acquire(kLong, error);
    if (error) {
      return world_.Fail("it cannot be had again: " + error.message() + ": " +
                         lock.last_error_message());
    }
    lock.release(error);
    if (error) {
      world_.Fail("it cannot be released in the end: " + error.message());
    }
  }

  void ExpectEmpty() {
    if (world_.plan().faults) return;  // what could not be removed may be left
    for (const auto& entry :
         std::filesystem::directory_iterator(world_.dir())) {
      world_.Fail("left behind: " + entry.path().filename().string());
    }
  }

  // Python's lockfile 0.12.2, without its waiting.
  void ActForeign(int actor) {
    ActorOs os(world_, actor);
    for (int i = 0; i < 3 && !world_.abandoned(); ++i) {
      os.Pause();
      scenario_.foreign == Foreign::kLink ? LinkAsPython(os)
                                          : MkdirAsPython(os);
    }
  }

  void HoldAsPython(ActorOs& os) {
    Took(os.pid(), "foreign", false);
    for (uint64_t n = world_.Random(6); n > 0; --n) os.Pause();
    std::erase_if(tenures_,
                  [&](const auto& each) { return each.pid == os.pid(); });
  }

  void LinkAsPython(ActorOs& os) {
    const std::string unique = Path() + "-host.4711";
    const int fd = static_cast<int>(
        os.Open(unique.c_str(), O_CREAT | O_WRONLY, 0666).value);
    os.Close(fd);
    if (os.Link(unique.c_str(), LockPath().c_str()).ok()) {
      HoldAsPython(os);
      os.Unlink(unique.c_str());
      os.Unlink(LockPath().c_str());
    } else {
      os.Unlink(unique.c_str());
    }
  }

  void MkdirAsPython(ActorOs& os) {
    const std::string unique = LockPath() + "/host.-7f12ab00.4711";
    world_.ForbidLeaps(true);
    if (!os.MakeDir(LockPath().c_str(), 0777).ok()) {
      return world_.ForbidLeaps(false);
    }
    const os::SysResult opened =
        os.Open(unique.c_str(), O_CREAT | O_WRONLY, 0666);
    if (!opened.ok()) return world_.Fail("a foreign creator was robbed");
    os.Close(static_cast<int>(opened.value));
    world_.ForbidLeaps(false);
    HoldAsPython(os);
    if (!os.Unlink(unique.c_str()).ok()) {
      world_.Fail("a foreign holder was robbed");
    }
    os.RemoveDir(LockPath().c_str());
  }

  const Scenario scenario_;
  World world_;
  bool collect_litter_ = true;
  std::vector<Tenure> tenures_;
  std::set<std::string> asked_to_break_;
  std::set<std::string> broken_;
  uint64_t breaks_begun_ = 0;
  uint64_t breaks_ended_ = 0;
};

class InterleavingTest : public ::testing::TestWithParam<Scenario> {
 protected:
  void SetUp() override {
    const char* base = std::getenv("TEST_TMPDIR");  // NOLINT: one thread
    root_ = "/dev/shm/lockfile_interleaving_XXXXXX";
    if (mkdtemp(root_.data()) != nullptr) return;
    root_ = std::string(base != nullptr ? base : "/tmp") + "/it_XXXXXX";
    ASSERT_NE(mkdtemp(root_.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  // The failure of one schedule, with its steps; empty: all is well.
  std::string Try(const Scenario& scenario, uint64_t seed) {
    const std::string dir = root_ + "/" + std::to_string(seed);
    std::filesystem::create_directory(dir);
    Play play(scenario, dir, seed);
    const std::string failure = play.Run();
    std::filesystem::remove_all(dir);
    if (failure.empty()) return failure;
    return failure + " (LOCKFILE_SEED=" + std::to_string(seed) + ")\n" +
           play.Steps();
  }

  static uint64_t FromEnv(const char* name, uint64_t otherwise) {
    const char* text = std::getenv(name);  // NOLINT: one thread
    return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
  }

  std::string root_;
};

TEST_P(InterleavingTest, NobodyIsHarmed) {
  const uint64_t one = FromEnv("LOCKFILE_SEED", 0);
  const uint64_t count = FromEnv("LOCKFILE_SCHEDULES", kSchedules);
  const uint64_t first = one != 0 ? one : 1;
  const uint64_t last = one != 0 ? one : count;
  for (uint64_t seed = first; seed <= last; ++seed) {
    const std::string failure = Try(GetParam(), seed);
    if (!failure.empty()) FAIL() << failure;
  }
}

std::vector<Scenario> Scenarios() {
  std::vector<Scenario> all;
  for (const char* backend : {"link", "mkdir", "symlink", "pid", "excl"}) {
    all.push_back({"calm", backend, {}});
    all.push_back({"deaths", backend, {.kills = 3, .leaps = true}});
    all.push_back({"deaths_far", backend, {.kills = 3, .remote = true}});
    all.push_back({"corpses", backend, {.kills = 1}, 3, Foreign::kNone, 2});
    all.push_back({"faults", backend, {.faults = true}});
    all.push_back({"faults_far", backend, {.faults = true, .remote = true}});
  }
  for (const char* backend : {"link", "mkdir", "excl"}) {
    Scenario eager{"eager", backend, {.kills = 2}};
    eager.eager = true;
    all.push_back(eager);
  }
  all.push_back({"no_proc", "excl", {.no_proc = true}});
  all.push_back({"no_proc", "symlink", {.no_proc = true}});
  all.push_back({"no_links", "pid", {.kills = 1, .no_links = true}});
  all.push_back({"python", "link", {.leaps = true}, 2, Foreign::kLink});
  all.push_back({"python", "mkdir", {.leaps = true}, 2, Foreign::kMkdir});
  return all;
}

std::string NameOf(const ::testing::TestParamInfo<Scenario>& info) {
  return std::string(info.param.backend) + "_" + info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Backends, InterleavingTest,
                         ::testing::ValuesIn(Scenarios()), NameOf);

// The test would notice: without the guard breakers get into each other's way,
// and without the right to remove a lock a breaker meets its holder.
class SabotageTest : public InterleavingTest {};

TEST_P(SabotageTest, IsNoticed) {
  for (uint64_t seed = 1; seed <= kUntilNoticed; ++seed) {
    const std::string failure = Try(GetParam(), seed);
    if (failure.empty()) continue;
    RecordProperty("schedules", static_cast<int>(seed));
    return;
  }
  FAIL() << "unnoticed in " << kUntilNoticed << " schedules";
}

INSTANTIATE_TEST_SUITE_P(Canaries, SabotageTest,
                         ::testing::Values(Scenario{.name = "no_guard",
                                                    .backend = "link",
                                                    .plan = {.kills = 3},
                                                    .no_guard = true},
                                           Scenario{.name = "no_right",
                                                    .backend = "symlink",
                                                    .plan = {},
                                                    .no_right = true}),
                         NameOf);

}  // namespace
}  // namespace lockfile::testing
